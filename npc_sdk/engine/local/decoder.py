"""One decoder for every supported architecture: what differs between them is in the parts that it is built from.

Knows no tokens' text, no sampling and no requests. Built by loader.py, stepped by runner.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.attention import Attention
from npc_sdk.engine.local.batch import Batch, Work
from npc_sdk.engine.local.block_pool import BlockPool, CacheShape
from npc_sdk.engine.local.config import ModelConfig
from npc_sdk.engine.local.layers import Embedding, Projection, Rotary


@dataclass(frozen=True, slots=True)
class Block:
    """One layer. qkv and up begin with the norm before them, down with the activation.

    qkv and up may be several projections of the checkpoint in one.
    """

    qkv: Projection
    out: Projection
    up: Projection
    down: Projection


@dataclass(frozen=True, slots=True)
class Decoder:
    """The model. Not thread-safe: one thread steps it."""

    config: ModelConfig
    cache_shape: CacheShape
    embedding: Embedding
    blocks: tuple[Block, ...]
    head: Projection
    rotary: Rotary
    attention: Attention

    @property
    def step_bytes(self) -> int:
        """Bytes of weights that one decode step reads: with the memory's bandwidth, the limit of its speed."""
        return sum(part.byte_count for part in self._parts)

    def close(self) -> None:
        """Lets the embedding's file go; the decoder cannot step any more."""
        self.embedding.close()

    @property
    def has_wide(self) -> bool:
        """Whether long prompts can take a faster kernel, with another rounding, than single tokens."""
        return any(part.has_wide for part in self._parts[:-1])

    @property
    def is_same_with_any_threads(self) -> bool:
        """Whether the number of CPU threads changes no rounding."""
        return self.cache_shape.device.type == "cpu" and all(part.is_same_with_any_threads for part in self._parts)

    @property
    def _parts(self) -> list[Projection]:
        """Every projection, the head last."""
        return [*(part for one in self.blocks for part in (one.qkv, one.out, one.up, one.down)), self.head]

    def batch(self, works: Sequence[Work]) -> Batch:
        """Lays out one step."""
        return Batch.of(works, self.cache_shape.device)

    def hidden(self, batch: Batch, pool: BlockPool, between_layers: Callable[[], None]) -> torch.Tensor:
        """Passes rows through all layers. Mutates: the pool, at the rows' slots. Shapes: (rows, hidden)."""
        attended = self.attention.begin(batch, pool, self.rotary)
        x = self.embedding(batch.ids)
        for index, block in enumerate(self.blocks):
            x = block.out(attended(index, block.qkv(x, batch.wide_rows)), batch.wide_rows, x)
            x = block.down(block.up(x, batch.wide_rows), batch.wide_rows, x)
            between_layers()
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of every token after each row; pass only the rows that are needed. Shapes: (rows, vocab)."""
        return self.head(hidden)
