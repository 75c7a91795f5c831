"""The rows that pass through the model together: a chunk of one prompt, a token each of the replies under way.

Lays out positions, cache slots and attention calls once a step, for all layers. Made for the runner, read by the
decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, CacheShape
from npc_sdk.engine.local.kv_cache import KVCache

# Matrix kernels take another path, with another rounding, for fewer than 4 rows left over.
ROW_MULTIPLE = 4


@dataclass(frozen=True, slots=True)
class Work:
    """A sequence's part: the ids after those that its cache holds; the first wide_rows of them take the wide kernel."""

    cache: KVCache
    ids: Sequence[int]
    wide_rows: int = 0
    has_logits: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """One attention call: the rows of one sequence that lie in one block of positions.

    Its shape depends on the positions alone and never on the chunk, so that a token's result does not either.

    Shapes: mask (query rows of a key-value head, padded, key_tokens), to be added to the scores.
    """

    rows: slice
    cache: KVCache
    key_tokens: int
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """One step. sampled are the rows whose logits are wanted, one for each Work that has some, in order."""

    ids: list[int]
    positions: torch.Tensor
    last_position: int
    slots: torch.Tensor
    spans: tuple[Span, ...]
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
        masks = _Masks(shape, group)
        for work in works:
            first, last = work.cache.length, work.cache.length + len(work.ids)
            spans += _spans(work.cache, first, last, len(ids), masks)
            ids += work.ids
            positions += range(first, last)
            slots += work.cache.slots(first, last)
            if work.has_logits:
                sampled.append(len(ids) - 1)
        device = shape.device
        return cls(
            ids,
            torch.tensor(positions, device=device),
            max(positions),
            torch.tensor(slots, device=device),
            tuple(spans),
            works[0].wide_rows,
            sampled,
        )


class _Masks:
    """Masks of one step's spans."""

    def __init__(self, shape: CacheShape, group: int) -> None:
        self._group = group
        side = torch.full((BLOCK_TOKENS, BLOCK_TOKENS), -torch.inf, dtype=shape.dtype, device=shape.device)
        self._triangle = side.triu_(1)

    def mask(self, first: int, count: int, key_tokens: int) -> torch.Tensor:
        """For queries at positions from first on: all keys before their block, in it those up to themselves."""
        used = count * self._group
        padded = -(-used // ROW_MULTIPLE) * ROW_MULTIPLE
        mask = self._triangle.new_zeros(padded, key_tokens)
        start = first % BLOCK_TOKENS
        own = self._triangle[start : start + count]
        mask[:used, -BLOCK_TOKENS:] = own if self._group == 1 else own.repeat_interleave(self._group, 0)
        return mask


def _spans(cache: KVCache, first: int, last: int, row: int, masks: _Masks) -> list[Span]:
    """The attention calls of positions first to last (not included), whose rows begin at row."""
    spans = []
    while first < last:
        key_tokens = (first // BLOCK_TOKENS + 1) * BLOCK_TOKENS
        count = min(last, key_tokens) - first
        spans.append(Span(slice(row, row + count), cache, key_tokens, masks.mask(first, count, key_tokens)))
        first, row = first + count, row + count
    return spans
