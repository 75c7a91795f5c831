"""The words of all passages as one BM25 index; a query ranks only what it is allowed to see.

Knows no keys, no scopes and no files. Built and asked by book.py, kept on disk by index_store.py.
Source: BM25 as Lucene computes it (Kamphuis et al., Which BM25 do you mean?, 2020), eagerly as bm25s does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import bm25s
import numpy as np
import numpy.typing as npt

from npc_sdk.lore.spelling import Spelling

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

K1 = 1.5
B = 0.75


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best passages of one rank, best first, and each one's score."""

    indices: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()


NO_RANKING = Ranking()


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """Postings in columns: those of stem number s stand in starts[s]:starts[s + 1].

    Shapes: passages, weights (postings); starts (stems + 1). mean_length is in words that carry meaning.
    """

    passage_count: int
    mean_length: float
    stems: tuple[str, ...]
    starts: Ints
    passages: npt.NDArray[np.int32]
    weights: Floats
    numbers: Mapping[str, int] = field(init=False, repr=False, compare=False)
    spelling: Spelling = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", {stem: number for number, stem in enumerate(self.stems)})
        object.__setattr__(self, "spelling", Spelling(self.stems))

    def heard(self, said: Mapping[str, str]) -> dict[str, str]:
        """What was said (the word of each stem) in stems that passages hold; a misspelt word in those it may mean."""
        out = {stem: word for stem, word in said.items() if stem in self.numbers}
        for stem, word in said.items():
            if stem not in self.numbers:
                for near in self.spelling.near(stem):
                    out.setdefault(near, f"{word} (for {near})")
        return out

    def scores(self, stems: Iterable[str]) -> Floats:
        """Every passage's score. Shapes: (passages,)."""
        out = np.zeros(self.passage_count, dtype=np.float32)
        for stem in stems:
            if stem not in self.numbers:
                continue
            here = self._postings(stem)
            out[self.passages[here]] += self.weights[here]  # a passage stands once among the postings of a stem
        return out

    def holds(self, stem: str, passages: Ints) -> Bools:
        """Which of the passages hold a stem."""
        among = self.passages[self._postings(stem)] if stem in self.numbers else self.passages[:0]
        if not len(among):
            return np.zeros(len(passages), dtype=np.bool_)
        at = np.minimum(np.searchsorted(among, passages), len(among) - 1)
        held: Bools = among[at] == passages
        return held

    def score_text(self, stems: Iterable[str], text: Sequence[str]) -> float:
        """The score of a text that is not in the index by what is rare in the index: for what was learned in play."""
        counts, length = Counter(text), len(text)
        return sum(self._weight(stem, counts[stem], length) for stem in stems if counts[stem])

    def _weight(self, stem: str, count: int, length: int) -> float:
        number = self.numbers.get(stem)
        holding = 0 if number is None else int(self.starts[number + 1] - self.starts[number])
        rarity = math.log(1 + (self.passage_count - holding + 0.5) / (holding + 0.5))
        return rarity * count / (count + K1 * (1 - B + B * length / (self.mean_length or max(length, 1))))

    def _postings(self, stem: str) -> slice:
        number = self.numbers[stem]
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


def build_lexical(texts: Sequence[Sequence[str]]) -> LexicalIndex:
    """The index over the stems of each passage."""
    if not any(texts):  # the library needs at least one word
        empty = np.zeros(0, dtype=np.int32)
        return LexicalIndex(len(texts), 0.0, (), np.zeros(1, dtype=np.int64), empty, empty.astype(np.float32))
    index = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numpy", csc_backend="numpy")
    index.index(texts, show_progress=False, create_empty_token=False)
    stems = sorted(index.vocab_dict, key=index.vocab_dict.__getitem__)
    return LexicalIndex(
        passage_count=len(texts),
        mean_length=sum(map(len, texts)) / len(texts),
        stems=tuple(stems),
        starts=np.asarray(index.scores["indptr"], dtype=np.int64),
        passages=np.asarray(index.scores["indices"], dtype=np.int32),
        weights=np.asarray(index.scores["data"], dtype=np.float32),
    )


def best_of(scores: Floats, allowed: Bools, count: int) -> Ranking:
    """The best positive scores among the allowed, without sorting the rest; equal ones in the order of the passages.

    Shapes: scores, allowed (passages,).
    """
    at = np.flatnonzero((scores > 0) & allowed)
    if len(at) > count:
        least = np.partition(scores[at], len(at) - count)[len(at) - count]
        at = at[scores[at] >= least]
    order = at[np.argsort(-scores[at], kind="stable")][:count]
    return Ranking(tuple(order.tolist()), tuple(scores[order].tolist()))
