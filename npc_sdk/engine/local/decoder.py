"""One decoder for every supported architecture: what differs between them is in the parts that it is built from.

Knows no tokens' text, no sampling and no requests. Built by loader.py, stepped by runner.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.config import ModelConfig
from npc_sdk.engine.local.kv_cache import CacheShape, KVCache
from npc_sdk.engine.local.layers import Embedding, Linear, Norm, Rotary, attend, causal_mask, rotate


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
    """What all layers share while some tokens pass through."""

    cos: torch.Tensor
    sin: torch.Tensor
    mask: torch.Tensor | None
    cache: KVCache


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

    def hidden(self, ids: Sequence[int], cache: KVCache) -> torch.Tensor:
        """Passes tokens through all layers. Mutates: cache, which then holds them too. Shapes: (tokens, hidden)."""
        past, tokens = cache.length, len(ids)
        cache.reserve(past + tokens)
        cos, sin = self.rotary.angles(past, tokens, self.cache_shape.dtype)
        step = Step(cos, sin, causal_mask(past, tokens, self.cache_shape.device), cache)
        x = self.embedding(ids)
        for index, block in enumerate(self.blocks):
            x = x + self._attention(block, index, x, step)
            x = x + block.down(block.activation(block.up(block.mlp_norm(x))))
        cache.advance(tokens)
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of every token after each row; pass only the rows that are needed. Shapes: (rows, vocab)."""
        return self.head(self.final_norm(hidden))

    def _attention(self, block: Block, index: int, x: torch.Tensor, step: Step) -> torch.Tensor:
        """One layer's attention over the cache and these tokens. Mutates: the cache's layer."""
        c = self.config
        parts = block.qkv(block.attention_norm(x)).view(x.shape[0], -1, c.head_dim).transpose(0, 1)
        query, key, value = torch.split(parts, [c.heads, c.kv_heads, c.kv_heads])  # (heads, tokens, head_dim)
        query, key = rotate(query, step.cos, step.sin), rotate(key, step.cos, step.sin)
        keys, values = step.cache.write(index, key, value)
        return block.out(attend(query, keys, values, step.mask))
