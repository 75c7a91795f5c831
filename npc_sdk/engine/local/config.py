"""What a checkpoint's config.json says about its decoder, in one frozen value whatever the key layout.

Knows no tensors. Called by the loader, the quantizer and ``npc models info``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from npc_sdk.errors import ModelFormatError

Norm: TypeAlias = Literal["layer_norm_1p", "rms_norm"]
Mlp: TypeAlias = Literal["relu2", "swiglu"]

DEFAULT_CONTEXT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Architecture:
    """What tells one supported decoder from another."""

    norm: Norm
    mlp: Mlp
    activations: tuple[str, ...]
    norm_eps_key: str
    partial_rotary: float


ARCHITECTURES: dict[str, Architecture] = {
    "NemotronForCausalLM": Architecture("layer_norm_1p", "relu2", ("relu2",), "norm_eps", 0.5),
    "LlamaForCausalLM": Architecture("rms_norm", "swiglu", ("silu", "swish"), "rms_norm_eps", 1.0),
    "MistralForCausalLM": Architecture("rms_norm", "swiglu", ("silu", "swish"), "rms_norm_eps", 1.0),
    "Qwen2ForCausalLM": Architecture("rms_norm", "swiglu", ("silu", "swish"), "rms_norm_eps", 1.0),
}


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """Stretches slow rotary frequencies. Source: transformers modeling_rope_utils.py, rope type "llama3"."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context_tokens: int


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Units: dims counts the rotated dimensions at the front of each head."""

    theta: float
    dims: int
    scaling: Llama3Scaling | None = None


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of one decoder. int4_group_size is None for a checkpoint in full precision."""

    architecture: str
    norm: Norm
    mlp: Mlp
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    norm_eps: float
    rope: RopeConfig
    context_tokens: int
    has_tied_embeddings: bool
    stored_dtype: str
    bos_id: int | None
    eos_ids: tuple[int, ...]
    int4_group_size: int | None = None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model folder. Raises: ModelFormatError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        hint = "name the folder that holds the checkpoint's files"
        raise ModelFormatError(f"{path.parent} has no {path.name}", hint=hint) from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelFormatError(f"{path} is not readable JSON: {exc}", hint="copy the model folder again") from exc
    if not isinstance(value, dict):
        raise ModelFormatError(
            f"{path} holds {type(value).__name__}, not an object", hint="copy the model folder again"
        )
    return value


def load_config(folder: Path) -> ModelConfig:
    """The config of a model folder. Raises: ModelFormatError."""
    return parse_config(read_json(folder / "config.json"), place=str(folder / "config.json"))


def parse_config(raw: Mapping[str, Any], *, place: str = "config.json") -> ModelConfig:
    """One config from either key layout of transformers (4 and 5). Raises: ModelFormatError."""
    try:
        return _parse(raw, place)
    except (TypeError, ValueError, OverflowError, LookupError) as exc:
        hint = "a value is of the wrong kind: copy config.json again"
        raise ModelFormatError(f"{place} cannot be used: {exc}", hint=hint) from exc


def _parse(raw: Mapping[str, Any], place: str) -> ModelConfig:
    name, architecture = _architecture(raw, place)
    _check_activation(raw, architecture, place)
    hidden, heads = _positive(raw, "hidden_size", place), _positive(raw, "num_attention_heads", place)
    kv_heads = _positive(raw, "num_key_value_heads", place, default=heads)
    head_dim = _head_dim(raw, hidden, heads, place)
    if heads % kv_heads:
        raise ModelFormatError(
            f"{place}: {heads} heads cannot share {kv_heads} key-value heads", hint="check the config"
        )
    return ModelConfig(
        architecture=name,
        norm=architecture.norm,
        mlp=architecture.mlp,
        hidden_size=hidden,
        intermediate_size=_positive(raw, "intermediate_size", place),
        layers=_positive(raw, "num_hidden_layers", place),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=_positive(raw, "vocab_size", place),
        norm_eps=float(raw.get(architecture.norm_eps_key) or 1e-5),
        rope=_rope(raw, architecture, head_dim, place),
        context_tokens=_context_tokens(raw, place),
        has_tied_embeddings=bool(raw.get("tie_word_embeddings", False)),
        stored_dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16"),
        bos_id=token_ids(raw, "bos_token_id", place)[0] if raw.get("bos_token_id") is not None else None,
        eos_ids=token_ids(raw, "eos_token_id", place),
        int4_group_size=_int4_group_size(raw, place),
    )


def _architecture(raw: Mapping[str, Any], place: str) -> tuple[str, Architecture]:
    """The first architecture that we support. Raises: ModelFormatError."""
    names = raw.get("architectures") or []
    for name in names:
        if name in ARCHITECTURES:
            return name, ARCHITECTURES[name]
    hint = f"supported: {', '.join(ARCHITECTURES)}"
    raise ModelFormatError(f"{place}: architectures is {names!r}, which this engine does not run", hint=hint)


def _check_activation(raw: Mapping[str, Any], architecture: Architecture, place: str) -> None:
    """Refuses an activation that the MLP does not compute. Raises: ModelFormatError."""
    activation = raw.get("hidden_act", architecture.activations[0])
    if activation not in architecture.activations:
        hint = f"this architecture runs with {' or '.join(architecture.activations)}"
        raise ModelFormatError(f"{place}: hidden_act is {activation!r}", hint=hint)


def _positive(raw: Mapping[str, Any], key: str, place: str, *, default: int | None = None) -> int:
    """A whole number above zero. Raises: ModelFormatError."""
    value = raw.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelFormatError(f"{place}: {key} is {value!r}", hint="it must be a whole number above zero")
    return value


def _head_dim(raw: Mapping[str, Any], hidden: int, heads: int, place: str) -> int:
    """head_dim, else NeMo's kv_channels, else an even share of the hidden size."""
    for key in ("head_dim", "kv_channels"):
        if raw.get(key) is not None:
            return _positive(raw, key, place)
    if hidden % heads:
        raise ModelFormatError(f"{place}: {heads} heads do not divide hidden_size {hidden}", hint="add head_dim")
    return hidden // heads


def _rope(raw: Mapping[str, Any], architecture: Architecture, head_dim: int, place: str) -> RopeConfig:
    """Rotary settings from rope_parameters (transformers 5) or the top level and rope_scaling (4)."""
    folded = dict(raw.get("rope_parameters") or raw.get("rope_scaling") or {})
    theta = folded.get("rope_theta", raw.get("rope_theta"))
    partial = folded.get("partial_rotary_factor", raw.get("partial_rotary_factor"))
    partial = architecture.partial_rotary if partial is None else float(partial)
    dims = int(head_dim * partial)
    if dims < 2 or dims % 2 or dims > head_dim:
        hint = "it must leave an even number of rotary dimensions"
        raise ModelFormatError(f"{place}: partial_rotary_factor is {partial!r} with head_dim {head_dim}", hint=hint)
    return RopeConfig(10000.0 if theta is None else float(theta), dims, _rope_scaling(folded, raw, place))


def _rope_scaling(folded: Mapping[str, Any], raw: Mapping[str, Any], place: str) -> Llama3Scaling | None:
    """The one stretch that we compute, or none. Raises: ModelFormatError for any other."""
    kind = folded.get("rope_type", folded.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise ModelFormatError(f"{place}: rope_type is {kind!r}", hint="supported: default, llama3")
    try:
        original = folded.get("original_max_position_embeddings") or raw["max_position_embeddings"]
        return Llama3Scaling(
            float(folded["factor"]), float(folded["low_freq_factor"]), float(folded["high_freq_factor"]), int(original)
        )
    except KeyError as exc:
        raise ModelFormatError(
            f"{place}: rope_type llama3 lacks {exc.args[0]!r}", hint="copy config.json again"
        ) from exc


def _context_tokens(raw: Mapping[str, Any], place: str) -> int:
    """The window, cut to a sliding one where there is one: inside it both attend to the same tokens."""
    context = _positive(raw, "max_position_embeddings", place, default=DEFAULT_CONTEXT_TOKENS)
    window = raw.get("sliding_window")
    if not window or not raw.get("use_sliding_window", True):
        return context
    return min(context, _positive(raw, "sliding_window", place))


def token_ids(raw: Mapping[str, Any], key: str, place: str) -> tuple[int, ...]:
    """One id or a list of them, as a tuple. Raises: ModelFormatError."""
    value = raw.get(key)
    ids = () if value is None else tuple(value) if isinstance(value, list) else (value,)
    if not all(isinstance(one, int) and one >= 0 for one in ids):
        raise ModelFormatError(f"{place}: {key} is {value!r}", hint="it must be a token id or a list of them")
    return ids


def _int4_group_size(raw: Mapping[str, Any], place: str) -> int | None:
    """The group size that ``npc models quantize`` wrote. Raises: ModelFormatError for quantization of another kind."""
    if raw.get("quantization_config"):
        hint = "quantize the full-precision checkpoint with: npc models quantize"
        raise ModelFormatError(f"{place}: quantization_config is of a foreign kind", hint=hint)
    block = raw.get("npc_quantization")
    if block is None:
        return None
    if not isinstance(block, dict) or block.get("bits") != 4 or block.get("version") != 1:
        raise ModelFormatError(f"{place}: npc_quantization is {block!r}", hint="quantize the checkpoint again")
    return _positive(block, "group_size", f"{place}: npc_quantization")
