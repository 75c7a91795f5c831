"""Random weights in Hugging Face's layout, drawn and written piece by piece. Called by store.py."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import torch

from npc_sdk.bench.shape import EOS_ID, Shape
from npc_sdk.engine.local.tensor_file import TensorSpec, TensorWriter
from npc_sdk.engine.local.weight_names import EMBEDDING, FINAL_NORM, HEAD, layer_prefix

Progress: TypeAlias = Callable[[int, int, str], None]

SPREAD = 0.02  # standard deviation
VALUES_AT_ONCE = 8 * 1024 * 1024


def write_checkpoint(folder: Path, shape: Shape, progress: Progress, *, seed: int = 0) -> None:
    """Writes config, index and one file a layer; the same seed gives the same weights."""
    generator = torch.Generator().manual_seed(seed)
    shards = list(_shards(shape))
    weight_map: dict[str, str] = {}
    for done, (file, tensors) in enumerate(shards, 1):
        specs = {name: TensorSpec(torch.bfloat16, size) for name, size in tensors.items()}
        with TensorWriter(folder / file, specs) as writer:
            for name, size in tensors.items():
                for piece in _draw(name, size, generator):
                    writer.append(piece)
        weight_map.update(dict.fromkeys(tensors, file))
        progress(done, len(shards), file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(shape.config(), indent=2), encoding="utf-8")


def _shards(shape: Shape) -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """Each file with the sizes of its tensors."""
    norm = {f"{FINAL_NORM}.weight": (shape.hidden,), f"{FINAL_NORM}.bias": (shape.hidden,)}
    yield "model-embedding.safetensors", {EMBEDDING: (shape.vocab, shape.hidden), **norm}
    for index in range(shape.layers):
        yield f"model-layer-{index:03d}.safetensors", _layer(shape, layer_prefix(index))
    yield "model-head.safetensors", {HEAD: (shape.vocab, shape.hidden)}


def _layer(shape: Shape, prefix: str) -> dict[str, tuple[int, ...]]:
    """Sizes of one layer's tensors."""
    hidden, query, key = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (query, hidden),
        "self_attn.k_proj.weight": (key, hidden),
        "self_attn.v_proj.weight": (key, hidden),
        "self_attn.o_proj.weight": (hidden, query),
        "mlp.up_proj.weight": (shape.intermediate, hidden),
        "mlp.down_proj.weight": (hidden, shape.intermediate),
    }
    for norm in ("input_layernorm", "post_attention_layernorm"):
        sizes |= {f"{norm}.weight": (hidden,), f"{norm}.bias": (hidden,)}
    return {prefix + name: size for name, size in sizes.items()}


def _draw(name: str, size: tuple[int, ...], generator: torch.Generator) -> Iterator[torch.Tensor]:
    """A tensor in pieces of whole rows. Norms are neutral; the end token's row of the head is zero: never chosen."""
    if len(size) == 1:
        yield torch.zeros(size, dtype=torch.bfloat16)
        return
    rows_at_once = max(1, VALUES_AT_ONCE // math.prod(size[1:]))
    for first in range(0, size[0], rows_at_once):
        rows = min(rows_at_once, size[0] - first)
        piece = torch.randn((rows, *size[1:]), generator=generator).mul_(SPREAD).to(torch.bfloat16)
        if name == HEAD and first <= EOS_ID < first + rows:
            piece[EOS_ID - first] = 0
        yield piece
