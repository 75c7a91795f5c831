"""A pool with its tree, filled by hand: a desk where sequences write, a shelf that fronts are saved from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.snapshot import Snapshot, put, read_file, take, write_file

SHAPE = CacheShape(layers=2, kv_heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
SHAPES = [pytest.param(SHAPE, id="plain"), pytest.param(replace(SHAPE, is_int8=True), id="int8")]
MODEL = bytes(range(32))
FRONT = list(range(2 * BLOCK_TOKENS + 9))


def write_cache(cache: KVCache, values: list[int]) -> None:
    """Appends tokens whose keys and values are the given numbers."""
    cache.reserve(cache.length + len(values))
    slots = torch.tensor(cache.slots(cache.length, cache.length + len(values)))
    rows = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1).expand(-1, 2, 4)
    for layer in range(SHAPE.layers):
        cache.pool.write(layer, slots, rows + layer, -rows)
    cache.advance(len(values))


def read_cache(cache: KVCache) -> list[int]:
    """The numbers that a cache holds, checked in both layers and behind its end."""
    layers = [cache.pool.read(layer, cache.where(len(cache.blocks))) for layer in range(SHAPE.layers)]
    for layer, (keys, values) in enumerate(layers):
        assert torch.allclose(keys[:, : cache.length] - layer, -values[:, : cache.length], rtol=0, atol=1e-3)
        assert not keys[:, cache.length :].any()
        assert not values[:, cache.length :].any()
    return [round(number) for number in layers[0][0][0, : cache.length, 0].tolist()]


class Desk:
    """A pool with its tree, and leases that fill with their own token numbers."""

    def __init__(self, blocks: int, kept_blocks: int = 100, shape: CacheShape = SHAPE) -> None:
        self.pool = BlockPool(shape, blocks)
        self.tree = PrefixCache(self.pool, kept_blocks * shape.block_bytes)

    def lease(self, tokens: list[int], wide_until: int = 0, *, is_full: bool = True) -> Lease:
        """One that holds what the tree has of these tokens and, if is_full, wrote and published the rest."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens[:-1])
        if is_full:
            assert lease.reserve(len(tokens))
            write_cache(lease.cache, tokens[lease.length :])
            lease.publish(tokens)
        lease.check_integrity()
        return lease

    def put(self, tokens: list[int], wide_until: int = 0) -> None:
        """Has a sequence compute these tokens and end."""
        self.lease(tokens, wide_until).release(tokens)
        self.tree.check_integrity()

    def found(self, tokens: list[int], wide_until: int = 0) -> int:
        """How many of these tokens a new sequence would find, which must hold them."""
        lease = self.lease([*tokens, -1], wide_until, is_full=False)
        assert not lease.length or read_cache(lease.cache) == tokens[: lease.length]
        count = lease.length
        lease.discard()
        self.tree.check_integrity()
        return count


def token_run(first: int, count: int) -> list[int]:
    """So many token numbers that count up from the first."""
    return list(range(first, first + count))


@dataclass
class Shelf:
    """A pool with its tree, filled by hand."""

    pool: BlockPool
    tree: PrefixCache

    @classmethod
    def of(cls, blocks: int = 8, kept_blocks: int = 100, shape: CacheShape = SHAPE) -> Shelf:
        pool = BlockPool(shape, blocks)
        return cls(pool, PrefixCache(pool, kept_blocks * shape.block_bytes))

    def run(self, tokens: list[int], wide_until: int = 0) -> Lease:
        """A sequence that found or computed these tokens: each one's keys are its number."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens)
        assert lease.reserve(len(tokens))
        first, shape = lease.length, self.pool.shape
        if first < len(tokens):
            slots = torch.tensor(lease.cache.slots(first, len(tokens)))
            rows = torch.tensor(tokens[first:], dtype=torch.float32)[:, None, None]
            rows = rows.expand(-1, shape.kv_heads, shape.head_dim)
            for layer in range(shape.layers):
                self.pool.write(layer, slots, rows, rows + layer)
            lease.cache.advance(len(tokens) - first)
        lease.publish(tokens)
        return lease

    def fill(self, tokens: list[int], wide_until: int = 0) -> Shelf:
        self.run(tokens, wide_until).release(tokens)
        return self

    def found(self, tokens: list[int], wide_until: int = 0) -> list[float]:
        """The first keys of what a new sequence would find of these tokens."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens)
        keys = (
            lease.cache.pool.read(0, lease.cache.where(len(lease.cache.blocks)))[0][0, : lease.length, 0]
            if lease.length
            else torch.empty(0)
        )
        lease.discard()
        self.check()
        return [round(number, 3) for number in keys.tolist()]

    def take(self, tokens: list[int] = FRONT, wide_until: int = 0) -> Snapshot:
        return take(self.pool, self.tree, tokens, wide_until)

    def put(self, snapshot: Snapshot) -> int:
        try:
            return put(snapshot, self.pool, self.tree)
        finally:
            self.check()

    def check(self) -> None:
        self.tree.check_integrity()

    @property
    def state(self) -> tuple[int, int, int]:
        return self.pool.free_blocks, self.tree.kept_blocks, len(self.tree)


def save_front(path: Path, tokens: list[int] = FRONT, shape: CacheShape = SHAPE, wide_until: int = 0) -> Path:
    """Writes a file with the front of these tokens, as a shelf of its own holds it."""
    write_file(path, Shelf.of(shape=shape).fill(tokens, wide_until).take(tokens, wide_until), MODEL)
    return path


def read_front(path: Path, *, shape: CacheShape = SHAPE, model: bytes = MODEL, max_tokens: int = 1000) -> Snapshot:
    """Reads such a file, by default as the model that wrote it."""
    return read_file(path, shape, model, max_tokens)
