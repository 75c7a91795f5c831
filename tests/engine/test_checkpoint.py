"""Tensors come out of every layout as they went in, and damaged files are told from whole ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.tensor_file import TensorFile, TensorSpec, TensorWriter
from npc_sdk.errors import ModelFormatError

from .conftest import Zoo

LAYOUTS = ["safetensors", "safetensors-sharded", "bin", "bin-sharded"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_saved_tensors(zoo: Zoo, layout: str) -> None:
    folder, model = zoo.full("nemotron", layout)
    checkpoint = Checkpoint(folder)
    for name, tensor in model.state_dict().items():
        assert torch.equal(checkpoint.read(name, tuple(tensor.shape)), tensor)
    assert not checkpoint.unread
    checkpoint.close()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_can_be_read_alone(zoo: Zoo, layout: str) -> None:
    folder, model = zoo.full("nemotron", layout)
    checkpoint = Checkpoint(folder)
    expected = model.state_dict()["lm_head.weight"][5:9]
    out = torch.empty_like(expected)
    checkpoint.read_rows_into("lm_head.weight", 5, out)
    assert torch.equal(out, expected)
    assert torch.equal(checkpoint.read_rows("lm_head.weight", 5, 9), expected)
    checkpoint.close()


def test_what_the_writer_wrote_other_programs_read(tmp_path: Path) -> None:
    codes = torch.arange(24, dtype=torch.uint8).view(4, 6)
    scale = torch.randn(4, 3).bfloat16()
    specs = {"codes": TensorSpec(torch.uint8, (4, 6)), "scale": TensorSpec(torch.bfloat16, (4, 3))}
    with TensorWriter(tmp_path / "x.safetensors", specs) as writer:
        for piece in (codes[:3], codes[3:], scale):
            writer.append(piece)
    loaded = load_file(tmp_path / "x.safetensors")
    assert torch.equal(loaded["codes"], codes)
    assert torch.equal(loaded["scale"], scale)


def test_a_writer_that_got_too_little_says_so(tmp_path: Path) -> None:
    specs = {"a": TensorSpec(torch.uint8, (4,))}
    with pytest.raises(AssertionError, match="off by 3 bytes"), TensorWriter(tmp_path / "x", specs) as writer:
        writer.append(torch.zeros(1, dtype=torch.uint8))


def _saved(tmp_path: Path) -> bytes:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.arange(8.0), "b": torch.ones(2, 3)}, path)
    return path.read_bytes()


@pytest.mark.parametrize("keep", [0, 7, 8, 20, -1], ids=["empty", "cut length", "no header", "cut header", "cut data"])
def test_a_file_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    whole = _saved(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole[:keep])
    with pytest.raises(ModelFormatError, match=r"model\.safetensors"):
        TensorFile(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        {"dtype": "F32"},
        7,
    ],
    ids=["dtype", "size", "before the data", "past the end", "keys", "not an object"],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, entry: object) -> None:
    header = json.dumps({"a": entry}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ModelFormatError):
        TensorFile(tmp_path / "x.safetensors")


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("attacked",)


def test_code_in_a_pickle_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": _Attack()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelFormatError, match="plain tensors"):
        Checkpoint(tmp_path)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("target", ["../other.safetensors", 7], ids=["another folder", "not a name"])
def test_an_index_cannot_point_elsewhere(tmp_path: Path, target: object) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": target}}))
    with pytest.raises(ModelFormatError, match="weight_map"):
        Checkpoint(tmp_path)


def test_missing_weights_and_tensors_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="holds no weights"):
        Checkpoint(tmp_path)
    _saved(tmp_path)
    checkpoint = Checkpoint(tmp_path)
    with pytest.raises(ModelFormatError, match="'c'"):
        checkpoint.read("c", (1,))
    with pytest.raises(ModelFormatError, match=r"\(2, 3\)"):
        checkpoint.read("b", (3, 2))
    checkpoint.close()
