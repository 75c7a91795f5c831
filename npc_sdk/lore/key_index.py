"""Finds which of very many keys a text holds, in a time that goes by the text and not by the number of keys.

Keys of words are looked up by every run of words of the text, plain texts by how they begin. Knows no entries: keys
have numbers. Called by lore/heard.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from npc_sdk.lore.key import (
    Key,
    Words,
    cased_words,
    folded,
    stands_alone,
    tokens,
    unfolded,
)
from npc_sdk.lore.regex_index import RegexIndex

Numbers: TypeAlias = npt.NDArray[np.int64]

_HEAD = 5  # characters of a plain key that it is looked up by
_NONE: Numbers = np.zeros(0, np.int64)


class KeyIndex:
    """Keys, numbered in the order in which they are given."""

    def __init__(self, keys: Iterable[Key], words: Words) -> None:
        """Raises: KeyFault for a regular expression that cannot be run."""
        self._phrases = {
            ("words", False): _Phrases(words, folded),
            ("words", True): _Phrases(partial(cased_words, words=words), unfolded),
            ("whole", False): _Phrases(_folded_tokens, folded),
            ("whole", True): _Phrases(_unfolded_tokens, unfolded),
        }
        self._plain = {False: _Plain(folded), True: _Plain(unfolded)}
        regexes: dict[str, list[int]] = {}
        for number, key in enumerate(keys):
            if key.is_regex:
                regexes.setdefault(key.text, []).append(number)
            else:
                self._add(number, key)
        finders: list[_Phrases | _Plain] = [*self._phrases.values(), *self._plain.values()]
        self._finders = [finder for finder in finders if finder.close()]
        self.regexes = RegexIndex(regexes)

    def find(self, text: str) -> Numbers:
        """The numbers of the keys that the text holds, each once, in order; regexes is asked for its own."""
        found = [finder.find(text) for finder in self._finders]
        return np.unique(np.concatenate(found)) if found else _NONE

    def _add(self, number: int, key: Key) -> None:
        if key.match == "words":
            self._phrases["words", key.is_case_sensitive].add(number, key.text)
        elif key.match == "whole" and len(key.text.split()) == 1 and tokens(key.text):
            self._phrases["whole", key.is_case_sensitive].add(number, key.text, is_exact=True)
        else:
            self._plain[key.is_case_sensitive].add(number, key.text)


def _folded_tokens(text: str) -> list[str]:
    return tokens(folded(text))


def _unfolded_tokens(text: str) -> list[str]:
    return tokens(unfolded(text))


class _Postings:
    """Numbers by what leads to them, in two arrays: lists of their own would weigh more than the keys."""

    def __init__(self) -> None:
        self._slots: dict[Hashable, int] = {}
        self._added: list[int] = []
        self._numbers: list[int] = []
        self._sorted = self._starts = _NONE

    def add(self, anchor: Hashable, number: int) -> None:
        self._added.append(self._slots.setdefault(anchor, len(self._slots)))
        self._numbers.append(number)

    def close(self) -> bool:
        """Makes it ready to be asked; whether there is anything in it. Mutates: what was added, which is let go."""
        slots = np.array(self._added, np.int64)
        self._sorted = np.array(self._numbers, np.int64)[np.argsort(slots, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(slots, minlength=len(self._slots)))])
        self._added, self._numbers = [], []
        return bool(self._slots)

    def at(self, anchors: Iterable[Hashable]) -> Numbers:
        """The numbers behind some anchors; those that lead nowhere are fine."""
        slots = [slot for anchor in anchors if (slot := self._slots.get(anchor)) is not None]
        parts = [self._sorted[self._starts[slot] : self._starts[slot + 1]] for slot in slots]
        return np.concatenate(parts) if parts else _NONE


class _Phrases:
    """Keys that are a run of words."""

    def __init__(self, split: Words, spell: Callable[[str], str]) -> None:
        self._split, self._spell = split, spell
        self._postings = _Postings()
        self._lengths: dict[str, set[int]] = {}  # of the keys that begin with a word
        self._exact: dict[int, str] = {}  # keys whose words stand between other signs, which must be there too

    def add(self, number: int, text: str, *, is_exact: bool = False) -> None:
        """A key of no word is never found; the readers tell of it."""
        run = tuple(self._split(text))
        if not run:
            return
        self._postings.add(run, number)
        self._lengths.setdefault(run[0], set()).add(len(run))
        if is_exact and run != (literal := self._spell(text),):
            self._exact[number] = literal

    def close(self) -> bool:
        return self._postings.close()

    def find(self, text: str) -> Numbers:
        said = self._split(text)
        lengths = self._lengths
        found = self._postings.at(
            {
                tuple(said[start : start + length])
                for start, first in enumerate(said)
                if first in lengths
                for length in lengths[first]
            }
        )
        if not self._exact:
            return found
        spelled = self._spell(text)
        exact = self._exact
        kept = [n for n in found.tolist() if n not in exact or stands_alone(exact[n], spelled)]
        return np.array(kept, np.int64)


class _Plain:
    """Keys that are a text to be found anywhere."""

    def __init__(self, spell: Callable[[str], str]) -> None:
        self._spell = spell
        self._postings = _Postings()
        self._lengths: dict[str, set[int]] = {}  # of the keys that begin with a head
        self._heads: set[int] = set()  # how long those are: a short key is its own head

    def add(self, number: int, text: str) -> None:
        """A key of blanks alone is never found; the readers tell of it."""
        literal = self._spell(text)
        if not literal:
            return
        head = literal[:_HEAD]
        self._postings.add(literal, number)
        self._lengths.setdefault(head, set()).add(len(literal))
        self._heads.add(len(head))

    def close(self) -> bool:
        return self._postings.close()

    def find(self, text: str) -> Numbers:
        said = self._spell(text)
        lengths = self._lengths
        return self._postings.at(
            {
                said[at : at + length]
                for head_length in self._heads
                for at in range(len(said) - head_length + 1)
                if (head := said[at : at + head_length]) in lengths
                for length in lengths[head]
            }
        )
