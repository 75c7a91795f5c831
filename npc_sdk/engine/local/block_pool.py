"""The memory for keys and values: blocks of a fixed number of tokens, counted references, one allocation a layer.

Knows neither tokens nor requests: kv_cache.py holds a sequence's blocks, prefix_cache.py those that are kept.
Not thread-safe: the model's thread owns it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from npc_sdk.engine.local.int8_cache import dequantize, quantize
from npc_sdk.errors import EngineError

# One attention call covers a block of queries. 32 would double the calls of a prefill to save half a block of memory a
# sequence. It is also from where on int4_wide.py gains: whole blocks of a prompt are computed there.
BLOCK_TOKENS = 64


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What the caches of one model have in common. dtype is what the model computes in, whatever is_int8 stores."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device
    is_int8: bool = False

    @property
    def parts(self) -> tuple[tuple[torch.dtype, int], ...]:
        """What a token leaves in a layer, by type and numbers a head: key and value, and the scales of their codes."""
        if self.is_int8:
            return (torch.int8, self.head_dim), (torch.int8, self.head_dim), (self.dtype, 1), (self.dtype, 1)
        return (self.dtype, self.head_dim), (self.dtype, self.head_dim)

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes over all layers."""
        return self.layers * self.kv_heads * sum(dtype.itemsize * width for dtype, width in self.parts)

    @property
    def block_bytes(self) -> int:
        """Bytes of one block."""
        return BLOCK_TOKENS * self.token_bytes

    def allocate(self, tokens: int, device: torch.device) -> list[list[torch.Tensor]]:
        """Room for some tokens, not zeroed: a tensor a layer for each of the parts.

        Shapes: each (kv_heads, tokens, width).
        """
        return [
            [torch.empty(self.kv_heads, tokens, width, dtype=dtype, device=device) for _ in range(self.layers)]
            for dtype, width in self.parts
        ]


class PoolFull(EngineError):
    """No block is free; the runner answers it by taking one from somebody less urgent, so no caller ever sees it."""


def blocks_for(tokens: int) -> int:
    """Blocks that hold so many tokens."""
    return -(-tokens // BLOCK_TOKENS)


class BlockPool:
    """Blocks by number. keys and values hold a tensor a layer: the numbers, or their codes where the shape is_int8.

    A kept block is held by the prefix tree among others, and idle while by nobody else.

    Shapes: each (kv_heads, blocks × BLOCK_TOKENS, head_dim): neighbouring blocks are one stretch of tokens, and a
    head's tokens lie together, which the attention's products read twice as fast as tokens' heads.
    """

    def __init__(self, shape: CacheShape, blocks: int) -> None:
        self.shape = shape
        self.blocks = blocks
        # Untouched memory of a large allocation is not resident on a CPU: the pool grows as blocks are first used.
        self.keys, self.values, *self._scales = shape.allocate(blocks * BLOCK_TOKENS, shape.device)
        self._references = [0] * blocks
        self._free = set(range(blocks))
        self._kept: set[int] = set()
        self._idle: OrderedDict[int, None] = OrderedDict()  # the longest idle first

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All that is stored: the layers' keys, values, then their scales where there are some."""
        return (*self.keys, *self.values, *(scales for side in self._scales for scales in side))

    def layer(self, index: int) -> tuple[torch.Tensor, ...]:
        """A layer's keys and values, and their scales where there are some."""
        return (self.keys[index], self.values[index], *(scales[index] for scales in self._scales))

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    @property
    def idle_blocks(self) -> int:
        """Kept blocks that nobody runs on."""
        return len(self._idle)

    @property
    def longest_idle(self) -> int | None:
        """The idle block that was used least recently."""
        return next(iter(self._idle), None)

    def references(self, block: int) -> int:
        """How many hold a block."""
        return self._references[block]

    def allocate(self, after: int | None, wanted: int = 1) -> int:
        """A free block with one reference: the next in memory where it is free, else one with room behind it.

        wanted counts the blocks that the caller will ask for in a row, this one among them.

        Mutates: the block, which reads as zeros: attention multiplies what lies behind a sequence's end by 0, and
        0 times a stale NaN is not 0.
        Raises: PoolFull.
        """
        if not self._free:
            raise PoolFull(f"all {self.blocks} blocks are in use", hint="raise cache_bytes")
        block = after + 1 if after is not None and after + 1 in self._free else self._roomy(wanted)
        self._free.remove(block)
        self._references[block] = 1
        rows = block_rows(block)
        for side in self._scales or (self.keys, self.values):  # whatever a code says, a scale of 0 makes it 0
            for layer in side:
                layer[:, rows].zero_()
        return block

    def retain(self, block: int) -> None:
        """One more holder. Mutates: references."""
        assert self._references[block] > 0, f"block {block} is free"
        self._references[block] += 1
        self._idle.pop(block, None)

    def release(self, block: int) -> None:
        """One holder fewer; the last one frees it. Mutates: references, what is idle."""
        assert self._references[block] > 0, f"block {block} is free already"
        self._references[block] -= 1
        if not self._references[block]:
            self._free.add(block)
        elif self._references[block] == 1 and block in self._kept:
            self._idle[block] = None

    def keep(self, block: int) -> None:
        """The prefix tree holds a block too, which somebody runs on. Mutates: references."""
        assert block not in self._kept, f"block {block} is kept already"
        self.retain(block)
        self._kept.add(block)

    def let_go(self, block: int) -> None:
        """The prefix tree holds a block no longer. Mutates: references, what is idle."""
        self._kept.remove(block)
        self._idle.pop(block, None)
        self.release(block)

    def write(self, layer: int, slots: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        """Stores a layer's keys and values of some tokens. Mutates: the pool's rows.

        Shapes: slots (tokens,); key, value (tokens, kv_heads, head_dim).
        """
        if self._scales:
            heads = self.shape.kv_heads
            codes, scales = quantize(torch.cat((key, value), dim=1))  # together: a step of few rows pays for each call
            key, value = codes[:, :heads], codes[:, heads:]
            self._scales[0][layer].index_copy_(1, slots, scales[:, :heads].transpose(0, 1))
            self._scales[1][layer].index_copy_(1, slots, scales[:, heads:].transpose(0, 1))
        self.keys[layer].index_copy_(1, slots, key.transpose(0, 1))
        self.values[layer].index_copy_(1, slots, value.transpose(0, 1))

    def read(self, layer: int, where: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's keys and values at a stretch of rows, or of some blocks by number, as the model computes with them.

        Shapes: both (kv_heads, tokens, head_dim); views of the pool for a stretch that is not int8.
        """
        keys, values = _rows(self.keys[layer], where), _rows(self.values[layer], where)
        if not self._scales:
            return keys, values
        key_scales, value_scales = (_rows(side[layer], where) for side in self._scales)
        return dequantize(keys, key_scales), dequantize(values, value_scales)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """The first tokens of a block into another. Mutates: target."""
        to, at = block_rows(target, tokens), block_rows(source, tokens)
        for tensor in self.tensors:
            tensor[:, to] = tensor[:, at]

    def gather(self, slots: Sequence[int]) -> tuple[torch.Tensor, ...]:
        """Some tokens' rows as they are stored, copied to the CPU, in the order of tensors.

        Shapes: each (kv_heads, tokens, width).
        """
        index = torch.tensor(slots, dtype=torch.long, device=self.shape.device)
        return tuple(tensor.index_select(1, index).cpu() for tensor in self.tensors)

    def scatter(self, slots: Sequence[int], rows: Sequence[torch.Tensor]) -> None:
        """Puts back what gather() gave. Mutates: the pool's rows."""
        index = torch.tensor(slots, dtype=torch.long, device=self.shape.device)
        for tensor, part in zip(self.tensors, rows, strict=True):
            tensor.index_copy_(1, index, part.to(tensor.device))

    def close(self) -> None:
        """Frees the memory; the blocks cannot be used any more."""
        self.keys, self.values, self._scales = [], [], []

    def check_integrity(self) -> None:
        """Raises: AssertionError where counts and sets disagree."""
        unheld = {block for block, count in enumerate(self._references) if count == 0}
        assert unheld == self._free, f"free but held, or held but free: {sorted(unheld ^ self._free)}"
        assert min(self._references, default=0) >= 0, "a block was released more often than it was held"
        idle = {block for block in self._kept if self._references[block] == 1}
        assert idle == set(self._idle), f"idle but held, or unheld but not idle: {sorted(idle ^ set(self._idle))}"

    def _roomy(self, wanted: int) -> int:
        """A place in the longest free stretch: its middle, but for an untouched end, so that neighbours both grow.

        Nearer its start where less than what is wanted would fit behind the middle.
        """
        best_start, best_length, start = 0, 0, None
        for block in range(self.blocks + 1):
            if block in self._free:
                start = block if start is None else start
            elif start is not None:
                if block - start > best_length:
                    best_start, best_length = start, block - start
                start = None
        is_behind_somebody = best_start > 0
        return best_start + max(0, min(best_length // 2, best_length - wanted)) if is_behind_somebody else best_start


def block_rows(block: int, tokens: int = BLOCK_TOKENS) -> slice:
    """The pool's rows of a block's first tokens."""
    return slice(block * BLOCK_TOKENS, block * BLOCK_TOKENS + tokens)


def _rows(rows: torch.Tensor, where: slice | torch.Tensor) -> torch.Tensor:
    """A stretch in place, or the rows of some blocks, copied together. Shapes: (kv_heads, tokens, width)."""
    if isinstance(where, slice):
        return rows[:, where]
    blocks = rows.view(rows.shape[0], -1, BLOCK_TOKENS, rows.shape[2]).index_select(1, where)
    return blocks.flatten(1, 2)
