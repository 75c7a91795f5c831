"""Other names of people and places: a text that says one of them is searched as if it had said the name itself.

Only searches see the added names; no prompt does. Made from world.yaml, used by the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from npc_sdk.lore.word import words as english_words

REMEMBERED = 512  # texts
Words = Callable[[str], Sequence[str]]


class Aliases:
    """names maps each name to its aliases; words takes a text apart as the searches do."""

    def __init__(self, names: Mapping[str, Iterable[str]], words: Words = english_words) -> None:
        self._words = words
        self._runs = {run: name for name, aliases in names.items() for alias in aliases if (run := tuple(words(alias)))}
        self._longest = max(map(len, self._runs), default=0)
        self.expanded = lru_cache(maxsize=REMEMBERED)(self._expanded)  # a conversation comes again with every turn

    def names_in(self, text: str) -> tuple[str, ...]:
        """The names of which an alias is said, in the order of the text, each once."""
        said = tuple(self._words(text)) if self._runs else ()
        found = (
            self._runs.get(said[start : start + length])
            for start in range(len(said))
            for length in range(1, self._longest + 1)
        )
        return tuple(dict.fromkeys(name for name in found if name))

    def _expanded(self, text: str) -> str:
        """The text, and behind it the names that it means."""
        names = self.names_in(text)
        return f"{text} ({', '.join(names)})" if names else text
