"""One search under way: what the viewer knows, what the rules bring in or keep out, and the ranks of the rest.

What was learned in play stands behind the book's entries, under the indices that follow theirs. Made by book.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np

from npc_sdk.lore.account import BY_KEYS_ALONE, NOT_MEANT, NOT_SAID
from npc_sdk.lore.activation import Activated, Hit
from npc_sdk.lore.entry import LoreEntry, Match, Timers
from npc_sdk.lore.fuse import Voice
from npc_sdk.lore.index import Indexes
from npc_sdk.lore.lexical import Bools, Floats, Ranking, best_of
from npc_sdk.lore.overlay import Overlay
from npc_sdk.lore.scan import Scan
from npc_sdk.lore.semantic import SemanticIndex

POOL = 32  # found by words, and by meaning: so many are ranked and told; more never reach a prompt


class Turn:
    """The parts of one search that depend on who asks and what was said."""

    def __init__(self, of: Indexes, scan: Scan, learned: Overlay) -> None:
        self._of = of
        self._asked = scan.query or scan.words
        self._learned = learned
        self._known = of.knowledge.seen_by(scan.viewer)
        self._said = self._heard(self._asked)
        self._scores = self._lexical_scores()
        own = of.activator.run(scan, self._known.mask, self._scores[: len(of.entries)])
        activated = _joined(own, learned, scan, len(of.entries))
        self.hits: tuple[Hit, ...] = activated.hits
        self.refused: Mapping[int, str] = activated.refused
        self.timers: Timers = activated.timers
        self._overlooked = activated.overlooked
        self._allowed = self._searched(of.searchable)

    def entry(self, index: int) -> LoreEntry:
        """The entry of an index."""
        own = index - len(self._of.entries)
        return self._learned.entries[own] if own >= 0 else self._of.entries[index]

    def is_known(self, index: int) -> bool:
        """Whether the viewer knows it, whatever the rules say."""
        return index >= len(self._of.entries) or bool(self._known.mask[index])

    def standing(self) -> Iterator[Hit]:
        """What no limit bounds: it is in whatever was said, or essential."""
        is_asked = self._of.weights.keyed > 0
        return (
            hit for hit in self.hits if hit.kind != "key" or (is_asked and self.entry(hit.index).rules.is_essential)
        )

    def kept_out(self) -> Iterator[tuple[int, str]]:
        """What a rule keeps out of this turn and why; what is switched off or was too much is left to the rest."""
        for index, why in self.refused.items():
            if index not in self._overlooked and self.is_known(index) and self.entry(index).rules.is_enabled:
                yield index, why

    def voices(self) -> list[Voice]:
        """The ranks that count, each of what it found for what is asked."""
        weights = self._of.weights
        voices = [self._keyed()] if weights.keyed else []
        if weights.lexical:
            voices.append(self._lexical())
        if weights.semantic and self._of.semantic:
            voices.append(self._semantic(self._asked, self._of.semantic))
        return voices

    def rest(self, told: frozenset[int]) -> Iterator[Match]:
        """Every entry that is not told of, with why it is out."""
        worded = self._scores > 0
        for index in range(len(worded)):
            if index not in told:
                yield Match(self.entry(index), 0.0, self._why_out(index, is_worded=bool(worded[index])))

    def _why_out(self, index: int, *, is_worded: bool) -> str:
        if not self.is_known(index):
            return self._known.why_not(index)
        if index in self.refused:
            return self.refused[index]
        if index in self._overlooked:
            return self._overlooked[index]
        if not self._allowed[index]:
            return BY_KEYS_ALONE
        if is_worded:
            return f"words in common, but {POOL} others fit better"
        return NOT_MEANT if self._of.semantic else NOT_SAID

    def _searched(self, searchable: Bools) -> Bools:
        """What words and meaning may bring in. Shapes: (entries and learned,)."""
        out = np.concatenate([self._known.mask & searchable, self._learned.searchable])
        out[list(self.refused)] = False
        return out

    def _keyed(self) -> Voice:
        """By the most specific key; words in common decide between equal ones. All of them, so that all are told."""
        hits = [hit for hit in self.hits if hit.kind == "key"]
        hits.sort(key=lambda hit: (-hit.strength, -self._scores[hit.index], hit.index))
        ranking = Ranking(tuple(hit.index for hit in hits), tuple(hit.strength for hit in hits))
        return Voice(ranking, self._of.weights.keyed, lambda at: hits[at].why, is_tied=True)

    def _lexical(self) -> Voice:
        ranking = best_of(self._scores, self._allowed, POOL)
        common = self._in_common(self._said, ranking.indices)
        return Voice(
            ranking, self._of.weights.lexical, lambda at: f"words in common: {', '.join(common[at])} (rank {at + 1})"
        )

    def _semantic(self, text: str, index: SemanticIndex) -> Voice:
        scores = index.scores(text, self._allowed[: len(self._of.entries)])
        if self._learned.entries:
            scores = np.concatenate([scores, self._learned.semantic_scores(text, index)])
        ranking = best_of(scores, self._allowed, POOL)
        return Voice(ranking, self._of.weights.semantic, lambda at: f"meaning {ranking.scores[at]:.2f} (rank {at + 1})")

    def _heard(self, text: str) -> dict[str, str]:
        """The word of each stem in a text, in stems that some passage holds."""
        said = dict(self._of.language.content_words(text))
        own = {stem for stems in self._learned.stems for stem in stems} & said.keys()
        return {**self._of.lexical.heard(said), **{stem: said[stem] for stem in said if stem in own}}

    def _lexical_scores(self) -> Floats:
        scores = self._of.lexical.scores(self._said)
        if not self._learned.entries:
            return scores
        return np.concatenate([scores, self._learned.lexical_scores(self._said, self._of.lexical)])

    def _in_common(self, said: Mapping[str, str], indices: Sequence[int]) -> list[list[str]]:
        """The words that each entry has in common with what was said."""
        count, lexical = len(self._of.entries), self._of.lexical
        inside = np.asarray([index for index in indices if index < count], dtype=np.int64)
        held = {stem: set(inside[lexical.holds(stem, inside)].tolist()) for stem in said}
        out = []
        for index in indices:
            own = self._learned.stems[index - count] if index >= count else ()
            out.append([word for stem, word in said.items() if index in held[stem] or stem in own])
        return out


def _joined(activated: Activated, learned: Overlay, scan: Scan, count: int) -> Activated:
    """With what the rules of learned entries bring in or keep out, behind the book's."""
    if not learned.entries:
        return activated
    own = learned.activated(scan)
    return Activated(
        hits=(*activated.hits, *(dataclasses.replace(hit, index=hit.index + count) for hit in own.hits)),
        refused={**activated.refused, **{index + count: why for index, why in own.refused.items()}},
        timers=_joined_timers(activated.timers, own.timers, {entry.entry_id for entry in learned.entries}),
        overlooked={**activated.overlooked, **{index + count: why for index, why in own.overlooked.items()}},
    )


def _joined_timers(timers: Timers, own: Timers, own_ids: Set[str]) -> Timers:
    """Of each entry what its own rules say: the others know it only as one that is not theirs."""

    def joined(theirs: Mapping[str, int], ours: Mapping[str, int]) -> dict[str, int]:
        kept = {entry_id: end for entry_id, end in theirs.items() if entry_id not in own_ids}
        return kept | {entry_id: end for entry_id, end in ours.items() if entry_id in own_ids}

    return Timers(joined(timers.sticky, own.sticky), joined(timers.cooldown, own.cooldown))
