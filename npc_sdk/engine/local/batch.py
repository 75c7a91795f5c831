"""The rows that pass through the model together: a chunk of one prompt; of each reply its last token and its draft.

Lays out positions, cache slots and attention calls once a step, for all layers. Made for the runner, read by the
decoder.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, CacheShape
from npc_sdk.engine.local.kv_cache import KVCache

# Matrix kernels take another path, with another rounding, for fewer than 4 rows left over.
ROW_MULTIPLE = 4


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
        """Spans of one size attend in one call."""
        return self.count, self.blocks


@dataclass(frozen=True, slots=True)
class Call:
    """One attention call: the spans of one size, side by side as if they were more heads.

    where are the blocks of all of them in the pool, a stretch of its rows where there is one span with neighbours.

    Shapes: mask (spans, query rows of a key-value head, padded, key tokens), to be added to the scores.
    """

    rows: slice | torch.Tensor
    where: slice | torch.Tensor
    mask: torch.Tensor

    @classmethod
    def of(cls, spans: Sequence[Span], masks: Masks) -> Call:
        """The call for some spans of one size."""
        mask = torch.stack([masks.mask(span) for span in spans])
        if len(spans) == 1:
            (span,) = spans
            return cls(slice(span.row, span.row + span.count), span.cache.where(span.blocks), mask)
        rows = [row for span in spans for row in range(span.row, span.row + span.count)]
        blocks = [block for span in spans for block in span.cache.blocks[: span.blocks]]
        are_neighbours = rows == list(range(rows[0], rows[0] + len(rows)))
        return cls(
            slice(rows[0], rows[-1] + 1) if are_neighbours else torch.tensor(rows, device=mask.device),
            torch.tensor(blocks, device=mask.device),
            mask,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """One step. sampled are the rows whose logits are wanted, those of one Work after those of the one before it."""

    ids: list[int]
    positions: torch.Tensor
    last_position: int
    slots: torch.Tensor
    calls: tuple[Call, ...]
    wide_rows: int
    sampled: list[int]

    @classmethod
    def of(cls, works: Sequence[Work], shape: CacheShape, group: int) -> Batch:
        """Lays out some works; only the first may have wide rows. group: query heads to a key-value head.

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
        device = shape.device
        return cls(
            ids,
            torch.tensor(positions, device=device),
            max(positions),
            torch.tensor(slots, device=device),
            _calls(spans, Masks(shape, group)),
            works[0].wide_rows,
            sampled,
        )


class Masks:
    """Masks of spans. group: query heads to a key-value head."""

    def __init__(self, shape: CacheShape, group: int) -> None:
        self._group = group
        self._triangle = _triangle(shape.dtype, shape.device)

    def mask(self, span: Span) -> torch.Tensor:
        """All keys before the span's block, in it those up to the query itself."""
        used = span.count * self._group
        padded = -(-used // ROW_MULTIPLE) * ROW_MULTIPLE
        mask = self._triangle.new_zeros(padded, span.blocks * BLOCK_TOKENS)
        start = span.first % BLOCK_TOKENS
        own = self._triangle[start : start + span.count]
        mask[:used, -BLOCK_TOKENS:] = own if self._group == 1 else own.repeat_interleave(self._group, 0)
        return mask


@functools.cache
def _triangle(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """What hides, of a block of keys, those after each query."""
    return torch.full((BLOCK_TOKENS, BLOCK_TOKENS), -torch.inf, dtype=dtype, device=device).triu_(1)


def _spans(cache: KVCache, first: int, last: int, row: int) -> list[Span]:
    """Positions first to last (not included), whose rows begin at row, cut at the ends of blocks."""
    spans = []
    while first < last:
        count = min(last, (first // BLOCK_TOKENS + 1) * BLOCK_TOKENS) - first
        spans.append(Span(row, first, count, cache))
        first, row = first + count, row + count
    return spans


def _calls(spans: Sequence[Span], masks: Masks) -> tuple[Call, ...]:
    """Spans by size: a product of many heads is done sooner than many products, and rounds alike."""
    sizes: dict[tuple[int, int], list[Span]] = {}
    for span in spans:
        sizes.setdefault(span.size, []).append(span)
    return tuple(Call.of(alike, masks) for alike in sizes.values())
