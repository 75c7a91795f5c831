"""Quantizing a folder: what it writes, how little it holds, and that half a result is never taken for one."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from npc_sdk.engine.local import quantize as subject
from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.quantize import quantize_checkpoint
from npc_sdk.errors import ModelFormatError, SettingsError

from .conftest import Zoo


def test_the_result_is_plain_smaller_and_complete(zoo: Zoo, tmp_path: Path) -> None:
    source, _ = zoo.full("nemotron")
    seen: list[tuple[int, int]] = []
    report = quantize_checkpoint(
        source, tmp_path / "out", progress=lambda done, total, _name: seen.append((done, total))
    )
    assert seen == [(index + 1, report.tensors) for index in range(report.tensors)]
    assert report.result_bytes < report.source_bytes / 4  # from float32
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["npc_quantization"] == {"bits": 4, "group_size": 128, "version": 1}
    assert config["architectures"] == ["NemotronForCausalLM"]
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_narrow_layer_gets_a_smaller_group(zoo: Zoo) -> None:
    checkpoint = Checkpoint(zoo.int4("nemotron")[0])
    assert checkpoint.spec("model.layers.0.mlp.up_proj.weight.scale").shape == (192, 1)  # 128 columns
    assert checkpoint.spec("model.layers.0.mlp.down_proj.weight.scale").shape == (128, 3)  # 192 columns
    checkpoint.close()


def test_a_folder_without_tokenizer_is_quantized(zoo: Zoo, tmp_path: Path, load: Callable[..., Decoder]) -> None:
    source, _ = zoo.full("nemotron")
    bare = tmp_path / "bare"
    shutil.copytree(source, bare, ignore=shutil.ignore_patterns("tokenizer*"))
    quantize_checkpoint(bare, tmp_path / "out", group_size=32)
    assert load(tmp_path / "out").config.int4_group_size == 32


def test_never_more_than_a_block_of_the_source_is_held(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, model = zoo.full("nemotron", "safetensors")
    monkeypatch.setattr(subject, "ROWS_AT_ONCE", 64)
    alive: list[weakref.ref[torch.Tensor]] = []
    peaks: list[int] = []
    read_rows = Checkpoint.read_rows

    def tracked(self: Checkpoint, name: str, first: int, last: int) -> torch.Tensor:
        tensor = read_rows(self, name, first, last)
        alive.append(weakref.ref(tensor))
        peaks.append(sum(t.nbytes for one in alive if (t := one()) is not None))
        return tensor

    monkeypatch.setattr(Checkpoint, "read_rows", tracked)
    quantize_checkpoint(source, tmp_path / "out")
    layer_bytes = sum(p.nbytes for p in model.model.layers[0].parameters())
    assert len(peaks) > 30
    assert max(peaks) <= 2 * 64 * 192 * 4  # the block in work and the next one
    assert max(peaks) < layer_bytes / 4


def test_an_interrupted_run_leaves_no_model_and_can_be_repeated(
    zoo: Zoo, tmp_path: Path, load: Callable[..., Decoder]
) -> None:
    source, _ = zoo.full("nemotron")
    out = tmp_path / "out"

    def interrupt(done: int, _total: int, _name: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_checkpoint(source, out, progress=interrupt)
    assert not out.exists()
    with pytest.raises(ModelFormatError):
        load(tmp_path / "out.partial")
    quantize_checkpoint(source, out)
    assert load(out).config.layers == 2
    assert not (tmp_path / "out.partial").exists()


def test_an_empty_target_is_used_and_a_full_one_is_not(zoo: Zoo, tmp_path: Path) -> None:
    source, _ = zoo.full("nemotron")
    out = tmp_path / "out"
    out.mkdir()
    quantize_checkpoint(source, out)
    with pytest.raises(SettingsError, match="not an empty folder"):
        quantize_checkpoint(source, out)
    with pytest.raises(ModelFormatError, match="already"):
        quantize_checkpoint(out, tmp_path / "again")


def test_an_unknown_group_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="48"):
        quantize_checkpoint(tmp_path, tmp_path / "out", group_size=48)


def test_an_untied_model_without_head_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    source, _ = zoo.full("qwen2-tied")
    broken = tmp_path / "broken"
    shutil.copytree(source, broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    with pytest.raises(ModelFormatError, match="lm_head"):
        quantize_checkpoint(broken, tmp_path / "out")
