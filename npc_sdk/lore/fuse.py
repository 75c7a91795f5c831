"""Several ranks of the same passages made into one, by the places alone: scores of different kinds do not compare.

Called by book.py. Source: reciprocal rank fusion (Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms
Condorcet and individual rank learning methods, 2009); the weights are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from npc_sdk.lore.lexical import Ranking

K = 60  # of the paper: how little the first places stand out


@dataclass(frozen=True, slots=True)
class Voice:
    """One rank and its weight. why words a passage's place in it, given its place in the ranking's order.

    Passages of equal score share a place where is_tied, so that the other voices decide between them.
    """

    ranking: Ranking
    weight: float
    why: Callable[[int], str]
    is_tied: bool = False

    def places(self) -> list[int]:
        """Each passage's place, from 1."""
        places: list[int] = []
        for at, score in enumerate(self.ranking.scores):
            shares = self.is_tied and at > 0 and score == self.ranking.scores[at - 1]
            places.append(places[-1] if shares else at + 1)
        return places


@dataclass(frozen=True, slots=True)
class Fused:
    """A passage, its score and what every rank that found it says."""

    index: int
    score: float
    why: str


def fuse(voices: Sequence[Voice]) -> list[Fused]:
    """All passages that any rank found, best first; those of equal score in the order of their index."""
    scores: dict[int, float] = {}
    reasons: dict[int, list[str]] = {}
    for voice in voices:
        for at, (index, place) in enumerate(zip(voice.ranking.indices, voice.places(), strict=True)):
            scores[index] = scores.get(index, 0.0) + voice.weight / (K + place)
            reasons.setdefault(index, []).append(voice.why(at))
    order = sorted(scores, key=lambda index: (-scores[index], index))
    return [Fused(index, scores[index], "; ".join(reasons[index])) for index in order]
