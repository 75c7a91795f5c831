"""The names that Hugging Face checkpoints give to a decoder's tensors. Used by the loader and the quantizer."""

from __future__ import annotations

import re

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
FINAL_NORM = "model.norm"
IGNORED_SUFFIX = "rotary_emb.inv_freq"  # older exports store the frequencies that config.json already gives

_LAYER = re.compile(r"model\.layers\.(\d+)\.")


def layer_index(name: str) -> int | None:
    """The layer that a tensor belongs to, None for those outside the layers."""
    match = _LAYER.match(name)
    return int(match[1]) if match else None


def layer_prefix(index: int) -> str:
    """What the names of a layer's tensors begin with."""
    return f"model.layers.{index}."
