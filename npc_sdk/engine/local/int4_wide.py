"""Four-bit weights times many rows: bfloat16 weights restored a few at a time, then a dense product.

The int4 kernel restores a weight for every four rows again; this does it once. Knows one packed layout, that of ATen's
AVX-512 kernel, and proves it before use: is_available() is False elsewhere. Called by int4.py.
"""

from __future__ import annotations

import functools

import torch

TILE = 64  # rows of weights in one packed tile: the low nibbles are its first half, the high ones its second
# 3072 → 4096, one core of an AVX-512 EPYC, ms of this against the int4 kernel: 64 rows 9.4 : 9.3, 256 rows 23 : 39,
# 512 rows 33 : 76. So whole blocks of 64 tokens come here (runner.py), and what is left over takes the other.
PACKED_ROWS = 256  # rows packed at once: their four buffers fit the cache
RESTORED_ROWS = 512  # weights restored at once: 3 MB at the 4B shape's width, still in cache when the product reads it


def fits(weight_rows: int) -> bool:
    """Whether a weight of so many (padded) rows is packed in whole tiles on this CPU."""
    return weight_rows % TILE == 0 and is_available()


@functools.cache
def is_available() -> bool:
    """Whether this CPU packs as this module unpacks: seen on a random weight."""
    codes = torch.randint(0, 16, (2 * TILE, 32), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
    restored = torch.empty(32, 2 * TILE, dtype=torch.bfloat16)
    one, nothing = torch.ones(1, 1, 2 * TILE), torch.zeros(1, 1, 2 * TILE)
    _restore(packed.view(2, 32, TILE // 2), one.bfloat16(), nothing.bfloat16(), restored)
    return torch.equal(restored.t(), (codes - 8).bfloat16())


def pack(codes: torch.Tensor) -> None:
    """Plain codes to the kernel's layout, in place; a third of the time that ATen's own packing takes.

    Mutates: codes. Shapes: codes (rows, columns / 2) uint8, the even column in the low half of a byte.
    """
    for block in torch.split(codes, PACKED_ROWS):
        half_columns = block.shape[1]
        halves = block.view(-1, 2, TILE // 2, half_columns)
        low, high = halves[:, 0], halves[:, 1]
        even = (high << 4).bitwise_or_(low & 15)
        odd = (low >> 4).bitwise_or_(high & 240)
        by_column = block.view(-1, half_columns, 2, TILE // 2)
        by_column[:, :, 0] = even.transpose(1, 2)
        by_column[:, :, 1] = odd.transpose(1, 2)


def multiply(x: torch.Tensor, packed: torch.Tensor, scales_and_zeros: torch.Tensor) -> torch.Tensor:
    """x Wᵀ. A row's result depends on that row alone, not on how many come with it.

    Shapes: x (tokens, columns) bfloat16; packed (rows, columns / 2); scales_and_zeros (groups, rows, 2).
    """
    rows, columns = packed.shape[0], packed.shape[1] * 2
    tiles = packed.view(rows // TILE, columns, TILE // 2)
    y = x.new_empty(x.shape[0], rows)
    weight = x.new_empty(columns * min(RESTORED_ROWS, rows))
    for first in range(0, rows, RESTORED_ROWS):
        last = min(first + RESTORED_ROWS, rows)
        scale, zero = (scales_and_zeros[:, None, first:last, part].contiguous() for part in (0, 1))
        piece = weight[: columns * (last - first)].view(columns, last - first)
        _restore(tiles[first // TILE : last // TILE], scale, zero, piece)
        y[:, first:last] = x @ piece
    return y


def _restore(tiles: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, out: torch.Tensor) -> None:
    """Weights of some tiles, transposed. Mutates: out.

    Shapes: tiles (tiles, columns, TILE / 2) uint8; scale and zero (groups, 1, rows); out (columns, rows).
    """
    halves = out.view(out.shape[0], -1, 2, TILE // 2)
    by_column = tiles.transpose(0, 1)
    halves[:, :, 0] = (by_column & 15).view(torch.int8).sub_(8)
    halves[:, :, 1] = (by_column >> 4).view(torch.int8).sub_(8)
    groups = out.view(scale.shape[0], -1, out.shape[1])
    torch.addcmul(zero, groups, scale, out=groups)
