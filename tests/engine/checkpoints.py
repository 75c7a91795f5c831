"""Small random checkpoints in Hugging Face's layout, made on the spot, and a tokenizer to go with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    NemotronConfig,
    NemotronForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.int4 import Int4Rows, dequantize_rows
from npc_sdk.engine.local.weight_names import EMBEDDING

VOCAB = 352
CONTEXT = 192
SPECIAL = ("<unk>", "<s>", "</s>", "<extra_id_0>", "<extra_id_1>", "<|im_start|>", "<|im_end|>")
SHAPE = {
    "vocab_size": VOCAB,
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS: dict[str, tuple[type, type, dict[str, Any]]] = {
    "nemotron": (NemotronConfig, NemotronForCausalLM, {"head_dim": 32}),
    "llama": (LlamaConfig, LlamaForCausalLM, {"head_dim": 16}),
    "llama-scaled": (LlamaConfig, LlamaForCausalLM, {"rope_parameters": LLAMA3_ROPE}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "qwen2-tied": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
}
TEXTS = ["the smith of the village works at the forge all day", "hello traveller, what will it be?", "any work for me"]


def build_model(kind: str, *, seed: int = 0) -> Any:
    """A transformers model with weights spread wide enough that greedy choices are clear."""
    config_class, model_class, extra = KINDS[kind]
    model = model_class(config_class(**{**SHAPE, **extra})).eval().float()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * 0.1) if parameter.ndim == 1 else parameter.copy_(noise * 0.12)
    return model


def build_tokenizer() -> Tokenizer:
    """A byte-level BPE whose special tokens include both chat formats'."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens([AddedToken("<tool_call>", special=False, normalized=False)])
    tokenizer.add_tokens([AddedToken("<extra_id_2>", special=False, normalized=False)])
    return tokenizer


def write_tokenizer(folder: Path) -> None:
    """tokenizer.json and the settings that name its end token."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_checkpoint(folder: Path, kind: str, *, layout: str = "safetensors") -> Any:
    """Saves a random model with its tokenizer; the model comes back as the reference."""
    model = build_model(kind)
    folder.mkdir(parents=True, exist_ok=True)
    if layout == "safetensors":
        model.save_pretrained(folder)
    elif layout == "safetensors-sharded":
        model.save_pretrained(folder, max_shard_size="200KB")
    else:
        _write_pickle(folder, model, is_sharded=layout == "bin-sharded")
    write_tokenizer(folder)
    if KINDS[kind][1] is LlamaForCausalLM:
        (folder / "npc_model.json").write_text('{"chat_format": "chatml"}')
    return model


def _write_pickle(folder: Path, model: Any, *, is_sharded: bool) -> None:
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if not is_sharded:
        torch.save(state, folder / "pytorch_model.bin")
        return
    names = sorted(state)
    parts = {"pytorch_model-1.bin": names[::2], "pytorch_model-2.bin": names[1::2]}
    for file, members in parts.items():
        torch.save({name: state[name] for name in members}, folder / file)
    weight_map = {name: file for file, members in parts.items() for name in members}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))


def dequantized_model(folder: Path, kind: str) -> Any:
    """The transformers model whose weights are what the int4 folder's codes stand for."""
    checkpoint = Checkpoint(folder)
    state = {}
    for name in checkpoint.names():
        stem, _, suffix = name.rpartition(".")
        if suffix == "int4":
            parts = [_whole(checkpoint, f"{stem}.{part}") for part in ("int4", "scale", "zero")]
            state[stem] = dequantize_rows(Int4Rows(*parts))
        elif suffix == "int8":
            state[stem] = _whole(checkpoint, name).float() * _whole(checkpoint, f"{stem}.scale")[:, None]
        elif suffix in ("weight", "bias"):
            state[name] = _whole(checkpoint, name)
    checkpoint.close()
    assert EMBEDDING in state
    config_class, model_class, extra = KINDS[kind]
    model = model_class(config_class(**{**SHAPE, **extra, "tie_word_embeddings": False})).eval().float()
    model.load_state_dict(state)
    return model


def _whole(checkpoint: Checkpoint, name: str) -> torch.Tensor:
    return checkpoint.read(name, checkpoint.spec(name).shape)
