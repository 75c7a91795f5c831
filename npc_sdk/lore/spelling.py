"""The word that a misspelt one was meant to be: a letter missing, too many, wrong, or two in each other's place.

Careful, since what looks like a mistake may be another word: the first letter must be right, and only long words may
have a wrong one. Built and asked by lexical.py. Source: the four mistakes are those of Damerau, 1964.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

MIN_CHARS = 4  # shorter words are one letter away from too many others
MIN_CHARS_WRONG = 6  # to have one letter for another: "horse" is not meant to be "house"
MAX_NEAR = 3


class Spelling:
    """The words that are known, by how they begin and how they end: one mistake leaves one of both as it is."""

    def __init__(self, words: Iterable[str]) -> None:
        self._beginning: defaultdict[str, list[str]] = defaultdict(list)
        self._ending: defaultdict[str, list[str]] = defaultdict(list)
        for word in words:
            if len(word) >= MIN_CHARS and word.isalpha():
                self._beginning[word[:2]].append(word)
                self._ending[word[0] + word[-2:]].append(word)

    def near(self, word: str) -> list[str]:
        """The known words that this one may be meant to be, at most a few, the most alike in length first."""
        if len(word) < MIN_CHARS or not word.isalpha():
            return []
        candidates = {*self._beginning.get(word[:2], ()), *self._ending.get(word[0] + word[-2:], ())}
        found = (known for known in candidates if _is_one_mistake(word, known))
        return sorted(found, key=lambda known: (abs(len(known) - len(word)), known))[:MAX_NEAR]


def _is_one_mistake(said: str, meant: str) -> bool:
    longer = max(len(said), len(meant))
    if abs(len(said) - len(meant)) > 1:
        return False
    head = _alike(said, meant)
    tail = _alike(said[::-1], meant[::-1])
    if len(said) != len(meant):
        return head + tail >= longer - 1
    if head + tail >= longer - 1:
        return longer >= MIN_CHARS_WRONG
    return head + tail == longer - 2 and said[head : head + 2] == meant[head : head + 2][::-1]


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
