"""The same weights as a GGUF file in llama.cpp's Q4_0, made through a half-precision file that is removed again.

Called by store.py, only where gguf and llama-cpp-python are installed.
Source: gguf's writer, and the tensor names of llama.cpp's Nemotron architecture.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from pathlib import Path
from typing import Any

import torch

from npc_sdk.bench.shape import BOS_ID, EOS_ID, Shape
from npc_sdk.bench.vocabulary import filler_word
from npc_sdk.bench.weights import Progress
from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.weight_names import EMBEDDING, FINAL_NORM, HEAD, layer_prefix
from npc_sdk.errors import EngineError

Q4_0 = 2  # llama.cpp's LLAMA_FTYPE_MOSTLY_Q4_0; it keeps the head in Q6_K
OUTSIDE = {
    EMBEDDING: "token_embd.weight",
    f"{FINAL_NORM}.weight": "output_norm.weight",
    f"{FINAL_NORM}.bias": "output_norm.bias",
    HEAD: "output.weight",
}
INSIDE = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
BYTES = 256


def write_gguf(full: Path, out: Path, shape: Shape, progress: Progress) -> None:
    """Writes out in Q4_0 from the checkpoint in full. Raises: EngineError."""
    half = out.with_name(f"{out.name}.f16")
    _write_half(full, half, shape, progress)
    llama: Any = importlib.import_module("llama_cpp")
    options = llama.llama_model_quantize_default_params()
    options.ftype, options.nthread = Q4_0, len(os.sched_getaffinity(0))
    if llama.llama_model_quantize(str(half).encode(), str(out).encode(), ctypes.byref(options)):
        raise EngineError(f"llama.cpp could not quantize {half}", hint="is the disk full?")
    half.unlink()


def _write_half(full: Path, out: Path, shape: Shape, progress: Progress) -> None:
    """The half-precision file, tensor by tensor."""
    gguf: Any = importlib.import_module("gguf")
    writer = gguf.GGUFWriter(out, "nemotron")
    _describe(writer, shape)
    _add_vocabulary(writer, gguf.TokenType, shape.vocab)
    names = _names(shape)
    checkpoint = Checkpoint(full)
    try:
        for source, target in names.items():
            size = checkpoint.spec(source).shape
            kind, width = ("float32", 4) if len(size) == 1 else ("float16", 2)
            count = size[0] if len(size) == 1 else size[0] * size[1]
            writer.add_tensor_info(target, size, importlib.import_module("numpy").dtype(kind), count * width)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for done, source in enumerate(names, 1):
            tensor = checkpoint.read(source, checkpoint.spec(source).shape)
            writer.write_tensor_data(_converted(source, tensor).numpy())
            progress(done, len(names), source)
    finally:
        checkpoint.close()
        writer.close()


def _converted(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Norms as the factor that they stand for, in float32; matrices in half precision."""
    if tensor.ndim == 2:
        return tensor.half()
    return tensor.float() + (1.0 if name.endswith("weight") else 0.0)


def _names(shape: Shape) -> dict[str, str]:
    """Every tensor's name there and here, in the order of the file."""
    names = dict(OUTSIDE)
    for index in range(shape.layers):
        for source, target in INSIDE.items():
            kinds = ("weight", "bias") if source.endswith("layernorm") else ("weight",)
            for kind in kinds:
                names[f"{layer_prefix(index)}{source}.{kind}"] = f"blk.{index}.{target}.{kind}"
    return names


def _describe(writer: Any, shape: Shape) -> None:
    """The model's hyperparameters."""
    writer.add_name(shape.name)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(shape.head_dim // 2)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(1)


def _add_vocabulary(writer: Any, kinds: Any, vocab: int) -> None:
    """Names for ids; prompts are given as ids, so that only the count of tokens has to be right."""
    first = [b"<unk>", b"<pad>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(BYTES))]
    tokens = first + [filler_word(index).encode() for index in range(len(first), vocab)]
    types = [kinds.UNKNOWN, *[kinds.CONTROL] * 3, *[kinds.BYTE] * BYTES]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * vocab)
    writer.add_token_types(types + [kinds.NORMAL] * (vocab - len(types)))
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_unk_token_id(0)
