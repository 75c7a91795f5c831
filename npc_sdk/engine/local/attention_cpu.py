"""Attention over the pool's blocks with the compiled kernels: positions, writing and seeing in one call a layer.

Reads the blocks where they lie, of either type that the pool stores. Made by loader.py where native/library.py has
kernels; elsewhere attention.py does the work.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.attention import Attending
from npc_sdk.engine.local.batch import Batch
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool
from npc_sdk.engine.local.config import ModelConfig
from npc_sdk.engine.local.layers import Rotary
from npc_sdk.engine.local.native import library
from npc_sdk.engine.local.native.library import Kernels

LANES = 16  # the kernels read heads in whole vectors


def fits(config: ModelConfig) -> bool:
    """Whether the kernels know such heads."""
    return config.head_dim % LANES == 0


class CpuAttention:
    """The kernels, and where the pool's layers lie. bfloat16."""

    def __init__(self, kernels: Kernels, config: ModelConfig) -> None:
        self._kernels = kernels
        self._heads = library.Heads(config.heads, config.kv_heads, config.head_dim, config.rope.dims)
        self._pool: BlockPool | None = None
        self._layers: list[library.Pool] = []

    def begin(self, batch: Batch, pool: BlockPool, rotary: Rotary) -> Attending:
        """Lays out where each row reads and writes, for all layers."""
        if self._pool is not pool:
            self._pool, self._layers = pool, [_layer(pool, index) for index in range(pool.shape.layers)]
        spans: list[tuple[int, int, int, int]] = []
        blocks: list[int] = []
        for span in batch.spans:
            spans.append((span.row, span.count, span.first, len(blocks)))
            blocks += span.cache.blocks[: span.blocks]
        tensors = (
            *rotary.angles(batch.positions, batch.last_position),
            batch.slots,
            torch.tensor(spans),
            torch.tensor(blocks),
        )
        rows = library.Rows(*(tensor.data_ptr() for tensor in tensors), len(batch.ids), len(spans))
        threads = torch.get_num_threads()
        room = torch.empty(self._kernels.attention_room(ctypes.byref(self._heads), threads), dtype=torch.uint8)
        return CpuAttending(self._kernels, self._heads, self._layers, rows, tensors, room, threads)


@dataclass(frozen=True, slots=True)
class CpuAttending:
    """One step of it; tensors are what rows points into."""

    kernels: Kernels
    heads: library.Heads
    layers: list[library.Pool]
    rows: library.Rows
    tensors: tuple[torch.Tensor, ...]
    room: torch.Tensor
    threads: int

    def __call__(self, layer: int, qkv: torch.Tensor) -> torch.Tensor:
        out = qkv.new_empty(qkv.shape[0], self.heads.heads * self.heads.head_dim)
        self.kernels.attend(
            ctypes.byref(self.heads),
            ctypes.byref(self.rows),
            ctypes.byref(self.layers[layer]),
            qkv.data_ptr(),
            out.data_ptr(),
            self.room.data_ptr(),
            self.threads,
            self.kernels.level,
        )
        return out


def _layer(pool: BlockPool, index: int) -> library.Pool:
    """Where a layer lies."""
    pointers = [tensor.data_ptr() for tensor in pool.layer(index)]
    return library.Pool(*pointers, *[None] * (4 - len(pointers)), pool.blocks * BLOCK_TOKENS)
