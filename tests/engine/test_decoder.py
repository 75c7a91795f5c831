"""The decoder against transformers' own models on the same random weights, in float32."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BlockPool
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.errors import ModelFormatError, SettingsError

from .checkpoints import KINDS, VOCAB
from .conftest import Zoo

PROMPT = torch.randint(7, VOCAB - 40, (90,), generator=torch.Generator().manual_seed(3)).tolist()
LIMIT = 2e-4
Note = Callable[[str, float], None]
Load = Callable[..., Decoder]


def _cache(decoder: Decoder) -> KVCache:
    return KVCache(BlockPool(decoder.cache_shape, 4))


def _pass(decoder: Decoder, ids: list[int], cache: KVCache) -> torch.Tensor:
    """Tokens through the layers, behind what the cache holds."""
    cache.reserve(cache.length + len(ids))
    hidden = decoder.hidden(decoder.batch([Work(cache, ids)]), cache.pool, lambda: None)
    cache.advance(len(ids))
    return hidden


@torch.inference_mode()
def _all_logits(decoder: Decoder, ids: list[int], chunk: int = 10_000) -> torch.Tensor:
    cache = _cache(decoder)
    rows = [_pass(decoder, ids[start : start + chunk], cache) for start in range(0, len(ids), chunk)]
    cache.check_integrity()
    return decoder.logits(torch.cat(rows))


@torch.inference_mode()
def _reference(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    logits: torch.Tensor = model(torch.tensor([ids])).logits[0]
    return logits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["safetensors", "bin"])
def test_logits_agree_with_transformers(zoo: Zoo, load: Load, note_figure: Note, kind: str, layout: str) -> None:
    folder, model = zoo.full(kind, layout)
    decoder = load(folder, dtype="float32")
    difference = float((_all_logits(decoder, PROMPT) - _reference(model, PROMPT)).abs().max())
    note_figure(f"logits of {kind} from {layout}", difference)
    assert difference < LIMIT


@pytest.mark.parametrize("kind", KINDS)
def test_int4_logits_agree_with_the_dequantized_weights(zoo: Zoo, load: Load, note_figure: Note, kind: str) -> None:
    folder, model = zoo.int4(kind)
    decoder = load(folder, dtype="float32")
    difference = float((_all_logits(decoder, PROMPT) - _reference(model, PROMPT)).abs().max())
    note_figure(f"logits of {kind} int4 against dequantized", difference)
    assert difference < LIMIT


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_tokens_equal_those_of_transformers(zoo: Zoo, load: Load, kind: str) -> None:
    folder, model = zoo.int4(kind)
    decoder = load(folder, dtype="float32")
    expected = model.generate(
        torch.tensor([PROMPT]), max_new_tokens=40, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    tokens, cache = list(PROMPT), _cache(decoder)
    with torch.inference_mode():
        for _ in range(40):
            logits = decoder.logits(_pass(decoder, tokens[cache.length :], cache)[-1:])
            tokens.append(int(logits.argmax()))
    assert tokens == expected[0].tolist()
    assert len(set(tokens[len(PROMPT) :])) > 5  # a reply, not one token over and over


@pytest.mark.parametrize("chunk", [1, 7, 64, 89])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chunked_prefill_equals_whole_prefill_bit_by_bit(zoo: Zoo, load: Load, chunk: int, dtype: str) -> None:
    for folder in (zoo.int4("nemotron")[0], zoo.full("qwen2")[0]):
        decoder = load(folder, dtype=dtype)
        assert torch.equal(_all_logits(decoder, PROMPT, chunk), _all_logits(decoder, PROMPT))


def test_bfloat16_stays_close_to_float32(zoo: Zoo, load: Load, note_figure: Note) -> None:
    folder, _ = zoo.int4("nemotron")
    exact = _all_logits(load(folder, dtype="float32"), PROMPT)
    rough = _all_logits(load(folder, dtype="bfloat16"), PROMPT).float()
    similarity = torch.nn.functional.cosine_similarity(exact, rough, dim=-1).min()
    note_figure("1 - cosine, bfloat16 against float32, worst row", 1 - float(similarity))
    assert similarity > 0.99  # with activations of eight bits; int4 alone keeps 0.88 of full precision


def test_quantization_keeps_the_model(zoo: Zoo, note_figure: Note) -> None:
    exact = _reference(zoo.full("nemotron")[1], PROMPT)
    rough = _reference(zoo.int4("nemotron")[1], PROMPT)
    similarity = torch.nn.functional.cosine_similarity(exact, rough, dim=-1).mean()
    note_figure("1 - cosine, int4 against full precision, mean of rows", 1 - float(similarity))
    assert similarity > 0.85


def test_a_tensor_without_use_is_refused(zoo: Zoo, load: Load, tmp_path: Path) -> None:
    shutil.copytree(zoo.full("llama", "bin")[0], tmp_path / "model")
    state = torch.load(tmp_path / "model" / "pytorch_model.bin", weights_only=True)
    extra = {
        "model.layers.0.self_attn.q_norm.weight": torch.ones(16),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8),
    }
    save_file({**state, **extra}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ModelFormatError, match=r"1 tensors of no use, 'model\.layers\.0\.self_attn\.q_norm\.weight'"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("device", "dtype", "words"),
    [("gpu", None, "'gpu'"), ("cpu", "float8", "'float8'"), ("mps", None, "cuda:N")],
)
def test_wrong_settings_are_refused(zoo: Zoo, load: Load, device: str, dtype: str | None, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(zoo.int4("nemotron")[0], device=device, dtype=dtype)


def test_loading_reports_its_progress(zoo: Zoo, load: Load) -> None:
    seen: list[tuple[int, int, str]] = []
    load(zoo.int4("nemotron")[0], on_progress=lambda *step: seen.append(step))
    assert seen == [(1, 3, "head"), (2, 3, "layer 0"), (3, 3, "layer 1")]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_int4_on_cuda_stays_close_to_the_cpu(zoo: Zoo, load: Load) -> None:
    folder, model = zoo.int4("nemotron")
    on_card = _all_logits(load(folder, device="cuda"), PROMPT).float().cpu()
    similarity = torch.nn.functional.cosine_similarity(_reference(model, PROMPT), on_card, dim=-1).min()
    assert similarity > 0.99
