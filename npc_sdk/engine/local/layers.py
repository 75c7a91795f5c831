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


class Linear(Protocol):
    """A projection, in any precision. Shapes: (tokens, columns) to (tokens, rows)."""

    @property
    def byte_count(self) -> int: ...

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...


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

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight, self.bias)


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
    return F.relu(up).square()


def swiglu(gate_and_up: torch.Tensor) -> torch.Tensor:
    """SiLU of the first half times the second. Shapes: (tokens, 2 × width) to (tokens, width)."""
    gate, up = gate_and_up.chunk(2, dim=-1)
    return F.silu(gate) * up


class Rotary:
    """Rotate-half positions on the first dims of each head."""

    def __init__(self, rope: RopeConfig, device: torch.device) -> None:
        frequencies = rope.theta ** -(torch.arange(0, rope.dims, 2, dtype=torch.float) / rope.dims)
        if rope.scaling:
            frequencies = stretch_llama3(frequencies, rope.scaling)
        self._frequencies = frequencies.to(device)

    def angles(self, first: int, count: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines for positions from first on, shared by all layers. Shapes: both (tokens, dims)."""
        positions = torch.arange(first, first + count, dtype=torch.float, device=self._frequencies.device)
        angles = torch.outer(positions, self._frequencies).repeat(1, 2)
        return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Applies positions. Shapes: x (heads, tokens, head_dim); cos and sin (tokens, dims)."""
    dims = cos.shape[-1]
    turned, rest = x[..., :dims], x[..., dims:]
    left, right = turned.chunk(2, dim=-1)
    turned = turned * cos + torch.cat((-right, left), dim=-1) * sin
    return turned if not rest.shape[-1] else torch.cat((turned, rest), dim=-1)


def stretch_llama3(frequencies: torch.Tensor, scaling: Llama3Scaling) -> torch.Tensor:
    """Slow frequencies divided by the factor, fast ones kept, a ramp between.

    Source: transformers modeling_rope_utils.py, rope type "llama3".
    """
    turns = scaling.original_context_tokens * frequencies / (2 * math.pi)
    span = scaling.high_freq_factor - scaling.low_freq_factor
    kept = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)
    return frequencies * (kept + (1 - kept) / scaling.factor)


def attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Grouped-query attention; the queries are the last tokens of the keys.

    Shapes: query (heads, tokens, head_dim); keys, values (kv_heads, past + tokens, head_dim); result
    (tokens, heads × head_dim); mask (tokens, past + tokens), None for one token or for no past.
    """
    heads, tokens, head_dim = query.shape
    if tokens == 1:  # the heads of a group become query rows: one read of the keys serves them all
        grouped = query.view(1, keys.shape[0], -1, head_dim)
        return F.scaled_dot_product_attention(grouped, keys[None], values[None]).reshape(1, heads * head_dim)
    out = F.scaled_dot_product_attention(
        query[None], keys[None], values[None], attn_mask=mask, is_causal=mask is None, enable_gqa=True
    )
    return out[0].transpose(0, 1).reshape(tokens, heads * head_dim)


def causal_mask(past: int, tokens: int, device: torch.device) -> torch.Tensor | None:
    """Which keys each query may see; None where attend() needs no mask. Shapes: (tokens, past + tokens) bool."""
    if tokens == 1 or past == 0:
        return None
    last_key = torch.arange(past, past + tokens, device=device)
    return torch.arange(past + tokens, device=device)[None] <= last_key[:, None]
