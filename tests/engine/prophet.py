"""Guesses that come true more often than any lookup's: a test that drafts are harmless needs many on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from npc_sdk.engine.local.speculation import NO_GUESS, Guess, Guesser

Book = dict[tuple[int, ...], list[int]]  # by prompt: prompt and reply


class Prophet(Guesser):
    """Knows some replies, and lies now and then."""

    honesty = 0.8

    def __init__(self, tokens: Sequence[int], book: Mapping[tuple[int, ...], Sequence[int]], rng: Random) -> None:
        super().__init__(tokens)
        self._whole = book.get(tuple(tokens), [])
        self._rng = rng

    def guess(self, most: int) -> Guess:
        true = self._whole[len(self._tokens) :][: max(0, most)]
        ids = tuple(token if self._rng.random() < self.honesty else token - 1 for token in true)
        return Guess(ids, (0.5,) * len(ids)) if ids else NO_GUESS
