"""Facts that an author has told twice: the same words in a text that others are given, a leak by copy.

Knows no prompts: a copy is found though no question brings it in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from npc_sdk.evals.leak.fact import Fact
from npc_sdk.evals.leak.passage import Passage
from npc_sdk.evals.leak.text import MIN_RUN, plain, repeated
from npc_sdk.lore.word import plain_words


@dataclass(frozen=True, slots=True)
class Repeat:
    """words of the fact stand in the passage too."""

    fact: Fact
    passage: Passage
    words: str


def repeats(facts: Iterable[Fact], passages: Sequence[Passage]) -> list[Repeat]:
    """Each secret and passage of lore with every other text that gives it away.

    What one persona knows is no secret: another that is given the same words was given them by its author.
    """
    texts = [plain(passage.text) for passage in passages]
    index = _runs_index(passages)
    found = []
    for fact in (fact for fact in facts if fact.kind != "knows"):
        words = plain_words(fact.text)
        near = _candidates(words, index) if len(words) >= MIN_RUN else range(len(passages))
        for at in near:
            if passages[at].fact != fact and (run := repeated(words, texts[at])):
                found.append(Repeat(fact, passages[at], run))
    return found


def _runs_index(passages: Sequence[Passage]) -> dict[str, list[int]]:
    """Which passages hold which run of MIN_RUN words: a world may have 100,000 of them."""
    index: defaultdict[str, list[int]] = defaultdict(list)
    for at, passage in enumerate(passages):
        for run in dict.fromkeys(_runs(plain_words(passage.text))):
            index[run].append(at)
    return index


def _candidates(words: Sequence[str], index: dict[str, list[int]]) -> list[int]:
    return sorted({at for run in _runs(words) for at in index.get(run, ())})


def _runs(words: Sequence[str]) -> Iterator[str]:
    return (" ".join(words[at : at + MIN_RUN]) for at in range(len(words) - MIN_RUN + 1))
