"""Builds a decoder from a model folder: names tensors, fuses projections, packs int4 for the device.

The only place that knows how Hugging Face names a decoder's weights beyond weight_names.py. Called by engine.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import torch

from npc_sdk.engine.local import attention_cpu, page_memory
from npc_sdk.engine.local.attention import Attention, TorchAttention
from npc_sdk.engine.local.attention_cpu import CpuAttention
from npc_sdk.engine.local.block_pool import CacheShape
from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.config import ModelConfig, load_config
from npc_sdk.engine.local.decoder import Block, Decoder
from npc_sdk.engine.local.int4 import GROUP_SIZES, Int4Linear, Int4Rows, padded_rows
from npc_sdk.engine.local.int4_cpu import Int4CpuProjection, usable_kernels
from npc_sdk.engine.local.layers import (
    Embedding,
    FloatLinear,
    InSteps,
    LayerNorm1P,
    Operation,
    Projection,
    RMSNorm,
    Rotary,
    relu2,
    swiglu,
)
from npc_sdk.engine.local.weight_names import EMBEDDING, FINAL_NORM, HEAD, IGNORED_SUFFIX, layer_prefix
from npc_sdk.errors import ModelFormatError, SettingsError

Progress: TypeAlias = Callable[[int, int, str], None]

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def load_decoder(
    folder: Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    has_int8_cache: bool = False,
    on_progress: Progress | None = None,
) -> Decoder:
    """The decoder of a model folder. on_progress gets (parts done, of, name).

    Raises: SettingsError for a device or dtype that cannot be; ModelFormatError for a folder that cannot be loaded.
    """
    config = load_config(folder)
    where = choose_device(device)
    compute_dtype = choose_dtype(config, where, dtype)
    checkpoint = Checkpoint(folder)
    try:
        shape = CacheShape(config.layers, config.kv_heads, config.head_dim, compute_dtype, where, has_int8_cache)
        loader = _Loader(config, checkpoint, shape)
        decoder = loader.load(on_progress or (lambda _done, _total, _name: None))
    except BaseException:
        checkpoint.close()
        raise
    checkpoint.close(keep=loader.embedding_name)
    return decoder


def choose_device(name: str) -> torch.device:
    """The device of a setting; auto takes a CUDA card where one is. Raises: SettingsError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = name.split(":", 1)[0]
    if kind not in ("cpu", "cuda"):
        raise SettingsError(f"device is {name!r}", hint="choose auto, cpu, cuda or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f"device is {name!r}, but torch sees no CUDA card", hint="choose auto or cpu")
    return torch.device(name)


def choose_dtype(config: ModelConfig, device: torch.device, name: str | None) -> torch.dtype:
    """The type to compute in: the setting's, else float32 for a float32 checkpoint, else bfloat16.

    Raises: SettingsError.
    """
    if name is None:
        is_float = config.stored_dtype == "float32" and config.int4_group_size is None
        return torch.float32 if is_float else torch.bfloat16
    if name not in DTYPES:
        raise SettingsError(f"dtype is {name!r}", hint=f"choose {' or '.join(DTYPES)}")
    if name != "bfloat16" and device.type == "cuda" and config.int4_group_size is not None:
        raise SettingsError(f"dtype is {name!r} for int4 weights on CUDA", hint="the kernel there wants bfloat16")
    return DTYPES[name]


class _Loader:
    """One load: the largest tensor goes first, so that what it needs for a moment is free before the rest comes."""

    def __init__(self, config: ModelConfig, checkpoint: Checkpoint, shape: CacheShape) -> None:
        self._config = config
        self._checkpoint = checkpoint
        self._shape = shape
        self._device = shape.device
        self._dtype = shape.dtype

    @property
    def embedding_name(self) -> str:
        """The tensor whose rows are read while the model runs."""
        return EMBEDDING if self._config.int4_group_size is None else f"{EMBEDDING}.int8"

    def load(self, on_progress: Progress) -> Decoder:
        """Reads every tensor but the embedding's rows. Raises: ModelFormatError where a tensor has no use."""
        c = self._config
        head = self._head()
        on_progress(1, c.layers + 1, "head")
        blocks = []
        for index in range(c.layers):
            blocks.append(self._block(layer_prefix(index)))
            on_progress(index + 2, c.layers + 1, f"layer {index}")
        decoder = Decoder(
            config=c,
            cache_shape=self._shape,
            embedding=self._embedding(),
            blocks=tuple(blocks),
            head=head,
            rotary=Rotary(c.rope, self._device, self._dtype),
            attention=self._attention(),
        )
        self._check_all_used()
        return decoder

    def _attention(self) -> Attention:
        """The compiled kernels' where they can."""
        kernels = usable_kernels(self._device, self._dtype)
        if kernels is not None and attention_cpu.fits(self._config):
            return CpuAttention(kernels, self._config)
        return TorchAttention(self._config, self._shape)

    def _block(self, prefix: str) -> Block:
        c = self._config
        attention, mlp = f"{prefix}self_attn.", f"{prefix}mlp."
        kv_rows = c.kv_heads * c.head_dim
        qkv = [
            (f"{attention}q_proj", c.heads * c.head_dim),
            (f"{attention}k_proj", kv_rows),
            (f"{attention}v_proj", kv_rows),
        ]
        names, activation = (("up_proj",), relu2) if c.mlp == "relu2" else (("gate_proj", "up_proj"), swiglu)
        up = [(f"{mlp}{name}", c.intermediate_size) for name in names]
        return Block(
            qkv=self._projection(qkv, c.hidden_size, self._norm(f"{prefix}input_layernorm")),
            out=self._projection([(f"{attention}o_proj", c.hidden_size)], c.heads * c.head_dim),
            up=self._projection(up, c.hidden_size, self._norm(f"{prefix}post_attention_layernorm")),
            down=self._projection([(f"{mlp}down_proj", c.hidden_size)], c.intermediate_size, activation),
        )

    def _norm(self, name: str) -> Operation:
        c = self._config
        weight = self._read(f"{name}.weight", (c.hidden_size,))
        if c.norm == "rms_norm":
            return RMSNorm(weight, c.norm_eps)
        return LayerNorm1P(weight + 1, self._read(f"{name}.bias", (c.hidden_size,)), c.norm_eps)

    def _head(self) -> Projection:
        """The output projection with the last norm; a tied one in full precision is the embedding's tensor."""
        c = self._config
        is_own = HEAD in self._checkpoint or f"{HEAD}.int4" in self._checkpoint
        if not is_own and not c.has_tied_embeddings:
            self._checkpoint.spec(HEAD)
        name = HEAD if is_own else EMBEDDING
        parts = [(name.removesuffix(".weight"), c.vocab_size)]
        return self._projection(parts, c.hidden_size, self._norm(FINAL_NORM))

    def _embedding(self) -> Embedding:
        c = self._config
        name = self.embedding_name
        self._checkpoint.check_shape(name, (c.vocab_size, c.hidden_size))
        scale = None
        if c.int4_group_size is not None:
            scale = self._checkpoint.read(f"{EMBEDDING}.scale", (c.vocab_size,))
        return RowEmbedding(self._checkpoint, name, scale, self._device, self._dtype)

    def _projection(
        self, parts: Sequence[tuple[str, int]], columns: int, before: Operation | None = None
    ) -> Projection:
        """Projections (name, rows) stacked into one, in the precision that the checkpoint has them."""
        bias = self._bias(parts)
        if f"{parts[0][0]}.weight.int4" not in self._checkpoint:
            weights = [self._read(f"{name}.weight", (rows, columns)) for name, rows in parts]
            return InSteps(before, FloatLinear(weights[0] if len(weights) == 1 else torch.cat(weights), bias))
        plain = self._read_int4(parts, columns)
        rows = sum(rows for _, rows in parts)
        kernels = usable_kernels(self._device, self._dtype)
        if kernels is not None:
            return Int4CpuProjection(kernels, plain, rows, bias, before)
        return InSteps(before, Int4Linear.pack(plain, rows, bias, device=self._device, dtype=self._dtype))

    def _read_int4(self, parts: Sequence[tuple[str, int]], columns: int) -> Int4Rows:
        """Plain rows of several projections, read into the buffer that packing will reuse; zeros fill the last tile."""
        groups = self._groups(parts[0][0], columns)
        for name, count in parts:  # before the memory is taken that a wrong config.json asks for
            self._checkpoint.check_shape(f"{name}.weight.int4", (count, columns // 2))
        rows = padded_rows(sum(rows for _, rows in parts))
        plain = Int4Rows(
            page_memory.zeros((rows, columns // 2), torch.uint8),
            torch.zeros(rows, groups, dtype=torch.bfloat16),
            torch.zeros(rows, groups, dtype=torch.bfloat16),
        )
        first = 0
        for name, count in parts:
            for suffix, whole in (("int4", plain.codes), ("scale", plain.scale), ("zero", plain.zero)):
                self._checkpoint.check_shape(f"{name}.weight.{suffix}", (count, whole.shape[1]))
                self._checkpoint.read_rows_into(f"{name}.weight.{suffix}", 0, whole[first : first + count])
            first += count
        return plain

    def _groups(self, name: str, columns: int) -> int:
        """How many groups a row of a quantized tensor has. Raises: ModelFormatError."""
        shape = self._checkpoint.spec(f"{name}.weight.scale").shape
        if len(shape) != 2 or columns not in (shape[1] * size for size in GROUP_SIZES):
            sizes = ", ".join(map(str, GROUP_SIZES))
            message = f"{self._checkpoint.folder}: scales of {name!r} are {shape} for a width of {columns}"
            raise ModelFormatError(message, hint=f"groups have {sizes} columns: quantize the checkpoint again")
        return shape[1]

    def _bias(self, parts: Sequence[tuple[str, int]]) -> torch.Tensor | None:
        """The stacked biases; parts without one get zeros, and no bias at all is None."""
        if not any(f"{name}.bias" in self._checkpoint for name, _ in parts):
            return None
        pieces = [
            self._read(f"{name}.bias", (rows,))
            if f"{name}.bias" in self._checkpoint
            else torch.zeros(rows, device=self._device, dtype=self._dtype)
            for name, rows in parts
        ]
        return torch.cat(pieces)

    def _read(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        return self._checkpoint.read(name, shape).to(self._device, self._dtype)

    def _check_all_used(self) -> None:
        """A tensor that we do not know would change the result. Raises: ModelFormatError."""
        unread = self._checkpoint.unread
        left = sorted(n for n in unread if not n.startswith(EMBEDDING) and not n.endswith(IGNORED_SUFFIX))
        if left:
            hint = f"this decoder does not compute what they stand for; architecture {self._config.architecture}"
            message = f"{self._checkpoint.folder} has {len(left)} tensors of no use, {left[0]!r} first"
            raise ModelFormatError(message, hint=hint)


class RowEmbedding:
    """Reads only the rows that a prompt needs, so that the table never takes memory."""

    def __init__(
        self, checkpoint: Checkpoint, name: str, scale: torch.Tensor | None, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._checkpoint = checkpoint
        self._name = name
        self._spec = checkpoint.spec(name)
        self._scale = scale
        self._device = device
        self._dtype = dtype

    def close(self) -> None:
        """Closes the file."""
        self._checkpoint.close()

    def __call__(self, ids: Sequence[int]) -> torch.Tensor:
        rows = torch.empty(len(ids), self._spec.shape[1], dtype=self._spec.dtype)
        for index, token_id in enumerate(ids):
            self._checkpoint.read_rows_into(self._name, token_id, rows[index : index + 1])
        if self._scale is not None:
            rows = rows.float() * self._scale[torch.tensor(ids)][:, None]
        return rows.to(self._device, self._dtype)
