"""Decode steps as CUDA graphs: a few numbers of replies and lengths of context, each recorded once and replayed.

What fits no graph goes the eager way, whose attention rounds otherwise. Written for decoder.py's layers. Its arithmetic
and its choices are tested on a CPU; no card has run it yet. Made by engine.py for the model's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F

from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, blocks_for
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.layers import rotate

GRAPH_ROWS = (1, 2, 4, 8)
BLOCK_STEP = 4  # from one length of context to the next: at most so many times too much is read
LEAST_BLOCKS = 4
WARM_RUNS = 3  # kernels are chosen and workspaces made before a recording, which allows neither

Forward: TypeAlias = Callable[[], torch.Tensor]
Capture: TypeAlias = Callable[[Forward], Forward]  # what it gives runs the same again, into the same tensor


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tensors that a graph reads, filled before each replay. The last row is repeated where there are too few:
    the copy writes to its cache what it writes itself.

    Shapes: x (rows, hidden); positions, slots (rows,); tables (rows, blocks) of the pool; the mask is made of lengths
    (rows,), the token that is computed included.
    """

    x: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    tables: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def empty(cls, decoder: Decoder, rows: int, blocks: int) -> Inputs:
        """Inputs that a first run can take: one token each, in block 0."""
        shape = decoder.cache_shape
        x = torch.zeros(rows, decoder.config.hidden_size, dtype=shape.dtype, device=shape.device)
        numbers = [torch.zeros(side, dtype=torch.long, device=shape.device) for side in ((rows,), (rows,))]
        tables = torch.zeros(rows, blocks, dtype=torch.long, device=shape.device)
        return cls(x, numbers[0], numbers[1], tables, torch.ones(rows, dtype=torch.long, device=shape.device))

    def fill(self, works: Sequence[Work], x: torch.Tensor) -> None:
        """Takes a step in. Mutates: all tensors."""
        rows = [*range(len(works)), *[len(works) - 1] * (self.x.shape[0] - len(works))]
        firsts = [work.cache.length for work in works]
        slots = [work.cache.slots(at, at + 1)[0] for work, at in zip(works, firsts, strict=True)]
        tables = [_padded(work.cache.blocks, self.tables.shape[1]) for work in works]
        self.x.copy_(x[rows])
        self.positions.copy_(torch.tensor([firsts[row] for row in rows]))
        self.slots.copy_(torch.tensor([slots[row] for row in rows]))
        self.tables.copy_(torch.tensor([tables[row] for row in rows]))
        self.lengths.copy_(self.positions + 1)


class DecodeGraphs:
    """One recording for each number of rows and of blocks, made when first needed or by warm_up."""

    def __init__(
        self, decoder: Decoder, pool: BlockPool, capture: Capture, *, rows: Sequence[int] = GRAPH_ROWS
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._capture = capture
        self._rows = sorted(rows)
        self._blocks = _block_sizes(blocks_for(decoder.config.context_tokens))
        self._recorded: dict[tuple[int, int], tuple[Inputs, Forward]] = {}
        self._is_plain = pool.keys[0].dtype == decoder.cache_shape.dtype  # codes in eight bits go the eager way

    def size_for(self, works: Sequence[Work]) -> tuple[int, int] | None:
        """Rows and blocks of the smallest graph that takes a step; None where the step is not one token a reply."""
        is_decode = all(len(work.ids) == work.logit_rows == 1 and not work.wide_rows for work in works)
        if not (works and is_decode and self._is_plain):
            return None
        longest = max(blocks_for(work.cache.length + 1) for work in works)
        rows = next((size for size in self._rows if size >= len(works)), None)
        blocks = next((size for size in self._blocks if size >= longest), None)
        return None if rows is None or blocks is None else (rows, blocks)

    @torch.inference_mode()
    def run(self, works: Sequence[Work]) -> torch.Tensor | None:
        """The logits of a step that fits a graph, else None. Mutates: the pool. Shapes: (works, vocab)."""
        size = self.size_for(works)
        if size is None:
            return None
        is_new = size not in self._recorded
        inputs = Inputs.empty(self._decoder, *size) if is_new else self._recorded[size][0]
        inputs.fill(works, self._decoder.embedding([work.ids[0] for work in works]))
        if is_new:
            self._record(size, inputs)
        return self._recorded[size][1]()[: len(works)].clone()  # the next replay overwrites it

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Makes every recording. Mutates: the pool's first row, which must be nobody's yet."""
        for rows in self._rows:
            for blocks in self._blocks:
                if (rows, blocks) not in self._recorded:
                    self._record((rows, blocks), Inputs.empty(self._decoder, rows, blocks))

    def _record(self, size: tuple[int, int], inputs: Inputs) -> None:
        """Records one graph. Its warm runs write, but what the inputs' own step writes."""
        self._decoder.rotary.angles(inputs.positions, self._decoder.config.context_tokens - 1)  # its tables stay put
        self._recorded[size] = inputs, self._capture(lambda: _decode(self._decoder, self._pool, inputs))


def recorded_decode(decoder: Decoder, pool: BlockPool) -> Callable[[Sequence[Work]], torch.Tensor | None] | None:
    """DecodeGraphs.run on a CUDA card; None elsewhere."""
    device = decoder.cache_shape.device
    if device.type != "cuda":
        return None
    return DecodeGraphs(decoder, pool, capture_on(low_priority_stream(device))).run


def capture_on(stream: torch.cuda.Stream) -> Capture:
    """Records on a stream; all recordings share their memory, as no two run at once."""
    memory = torch.cuda.graph_pool_handle()

    def capture(forward: Forward) -> Forward:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_RUNS):
                forward()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=memory, stream=stream):
            result = forward()

        def replay() -> torch.Tensor:
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                graph.replay()
            torch.cuda.current_stream().wait_stream(stream)
            return result

        return replay

    return capture


def low_priority_stream(device: torch.device) -> torch.cuda.Stream:
    """A stream of the lowest priority that CUDA has, 0; a game's work on the same card goes first where it has more."""
    stream: torch.cuda.Stream = torch.cuda.Stream(device, priority=0)  # type: ignore[no-untyped-call]
    return stream


def paged_attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, tables: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """Attention of one query a sequence over blocks found by number, of one shape whatever the lengths.

    Shapes: query (rows, heads, head_dim); keys, values (kv_heads, pool tokens, head_dim); tables (rows, blocks);
    lengths (rows,); result (rows, heads × head_dim).
    """
    rows, heads, head_dim = query.shape
    kv_heads = keys.shape[0]
    grouped = query.view(rows, kv_heads, heads // kv_heads, head_dim)
    places = torch.arange(tables.shape[1] * BLOCK_TOKENS, device=query.device)
    mask = (places < lengths[:, None])[:, None, None]  # (rows, 1, 1, tokens)
    out = F.scaled_dot_product_attention(grouped, _paged(keys, tables), _paged(values, tables), attn_mask=mask)
    return out.reshape(rows, heads * head_dim)


def _paged(pool: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """The blocks of each row. Shapes: (rows, kv_heads, blocks × BLOCK_TOKENS, head_dim)."""
    blocks = pool.view(pool.shape[0], -1, BLOCK_TOKENS, pool.shape[2])
    found = blocks.index_select(1, tables.flatten())
    return found.view(pool.shape[0], tables.shape[0], -1, pool.shape[2]).transpose(0, 1)


def _decode(decoder: Decoder, pool: BlockPool, inputs: Inputs) -> torch.Tensor:
    """One token a row through the model, without a look at any value on the way. Mutates: the pool, at the slots."""
    cos, sin = decoder.rotary.angles(inputs.positions, 0)
    x = inputs.x
    for index, block in enumerate(decoder.blocks):
        x = block.out(_attended(decoder, pool, inputs, index, x, cos, sin), residual=x)
        x = block.down(block.up(x), residual=x)
    return decoder.logits(x)


def _attended(
    decoder: Decoder, pool: BlockPool, inputs: Inputs, index: int, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    """TorchAttending, with blocks by number in place of spans."""
    c, block = decoder.config, decoder.blocks[index]
    parts = block.qkv(x).view(x.shape[0], -1, c.head_dim)
    query, key, value = torch.split(parts, [c.heads, c.kv_heads, c.kv_heads], dim=1)
    rotate(parts[:, : c.heads + c.kv_heads], cos, sin)
    pool.write(index, inputs.slots, key, value)
    return paged_attend(query, pool.keys[index], pool.values[index], inputs.tables, inputs.lengths)


def _padded(blocks: Sequence[int], count: int) -> list[int]:
    """The first blocks, the last one repeated: unlike a free one it holds finite numbers, which a mask can hide."""
    return [*blocks[:count], *[blocks[-1]] * (count - len(blocks))]


def _block_sizes(most: int) -> list[int]:
    """Lengths of context that are recorded, in blocks: a few up to the whole window."""
    sizes = []
    size = LEAST_BLOCKS
    while size < most:
        sizes.append(size)
        size *= BLOCK_STEP
    return [*sizes, most]
