"""config.json in both key layouts becomes one value, and what we do not run is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npc_sdk.engine.local.config import Llama3Scaling, load_config, parse_config
from npc_sdk.errors import ModelFormatError

MINI_4B = {  # the published config, transformers 4 layout
    "architectures": ["NemotronForCausalLM"],
    "model_type": "nemotron",
    "hidden_size": 3072,
    "num_hidden_layers": 32,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "kv_channels": 128,
    "intermediate_size": 9216,
    "hidden_act": "relu2",
    "norm_eps": 1e-5,
    "rope_theta": 10000,
    "partial_rotary_factor": 0.5,
    "max_position_embeddings": 4096,
    "vocab_size": 256000,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 256,
    "vocab_size": 100,
    "eos_token_id": [2, 7],
}
SCALING = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}


def test_the_published_nemotron_config_is_read() -> None:
    config = parse_config(MINI_4B)
    assert (config.norm, config.mlp, config.head_dim, config.rope.dims) == ("layer_norm_1p", "relu2", 128, 64)
    assert (config.bos_id, config.eos_ids, config.context_tokens) == (2, (3,), 4096)


def test_folded_rope_keys_mean_the_same() -> None:
    folded = {k: v for k, v in MINI_4B.items() if k not in ("rope_theta", "partial_rotary_factor", "torch_dtype")}
    folded["dtype"] = "bfloat16"
    folded["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000, "partial_rotary_factor": 0.5}
    assert parse_config(folded) == parse_config(MINI_4B)


def test_missing_head_keys_are_derived() -> None:
    config = parse_config(LLAMA)
    assert (config.head_dim, config.kv_heads, config.rope.dims, config.eos_ids) == (16, 4, 16, (2, 7))


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **SCALING}}, id="transformers-4"),
        pytest.param({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, **SCALING}}, id="transformers-5"),
    ],
)
def test_llama3_scaling_is_read(keys: dict[str, Any]) -> None:
    rope = parse_config({**LLAMA, **keys}).rope
    assert (rope.theta, rope.scaling) == (5e5, Llama3Scaling(8.0, 1.0, 4.0, 128))


@pytest.mark.parametrize(
    ("keys", "tokens"),
    [
        pytest.param({"sliding_window": 64}, 64, id="mistral"),
        pytest.param({"sliding_window": None}, 256, id="mistral-without"),
        pytest.param({"sliding_window": 64, "use_sliding_window": False}, 256, id="qwen2-switched-off"),
        pytest.param({"sliding_window": 64, "use_sliding_window": True}, 64, id="qwen2-switched-on"),
    ],
)
def test_a_sliding_window_bounds_the_context(keys: dict[str, Any], tokens: int) -> None:
    assert parse_config({**LLAMA, **keys}).context_tokens == tokens


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param({"architectures": ["GPT2LMHeadModel"]}, "NemotronForCausalLM", id="architecture"),
        pytest.param({"architectures": None}, "supported", id="no-architecture"),
        pytest.param({"hidden_act": "gelu"}, "'gelu'", id="activation"),
        pytest.param({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "'yarn'", id="rope-type"),
        pytest.param({"rope_scaling": {"rope_type": "llama3", "factor": 4.0}}, "low_freq_factor", id="rope-keys"),
        pytest.param({"partial_rotary_factor": 0.06}, "0.06", id="no-rotary-dims"),
        pytest.param({"hidden_size": "64"}, "hidden_size", id="not-a-number"),
        pytest.param({"num_hidden_layers": 0}, "num_hidden_layers", id="zero"),
        pytest.param({"hidden_size": 66}, "head_dim", id="uneven-heads"),
        pytest.param({"num_key_value_heads": 3}, "3 key-value heads", id="uneven-groups"),
        pytest.param({"eos_token_id": "</s>"}, "eos_token_id", id="eos"),
        pytest.param(
            {"quantization_config": {"quant_method": "gptq"}}, "npc models quantize", id="foreign-quantization"
        ),
        pytest.param({"npc_quantization": {"bits": 3, "version": 1}}, "npc_quantization", id="our-quantization"),
    ],
)
def test_what_cannot_run_is_refused_by_name(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFormatError) as caught:
        parse_config({**LLAMA, **keys})
    assert words in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [None, "{", "[1]", "\xff"], ids=["missing", "cut short", "not an object", "not text"]
)
def test_an_unreadable_config_names_the_file(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        load_config(tmp_path)
