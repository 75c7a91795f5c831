"""The rows that pass through the model together: a chunk of one prompt; of each reply its last token and its draft.

Lays out positions, cache slots and spans once a step, for all layers. Made for the runner, read by the
decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS
from npc_sdk.engine.local.kv_cache import KVCache


@dataclass(frozen=True, slots=True)
class Work:
    """A sequence's part: the ids after those that its cache holds; the first wide_rows of them take the wide kernel.

    logit_rows: of how many of them, the last ones, the scores of the next token are wanted.
    """

    cache: KVCache
    ids: Sequence[int]
    wide_rows: int = 0
    logit_rows: int = 1


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of one sequence that lie in one block of positions, which attend to this block and those before it.

    Its shape depends on the positions alone and never on the chunk, so that a token's result does not either.
    """

    row: int
    first: int
    count: int
    cache: KVCache

    @property
    def blocks(self) -> int:
        """How many blocks it attends to."""
        return self.first // BLOCK_TOKENS + 1

    @property
    def size(self) -> tuple[int, int]:
        """Spans of one size can attend in one call."""
        return self.count, self.blocks


@dataclass(frozen=True, slots=True)
class Batch:
    """One step. sampled are the rows whose logits are wanted, those of one Work after those of the one before it."""

    ids: list[int]
    positions: torch.Tensor
    last_position: int
    slots: torch.Tensor
    spans: tuple[Span, ...]
    wide_rows: int
    sampled: list[int]

    @classmethod
    def of(cls, works: Sequence[Work], device: torch.device) -> Batch:
        """Lays out some works; only the first may have wide rows.

        Mutates: nothing; the caches must have room for the ids already.
        """
        assert all(not work.wide_rows for work in works[1:]), "wide rows must come first"
        ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        spans: list[Span] = []
        sampled: list[int] = []
        for work in works:
            first, last = work.cache.length, work.cache.length + len(work.ids)
            spans += _spans(work.cache, first, last, len(ids))
            ids += work.ids
            positions += range(first, last)
            slots += work.cache.slots(first, last)
            sampled += range(len(ids) - work.logit_rows, len(ids))
        return cls(
            ids,
            torch.tensor(positions, device=device),
            max(positions),
            torch.tensor(slots, device=device),
            tuple(spans),
            works[0].wide_rows,
            sampled,
        )


def _spans(cache: KVCache, first: int, last: int, row: int) -> list[Span]:
    """Positions first to last (not included), whose rows begin at row, cut at the ends of blocks."""
    spans = []
    while first < last:
        count = min(last, (first // BLOCK_TOKENS + 1) * BLOCK_TOKENS) - first
        spans.append(Span(row, first, count, cache))
        first, row = first + count, row + count
    return spans
