"""One decoder for every supported architecture: what differs between them is in the parts that it is built from.

Knows no tokens' text, no sampling and no requests. Built by loader.py, stepped by runner.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.batch import Batch, Work
from npc_sdk.engine.local.block_pool import BlockPool, CacheShape
from npc_sdk.engine.local.config import ModelConfig
from npc_sdk.engine.local.int4 import Int4Linear
from npc_sdk.engine.local.layers import Embedding, Linear, Norm, Rotary, attend, rotate


@dataclass(frozen=True, slots=True)
class Block:
    """One layer. qkv and up may be several projections of the checkpoint in one."""

    attention_norm: Norm
    qkv: Linear
    out: Linear
    mlp_norm: Norm
    up: Linear
    activation: Callable[[torch.Tensor], torch.Tensor]
    down: Linear


@dataclass(frozen=True, slots=True)
class Step:
    """What all layers share while some rows pass through."""

    cos: torch.Tensor
    sin: torch.Tensor
    batch: Batch
    pool: BlockPool


@dataclass(frozen=True, slots=True)
class Decoder:
    """The model. Not thread-safe: one thread steps it."""

    config: ModelConfig
    cache_shape: CacheShape
    embedding: Embedding
    blocks: tuple[Block, ...]
    final_norm: Norm
    head: Linear
    rotary: Rotary

    @property
    def step_bytes(self) -> int:
        """Bytes of weights that one decode step reads: with the memory's bandwidth, the limit of its speed."""
        parts = [part for block in self.blocks for part in (block.qkv, block.out, block.up, block.down)]
        return sum(part.byte_count for part in (*parts, self.head))

    def close(self) -> None:
        """Lets the embedding's file go; the decoder cannot step any more."""
        self.embedding.close()

    @property
    def has_wide(self) -> bool:
        """Whether long prompts can take a faster kernel, with another rounding, than single tokens."""
        block = self.blocks[0]
        return any(isinstance(p, Int4Linear) and p.has_wide for p in (block.qkv, block.out, block.up, block.down))

    @property
    def is_same_with_any_threads(self) -> bool:
        """Whether the number of CPU threads changes no rounding: float32 products in full precision share out sums."""
        parts = (self.blocks[0].qkv, self.head)
        is_exact = self.cache_shape.dtype != torch.float32 or all(isinstance(part, Int4Linear) for part in parts)
        return is_exact and self.cache_shape.device.type == "cpu"

    def batch(self, works: Sequence[Work]) -> Batch:
        """Lays out one step."""
        return Batch.of(works, self.cache_shape, self.config.heads // self.config.kv_heads)

    def hidden(self, batch: Batch, pool: BlockPool, between_layers: Callable[[], None]) -> torch.Tensor:
        """Passes rows through all layers. Mutates: the pool, at the rows' slots. Shapes: (rows, hidden)."""
        cos, sin = self.rotary.angles(batch.positions, batch.last_position)
        step = Step(cos, sin, batch, pool)
        x = self.embedding(batch.ids)
        for index, block in enumerate(self.blocks):
            x = x + self._attention(block, index, x, step)
            up = block.activation(block.up(block.mlp_norm(x), batch.wide_rows))
            x = x + block.down(up, batch.wide_rows)
            between_layers()
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of every token after each row; pass only the rows that are needed. Shapes: (rows, vocab)."""
        return self.head(self.final_norm(hidden))

    def _attention(self, block: Block, index: int, x: torch.Tensor, step: Step) -> torch.Tensor:
        """One layer's attention, each sequence over its own blocks. Mutates: the pool's layer."""
        c, batch = self.config, step.batch
        parts = block.qkv(block.attention_norm(x), batch.wide_rows).view(x.shape[0], -1, c.head_dim)
        query, key, value = torch.split(parts, [c.heads, c.kv_heads, c.kv_heads], dim=1)  # (rows, heads, head_dim)
        rotate(parts[:, : c.heads + c.kv_heads], step.cos, step.sin)
        step.pool.write(index, batch.slots, key, value)
        out = x.new_empty(x.shape[0], c.heads * c.head_dim)
        for call in batch.calls:
            keys, values = step.pool.read(index, call.where)
            out[call.rows] = attend(query[call.rows], keys, values, call.mask)
        return block.out(out, batch.wide_rows)
