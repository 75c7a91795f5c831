"""The parts of a decoder as plain callables: norms, linears, embeddings, rotary positions, attention.

They hold tensors and know neither checkpoints nor requests. Used by decoder.py; built by loader.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
import torch.nn.functional as F

from npc_sdk.engine.local.config import Llama3Scaling, RopeConfig

ROTARY_STEP = 1024


Operation: TypeAlias = Callable[[torch.Tensor], torch.Tensor]  # on the last side: a norm, an activation


class Linear(Protocol):
    """A matrix, in any precision; a row's result does not depend on the rows beside it.

    wide_rows at the front may take a kernel for many rows, with another rounding, where has_wide.

    Shapes: (tokens, columns) to (tokens, rows).
    """

    @property
    def byte_count(self) -> int: ...

    @property
    def has_wide(self) -> bool: ...

    @property
    def is_same_with_any_threads(self) -> bool: ...

    def __call__(self, x: torch.Tensor, wide_rows: int = 0) -> torch.Tensor: ...


class Projection(Linear, Protocol):
    """A matrix with what is done before it, and perhaps a residual that its result is added to."""

    def __call__(self, x: torch.Tensor, wide_rows: int = 0, residual: torch.Tensor | None = None) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class InSteps:
    """A projection whose parts are done one after the other."""

    before: Operation | None
    linear: Linear

    @property
    def byte_count(self) -> int:
        """Bytes of weights that a decode step reads."""
        return self.linear.byte_count

    @property
    def has_wide(self) -> bool:
        """Whether long prompts can take a faster kernel, with another rounding, than single tokens."""
        return self.linear.has_wide

    @property
    def is_same_with_any_threads(self) -> bool:
        """Whether the number of CPU threads changes no rounding."""
        return self.linear.is_same_with_any_threads

    def __call__(self, x: torch.Tensor, wide_rows: int = 0, residual: torch.Tensor | None = None) -> torch.Tensor:
        y = self.linear(x if self.before is None else self.before(x), wide_rows)
        return y if residual is None else residual + y


class Embedding(Protocol):
    """Rows for token ids. Shapes: (tokens, hidden)."""

    def __call__(self, ids: Sequence[int]) -> torch.Tensor: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FloatLinear:
    """y = x Wᵀ + b in full precision."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    @property
    def byte_count(self) -> int:
        """Bytes of weights that a decode step reads."""
        return self.weight.nbytes

    @property
    def has_wide(self) -> bool:
        """One kernel for all."""
        return False

    @property
    def is_same_with_any_threads(self) -> bool:
        """float32 products share out their sums."""
        return self.weight.dtype != torch.float32

    def __call__(self, x: torch.Tensor, wide_rows: int = 0) -> torch.Tensor:  # noqa: ARG002 - one kernel for all
        padding = stable_rows(x) - x.shape[0]
        if not padding:
            return F.linear(x, self.weight, self.bias)
        return F.linear(F.pad(x, (0, 0, 0, padding)), self.weight, self.bias)[: x.shape[0]]


@dataclass(frozen=True, slots=True)
class LayerNorm1P:
    """LayerNorm whose stored weight is one less than the factor; weight here is the factor.

    Source: transformers modeling_nemotron.py, NemotronLayerNorm1P.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, slots=True)
class RMSNorm:
    """Scales to unit root mean square, then by weight."""

    weight: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def relu2(up: torch.Tensor) -> torch.Tensor:
    """Squared ReLU. Source: Primer, arXiv 2109.08668."""
    positive = F.relu(up)
    return positive * positive  # four times as fast as square() in bfloat16


def swiglu(gate_and_up: torch.Tensor) -> torch.Tensor:
    """SiLU of the first half times the second. Shapes: (tokens, 2 × width) to (tokens, width)."""
    gate, up = gate_and_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def stable_rows(x: torch.Tensor) -> int:
    """To how many rows a product must be padded so that the number of rows does not change its rounding.

    bfloat16 needs no more. float32 (MKL, seen with 1 and 2 threads) takes other kernels where a thread's share of the
    rows leaves fewer than 4 over; from 64 rows on it shares out columns instead.
    """
    rows = x.shape[0]
    if x.dtype != torch.float32 or x.is_cuda or rows >= 64:
        return rows
    multiple = 4 * torch.get_num_threads()
    return -(-rows // multiple) * multiple


class Rotary:
    """Rotate-half positions on the first dims of each head, from tables that grow with the longest sequence."""

    def __init__(self, rope: RopeConfig, device: torch.device, dtype: torch.dtype) -> None:
        frequencies = rope.theta ** -(torch.arange(0, rope.dims, 2, dtype=torch.float) / rope.dims)
        if rope.scaling:
            frequencies = stretch_llama3(frequencies, rope.scaling)
        self._frequencies = frequencies.to(device)
        self._cos = self._sin = torch.empty(0, rope.dims, dtype=dtype, device=device)

    def angles(self, positions: torch.Tensor, last: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines, shared by all layers; last is the largest position. Shapes: both (tokens, 1, dims)."""
        while last >= self._cos.shape[0]:
            self._grow()
        return self._cos[positions][:, None], self._sin[positions][:, None]

    def _grow(self) -> None:
        """Adds the next positions, in steps of one size. Mutates: the tables."""
        first = self._cos.shape[0]
        device = self._frequencies.device
        positions = torch.arange(first, first + ROTARY_STEP, dtype=torch.float, device=device)
        angles = torch.outer(positions, self._frequencies).repeat(1, 2)
        self._cos = torch.cat((self._cos, angles.cos().to(self._cos.dtype)))
        self._sin = torch.cat((self._sin, angles.sin().to(self._sin.dtype)))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    """Applies positions in place. Mutates: x. Shapes: x (tokens, heads, head_dim); cos and sin (tokens, 1, dims)."""
    turned = x[..., : cos.shape[-1]]
    left, right = turned.chunk(2, dim=-1)
    crossed = torch.cat((-right, left), dim=-1)
    turned.mul_(cos).add_(crossed.mul_(sin))


def stretch_llama3(frequencies: torch.Tensor, scaling: Llama3Scaling) -> torch.Tensor:
    """Slow frequencies divided by the factor, fast ones kept, a ramp between.

    Source: transformers modeling_rope_utils.py, rope type "llama3".
    """
    turns = scaling.original_context_tokens * frequencies / (2 * math.pi)
    span = scaling.high_freq_factor - scaling.low_freq_factor
    kept = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)
    return frequencies * (kept + (1 - kept) / scaling.factor)
