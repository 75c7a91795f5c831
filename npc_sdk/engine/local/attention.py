"""Attention over the pool's blocks with torch's products: any device and type; on a CPU, what attention_cpu.py leaves.

Knows neither requests nor weights. Made by loader.py, begun once a step by decoder.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from npc_sdk.engine.local.batch import Batch, Span
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.config import ModelConfig
from npc_sdk.engine.local.layers import Rotary, rotate

# Matrix kernels take another path, with another rounding, for fewer than 4 rows left over.
ROW_MULTIPLE = 4


class Attending(Protocol):
    """The attention of one step. Mutates: the pool's layer, qkv.

    Shapes: qkv (rows, (heads + 2 × kv_heads) × head_dim) to (rows, heads × head_dim).
    """

    def __call__(self, layer: int, qkv: torch.Tensor) -> torch.Tensor: ...


class Attention(Protocol):
    """How a model's heads see. A row's result depends on its sequence and position alone."""

    def begin(self, batch: Batch, pool: BlockPool, rotary: Rotary) -> Attending: ...


@dataclass(frozen=True, slots=True)
class TorchAttention:
    """Spans of one length side by side in one call of a product."""

    config: ModelConfig
    shape: CacheShape

    def begin(self, batch: Batch, pool: BlockPool, rotary: Rotary) -> Attending:
        """Lays out masks and calls for all layers."""
        cos, sin = rotary.angles(batch.positions, batch.last_position)
        calls = _calls(batch.spans, Masks(self.shape, self.config.heads // self.config.kv_heads))
        return TorchAttending(self.config, cos, sin, batch.slots, calls, pool)


@dataclass(frozen=True, slots=True)
class TorchAttending:
    """One step of it."""

    config: ModelConfig
    cos: torch.Tensor
    sin: torch.Tensor
    slots: torch.Tensor
    calls: tuple[Call, ...]
    pool: BlockPool

    def __call__(self, layer: int, qkv: torch.Tensor) -> torch.Tensor:
        c = self.config
        parts = qkv.view(qkv.shape[0], -1, c.head_dim)
        query, key, value = torch.split(parts, [c.heads, c.kv_heads, c.kv_heads], dim=1)  # (rows, heads, head_dim)
        rotate(parts[:, : c.heads + c.kv_heads], self.cos, self.sin)
        self.pool.write(layer, self.slots, key, value)
        out = qkv.new_empty(qkv.shape[0], c.heads * c.head_dim)
        for call in self.calls:
            keys, values = self.pool.read(layer, call.where)
            out[call.rows] = attend(query[call.rows], keys, values, call.mask)
        return out


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


def _calls(spans: Sequence[Span], masks: Masks) -> tuple[Call, ...]:
    """Spans by size: a product of many heads is done sooner than many products, and rounds alike."""
    sizes: dict[tuple[int, int], list[Span]] = {}
    for span in spans:
        sizes.setdefault(span.size, []).append(span)
    return tuple(Call.of(alike, masks) for alike in sizes.values())


def attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Grouped-query attention of some spans of tokens, each over its own keys.

    The heads of a group become query rows, so that one read of the keys serves them all.

    Shapes: query (spans × tokens, heads, head_dim); keys, values (kv_heads, spans × key_tokens, head_dim); mask (spans,
    query rows of a key-value head, with padding, key_tokens); result (spans × tokens, heads × head_dim).
    """
    rows, heads, head_dim = query.shape
    spans, padded, key_tokens = mask.shape
    kv_heads, tokens = keys.shape[0], rows // spans
    grouped = query.view(spans, tokens, kv_heads, -1, head_dim).permute(2, 0, 1, 3, 4)
    grouped = grouped.reshape(kv_heads, spans, -1, head_dim)
    used = grouped.shape[2]
    if used < padded:
        grouped = F.pad(grouped, (0, 0, 0, padded - used))
    of_span = (kv_heads, spans, key_tokens, head_dim)
    product = _fused if query.is_cuda else _in_two_products
    out = product(grouped, keys.view(of_span), values.view(of_span), mask)[:, :, :used]
    by_token = out.reshape(kv_heads, spans, tokens, -1, head_dim).permute(1, 2, 0, 3, 4)
    return by_token.reshape(rows, heads * head_dim)


def _fused(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention in one kernel. Shapes: (kv_heads, spans, rows, head_dim)."""
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)


def _in_two_products(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention as two products around a softmax in float32, which on a CPU takes half the fused kernel's time.

    960 tokens of the 4B shape, a layer on two cores: 190 µs against 430 for one row, 3.1 ms against 8.5 for 64.
    """
    scores = torch.matmul(query, keys.contiguous().transpose(2, 3)).float().mul_(query.shape[-1] ** -0.5).add_(mask)
    return torch.matmul(scores.softmax(-1).to(values.dtype), values)
