"""Whether a foreign key can be used as a key of our lore, within bounds for a whole book.

Knows no entries. Called by cards/entry.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.lore.key import Key, KeyFault, check_key
from npc_sdk.lore.word import words

KEY_CHARS = 200
MAX_KEYS = 40_000  # of one book
MAX_REGEXES = 500  # of one book; each takes up to 0.3 ms to look at


@dataclass(slots=True)
class KeyCheck:
    """Counts what it was asked about, so that no book takes long."""

    keys: int = 0
    regexes: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether no more keys are looked at."""
        return self.keys >= MAX_KEYS

    def fault(self, text: str) -> str:
        """Why a key cannot be used, in words; empty where it can. Mutates: the counts."""
        key = Key(text)
        self.keys += 1
        self.regexes += key.is_regex
        if len(text) > KEY_CHARS:
            return f"longer than {KEY_CHARS} characters"
        if self.regexes > MAX_REGEXES:
            return f"a book has at most {MAX_REGEXES:,} regular expressions"
        try:
            check_key(key, words)
        except KeyFault as fault:
            told = str(fault).removeprefix(f"the key {text!r} ")
            return f"{told} ({fault.hint})" if fault.hint else told
        return ""
