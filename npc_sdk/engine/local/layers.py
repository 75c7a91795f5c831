"""The parts of a decoder as plain callables: norms, linears, embeddings, rotary positions, attention.

They hold tensors and know neither checkpoints nor requests. Used by decoder.py; built by loader.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from npc_sdk.engine.local.config import Llama3Scaling, RopeConfig

ROTARY_STEP = 1024


class Linear(Protocol):
    """A projection, in any precision; a row's result does not depend on the rows beside it.

    wide_rows at the front may take a kernel for many rows, with another rounding.

    Shapes: (tokens, columns) to (tokens, rows).
    """

    @property
    def byte_count(self) -> int: ...

    def __call__(self, x: torch.Tensor, wide_rows: int = 0) -> torch.Tensor: ...


class Norm(Protocol):
    """A normalisation over the last side."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...


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


def attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Grouped-query attention of some spans of tokens, each over its own keys.

    The heads of a group become query rows, so that one read of the keys serves them all.

    Shapes: query (spans × tokens, heads, head_dim); keys, values (kv_heads, spans × key_tokens, head_dim); mask (spans,
    query rows of a key-value head, with padding, key_tokens); result (spans × tokens, heads × head_dim).
    """
    rows, heads, head_dim = query.shape
    spans, padded, key_tokens = mask.shape
    kv_heads, tokens = keys.shape[0], rows // spans
    grouped = query.view(spans, tokens, kv_heads, -1, head_dim).permute(2, 0, 1, 3, 4)
    grouped = grouped.reshape(kv_heads, spans, -1, head_dim)
    used = grouped.shape[2]
    if used < padded:
        grouped = F.pad(grouped, (0, 0, 0, padded - used))
    of_span = (kv_heads, spans, key_tokens, head_dim)
    product = _fused if query.is_cuda else _in_two_products
    out = product(grouped, keys.view(of_span), values.view(of_span), mask)[:, :, :used]
    by_token = out.reshape(kv_heads, spans, tokens, -1, head_dim).permute(1, 2, 0, 3, 4)
    return by_token.reshape(rows, heads * head_dim)


def _fused(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention in one kernel. Shapes: (kv_heads, spans, rows, head_dim)."""
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)


def _in_two_products(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention as two products around a softmax in float32, which on a CPU takes half the fused kernel's time.

    960 tokens of the 4B shape, a layer on two cores: 190 µs against 430 for one row, 3.1 ms against 8.5 for 64.
    """
    scores = torch.matmul(query, keys.contiguous().transpose(2, 3)).float().mul_(query.shape[-1] ** -0.5).add_(mask)
    return torch.matmul(scores.softmax(-1).to(values.dtype), values)
