"""Four-bit weights: group-wise quantization, the plain form on disk, and a Linear over ATen's int4 kernels.

weight = (code - 8) * scale + zero for each group of columns. On disk two codes a byte, the even column in the low half.
Packed layouts differ by device and CPU, so packing happens at load. Used by quantize.py and the loader.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from npc_sdk.engine.local import int4_wide, page_memory
from npc_sdk.errors import ModelFormatError

GROUP_SIZES = (32, 64, 128)
ROW_MULTIPLE = 16  # the kernels want whole tiles of output rows
PACK_ROWS = 128  # rows packed at once: a multiple of every CPU's tile, small enough for the cache
CLIP_RATIOS = (1.0, 0.95, 0.9, 0.85, 0.8)
LEVELS = 15


@dataclass(frozen=True, slots=True)
class Int4Rows:
    """Quantized rows in the plain form. Shapes: codes (rows, columns / 2) uint8; scale and zero (rows, groups) bf16."""

    codes: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor


def fitting_group_size(columns: int, wanted: int) -> int:
    """The largest group size up to the wanted one that divides the columns. Raises: ModelFormatError."""
    for size in sorted(GROUP_SIZES, reverse=True):
        if size <= wanted and columns % size == 0:
            return size
    hint = f"int4 needs layer widths that {GROUP_SIZES[0]} divides; run this checkpoint unquantized"
    raise ModelFormatError(f"a layer of width {columns} has no int4 group size up to {wanted}", hint=hint)


def quantize_rows(weight: torch.Tensor, group_size: int) -> Int4Rows:
    """Rows to four bits; each group's range is clipped where that lowers its squared error.

    Shapes: weight (rows, columns), group_size divides the columns.
    """
    groups = weight.float().view(weight.shape[0], -1, group_size)
    low, high = groups.amin(2), groups.amax(2)
    best = _quantize_range(groups, low, high)
    best_error = _squared_error(groups, *best)
    for ratio in CLIP_RATIOS[1:]:
        trial = _quantize_range(groups, low * ratio, high * ratio)
        error = _squared_error(groups, *trial)
        is_better = error < best_error
        best_error = torch.where(is_better, error, best_error)
        best = (
            torch.where(is_better[..., None], trial[0], best[0]),
            torch.where(is_better, trial[1], best[1]),
            torch.where(is_better, trial[2], best[2]),
        )
    codes, scale, zero = best
    return Int4Rows(join_nibbles(codes.view(weight.shape).to(torch.uint8)), scale, zero)


def _quantize_range(
    groups: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes (still float), scale and zero for given ranges; codes are fitted to the rounded scale and zero."""
    scale = ((high - low) / LEVELS).clamp_min(1e-8).to(torch.bfloat16)
    zero = (low + scale.float() * 8).to(torch.bfloat16)
    codes = ((groups - zero.float()[..., None]) / scale.float()[..., None] + 8).round_().clamp_(0, LEVELS)
    return codes, scale, zero


def _squared_error(groups: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor) -> torch.Tensor:
    """The error of each group."""
    return ((codes - 8) * scale.float()[..., None] + zero.float()[..., None] - groups).square_().sum(2)


def dequantize_rows(rows: Int4Rows) -> torch.Tensor:
    """The float32 weights that the codes stand for. Shapes: (rows, columns)."""
    codes = split_nibbles(rows.codes).float().view(*rows.scale.shape, -1)
    weight = (codes - 8) * rows.scale.float()[..., None] + rows.zero.float()[..., None]
    return weight.view(rows.codes.shape[0], -1)


def join_nibbles(codes: torch.Tensor) -> torch.Tensor:
    """Two codes a byte. Shapes: uint8 (rows, columns) to (rows, columns / 2)."""
    return codes[:, 0::2] | (codes[:, 1::2] << 4)


def split_nibbles(joined: torch.Tensor) -> torch.Tensor:
    """One code an int32. Shapes: uint8 (rows, columns / 2) to (rows, columns)."""
    codes = torch.empty(*joined.shape, 2, dtype=torch.int32, device=joined.device)
    codes[..., 0] = joined & 15
    codes[..., 1] = joined >> 4
    return codes.view(joined.shape[0], -1)


def quantize_embedding(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows to eight bits, symmetric, one scale a row. Shapes: int8 (rows, columns) and float32 (rows,)."""
    weight = weight.float()
    scale = (weight.abs().amax(1) / 127).clamp_min(1e-12)
    return (weight / scale[:, None]).round_().to(torch.int8), scale


def padded_rows(rows: int) -> int:
    """Rows up to the kernels' next whole tile."""
    return -(-rows // ROW_MULTIPLE) * ROW_MULTIPLE


class Int4Linear:
    """y = x Wᵀ + b with W in four bits, packed for one device. Shapes: x (tokens, columns) to (tokens, rows)."""

    def __init__(
        self, packed: torch.Tensor, scales_and_zeros: torch.Tensor, rows: int, bias: torch.Tensor | None
    ) -> None:
        self._packed = packed
        self._scales_and_zeros = scales_and_zeros
        self._group_size = packed_columns(packed) // scales_and_zeros.shape[0]
        self._rows = rows
        self._bias = bias
        self._has_wide = self.has_wide

    @property
    def byte_count(self) -> int:
        """Bytes of weights that a decode step reads."""
        return self._packed.nbytes + self._scales_and_zeros.nbytes

    @property
    def has_wide(self) -> bool:
        """Whether rows can take the wide kernel."""
        is_plain = self._packed.device.type == "cpu" and self._scales_and_zeros.dtype == torch.bfloat16
        return is_plain and int4_wide.fits(self._packed.shape[0])

    @property
    def is_same_with_any_threads(self) -> bool:
        """A thread's share is whole rows of weights."""
        return True

    def __call__(self, x: torch.Tensor, wide_rows: int = 0) -> torch.Tensor:
        if wide_rows and self._has_wide:
            wide = int4_wide.multiply(x[:wide_rows], self._packed, self._scales_and_zeros)
            y = wide if wide_rows == x.shape[0] else torch.cat((wide, self._narrow(x[wide_rows:])))
        else:
            y = self._narrow(x)
        y = y[:, : self._rows]
        return y if self._bias is None else y + self._bias

    def _narrow(self, x: torch.Tensor) -> torch.Tensor:
        """The int4 kernel's product."""
        op = torch.ops.aten._weight_int4pack_mm if x.is_cuda else torch.ops.aten._weight_int4pack_mm_for_cpu
        y: torch.Tensor = op(x.contiguous(), self._packed, self._group_size, self._scales_and_zeros)
        return y

    @classmethod
    def pack(
        cls, plain: Int4Rows, rows: int, bias: torch.Tensor | None, *, device: torch.device, dtype: torch.dtype
    ) -> Int4Linear:
        """Packs plain rows, padded to a whole tile, of which the first ``rows`` count. Mutates: plain.codes."""
        scales_and_zeros = torch.stack([plain.scale.t(), plain.zero.t()], dim=-1).to(device, dtype).contiguous()
        if device.type == "cuda":
            return cls(pack_for_cuda(plain.codes.to(device)), scales_and_zeros, rows, bias)
        return cls(pack_for_cpu(plain.codes), page_memory.keep(scales_and_zeros), rows, bias)


def packed_columns(packed: torch.Tensor) -> int:
    """The width of the weight behind a packed tensor, CPU or CUDA layout."""
    if packed.ndim == 2:
        return packed.shape[1] * 2
    return packed.shape[1] * packed.shape[3] * 2 * 16  # (rows / 8, columns / tiles / 16, 32, tiles / 2)


def pack_for_cpu(codes: torch.Tensor) -> torch.Tensor:
    """The CPU kernel's layout, written over the plain codes block by block: both have the same size. Mutates: codes."""
    if int4_wide.fits(codes.shape[0]):
        int4_wide.pack(codes)
        return codes
    for first in range(0, codes.shape[0], PACK_ROWS):
        block = codes[first : first + PACK_ROWS]
        block.copy_(torch.ops.aten._convert_weight_to_int4pack_for_cpu(split_nibbles(block), 1))
    return codes


def pack_for_cuda(codes: torch.Tensor) -> torch.Tensor:
    """The tinygemm layout, which wants the even column in the high half of the byte."""
    columns = codes.shape[1] * 2
    inner_tiles = next((tiles for tiles in (8, 4, 2) if columns % (tiles * 16) == 0), 0)
    if not inner_tiles:
        hint = "run it on the CPU, or unquantized"
        raise ModelFormatError(f"the CUDA int4 kernel cannot run a layer of width {columns}", hint=hint)
    packed: torch.Tensor = torch.ops.aten._convert_weight_to_int4pack((codes << 4) | (codes >> 4), inner_tiles)
    return packed
