"""Four-bit projections over the compiled kernels: activations in eight bits, norm and activation done on the way in.

A row's result depends neither on the rows beside it nor on threads nor on the CPU's instruction set. bfloat16 in and
out. Made by loader.py where native/library.py has kernels; elsewhere int4.py's do the work.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from npc_sdk.engine.local import page_memory
from npc_sdk.engine.local.int4 import ROW_MULTIPLE, Int4Rows
from npc_sdk.engine.local.layers import LayerNorm1P, Operation, RMSNorm, relu2
from npc_sdk.engine.local.native import library
from npc_sdk.engine.local.native.library import Kernels
from npc_sdk.errors import EngineError


def usable_kernels(device: torch.device, dtype: torch.dtype) -> Kernels | None:
    """The kernels for such a model; None where it takes torch's."""
    return library.kernels() if device.type == "cpu" and dtype == torch.bfloat16 else None


@dataclass(frozen=True, slots=True)
class Before:
    """What a kernel does to its input first, with the tensors that its record points into."""

    record: library.Before
    tensors: tuple[torch.Tensor, ...] = ()

    @classmethod
    def of(cls, operation: Operation | None) -> Before | None:
        """None where the kernels do not know the operation."""
        if operation is None:
            return cls(library.Before(None, None, 0.0, library.NOTHING))
        if operation is relu2:
            return cls(library.Before(None, None, 0.0, library.RELU2))
        if isinstance(operation, LayerNorm1P):
            weight, bias = operation.weight.float(), operation.bias.float()
            record = library.Before(weight.data_ptr(), bias.data_ptr(), operation.eps, library.LAYER_NORM)
            return cls(record, (weight, bias))
        if isinstance(operation, RMSNorm):
            weight = operation.weight.float()
            return cls(library.Before(weight.data_ptr(), None, operation.eps, library.RMS_NORM), (weight,))
        return None


class Int4CpuProjection:
    """y = before(x) Wᵀ + b + residual, with W in four bits. Shapes: x (tokens, columns) to (tokens, rows).

    Source of the arithmetic: native/kernels.h.
    """

    has_wide = False
    is_same_with_any_threads = True

    def __init__(
        self,
        kernels: Kernels,
        plain: Int4Rows,
        rows: int,
        bias: torch.Tensor | None,
        operation: Operation | None = None,
    ) -> None:
        """Packs plain rows, padded to a whole tile, of which the first ``rows`` count. Mutates: plain.codes."""
        self._kernels = kernels
        self._codes = plain.codes
        self._columns = plain.codes.shape[1] * 2
        self._group = self._columns // plain.scale.shape[1]
        self._rows = rows
        if kernels.pack(plain.codes.data_ptr(), plain.codes.shape[0], self._columns, torch.get_num_threads()):
            raise EngineError(
                "no memory to pack a layer's weights", hint="close other programs, or take a smaller model"
            )
        self._scales = page_memory.keep(_by_block(plain))
        self._bias = None if bias is None else bias.float()
        before = Before.of(operation)
        self._operation = operation if before is None else None  # what is left to do before the kernel
        self._before = before or Before(library.Before(None, None, 0.0, library.NOTHING))
        pointers = (
            tensor.data_ptr() if tensor is not None else None for tensor in (self._codes, self._scales, self._bias)
        )
        self._weight = library.Weight(*pointers, rows, self._columns, self._group)

    @property
    def byte_count(self) -> int:
        """Bytes of weights that a decode step reads."""
        return self._codes.nbytes + self._scales.nbytes

    def __call__(self, x: torch.Tensor, wide_rows: int = 0, residual: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG002 - one kernel for all
        x = (x if self._operation is None else self._operation(x)).contiguous()
        tokens, threads = x.shape[0], torch.get_num_threads()
        y = x.new_empty(tokens, self._rows)
        room = torch.empty(self._kernels.room(tokens, self._columns, self._group, threads), dtype=torch.uint8)
        self._kernels.multiply(
            ctypes.byref(self._weight),
            ctypes.byref(self._before.record),
            x.data_ptr(),
            tokens,
            y.data_ptr(),
            None if residual is None else residual.contiguous().data_ptr(),
            room.data_ptr(),
            threads,
            self._kernels.level,
        )
        return y


def _by_block(plain: Int4Rows) -> torch.Tensor:
    """Scales and zeros as the kernel reads them. Shapes: (rows / 16, groups, 2, 16)."""
    parts = [part.view(-1, ROW_MULTIPLE, part.shape[1]).transpose(1, 2) for part in (plain.scale, plain.zero)]
    return torch.stack(parts, dim=2)
