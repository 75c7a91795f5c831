"""Passages that say the same in the same words: the second of them would only take room. Called by book.py."""

from __future__ import annotations

from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.language import Language

_EMPTY_WORDS = frozenset({"a", "an", "the"})  # no other word can go without the sense changing


class Seen:
    """The passages taken so far. Order counts: who owes whom is in it."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._first: dict[tuple[str, ...], str] = {}

    def twin_of(self, entry: LoreEntry) -> str:
        """The id of an earlier passage of the same words; empty where there is none. Mutates: what was seen."""
        first = self._first.setdefault(self.words_of(entry), entry.entry_id)
        return "" if first == entry.entry_id else first

    def words_of(self, entry: LoreEntry) -> tuple[str, ...]:
        """What twins have in common."""
        return tuple(stem for stem in self._language.words(entry.text) if stem not in _EMPTY_WORDS)
