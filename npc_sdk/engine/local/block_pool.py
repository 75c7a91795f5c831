"""The memory for keys and values: blocks of a fixed number of tokens, counted references, one allocation a layer.

Knows neither tokens nor requests: kv_cache.py holds a sequence's blocks, prefix_cache.py those that are kept.
Not thread-safe: the model's thread owns it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from npc_sdk.errors import EngineError

# One attention call covers a block of queries. 32 would double the calls of a prefill to save half a block of memory a
# sequence. It is also from where on int4_wide.py gains: whole blocks of a prompt are computed there.
BLOCK_TOKENS = 64


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What the caches of one model have in common."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize

    @property
    def block_bytes(self) -> int:
        """Bytes of one block."""
        return BLOCK_TOKENS * self.token_bytes


class PoolFull(EngineError):
    """No block is free; the runner answers it by taking one from somebody less urgent, so no caller ever sees it."""


def blocks_for(tokens: int) -> int:
    """Blocks that hold so many tokens."""
    return -(-tokens // BLOCK_TOKENS)


class BlockPool:
    """Blocks by number. keys and values hold a tensor a layer.

    Shapes: each (blocks × BLOCK_TOKENS, kv_heads, head_dim), so that neighbouring blocks are one stretch of tokens.
    """

    def __init__(self, shape: CacheShape, blocks: int) -> None:
        self.shape = shape
        self.blocks = blocks
        side = (blocks * BLOCK_TOKENS, shape.kv_heads, shape.head_dim)
        # Untouched memory of a large allocation is not resident on a CPU: the pool grows as blocks are first used.
        self.keys = [torch.empty(side, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]
        self.values = [torch.empty(side, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]
        self._references = [0] * blocks
        self._free = set(range(blocks))

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def references(self, block: int) -> int:
        """How many hold a block."""
        return self._references[block]

    def allocate(self, after: int | None) -> int:
        """A free block with one reference: the next in memory where it is free, else one with room behind it.

        Mutates: the block, which is zeroed: attention multiplies what lies behind a sequence's end by 0, and
        0 times a stale NaN is not 0.
        Raises: PoolFull.
        """
        if not self._free:
            raise PoolFull(f"all {self.blocks} blocks are in use", hint="raise cache_bytes")
        block = after + 1 if after is not None and after + 1 in self._free else self._roomy()
        self._free.remove(block)
        self._references[block] = 1
        rows = block_rows(block)
        for layer in (*self.keys, *self.values):
            layer[rows].zero_()
        return block

    def retain(self, block: int) -> None:
        """One more holder. Mutates: references."""
        assert self._references[block] > 0, f"block {block} is free"
        self._references[block] += 1

    def release(self, block: int) -> None:
        """One holder fewer; the last one frees it. Mutates: references."""
        assert self._references[block] > 0, f"block {block} is free already"
        self._references[block] -= 1
        if not self._references[block]:
            self._free.add(block)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """The first tokens of a block into another. Mutates: target."""
        to, at = block_rows(target, tokens), block_rows(source, tokens)
        for layer in (*self.keys, *self.values):
            layer[to] = layer[at]

    def close(self) -> None:
        """Frees the memory; the blocks cannot be used any more."""
        self.keys, self.values = [], []

    def check_integrity(self) -> None:
        """Raises: AssertionError where counts and the free set disagree."""
        unheld = {block for block, count in enumerate(self._references) if count == 0}
        assert unheld == self._free, f"free but held, or held but free: {sorted(unheld ^ self._free)}"
        assert min(self._references, default=0) >= 0, "a block was released more often than it was held"

    def _roomy(self) -> int:
        """A place in the longest free stretch: its middle, but for an untouched end, so that neighbours both grow."""
        best_start, best_length, start = 0, 0, None
        for block in range(self.blocks + 1):
            if block in self._free:
                start = block if start is None else start
            elif start is not None:
                if block - start > best_length:
                    best_start, best_length = start, block - start
                start = None
        is_behind_somebody = best_start > 0
        return best_start + best_length // 2 if is_behind_somebody else best_start


def block_rows(block: int, tokens: int = BLOCK_TOKENS) -> slice:
    """The pool's rows of a block's first tokens."""
    return slice(block * BLOCK_TOKENS, block * BLOCK_TOKENS + tokens)
