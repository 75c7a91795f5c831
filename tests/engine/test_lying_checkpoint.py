"""Model folders that lie: every lie is a ModelFormatError before memory is taken or a foreign exception gets out."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.errors import ModelFormatError

from .conftest import Zoo

Copy = Callable[[str], Path]


@pytest.fixture
def copy(zoo: Zoo, tmp_path: Path) -> Copy:
    """A copy of the int4 or the full checkpoint, to be spoiled."""

    def make(kind: str) -> Path:
        source = zoo.int4("nemotron")[0] if kind == "int4" else zoo.full("nemotron")[0]
        return Path(shutil.copytree(source, tmp_path / "model"))

    return make


def _refused(folder: Path) -> str:
    with pytest.raises(ModelFormatError) as caught:
        LocalEngine.load(folder, device="cpu")
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architectures", -1),
        ("architectures", [[1]]),
        ("bos_token_id", []),
        ("norm_eps", "abc"),
        ("norm_eps", [[1]]),
        ("rope_parameters", "abc"),
        ("rope_parameters", {"rope_theta": "x"}),
        ("sliding_window", "abc"),
        ("sliding_window", float("inf")),
        ("sliding_window", -5),
        ("partial_rotary_factor", float("nan")),
        ("head_dim", 10**15),
        ("vocab_size", 10**15),
    ],
)
def test_a_value_of_config_json_that_cannot_be(copy: Copy, key: str, value: Any) -> None:
    folder = copy("int4")
    config = json.loads((folder / "config.json").read_text())
    if key == "partial_rotary_factor":
        config.pop("rope_parameters", None)
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    assert str(folder) in _refused(folder)


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("config.json", b"[" * 200_000),
        ("chat_template.jinja", b"caf\xe9"),
        ("generation_config.json", b'{"eos_token_id": [{}]}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "x\\u0000"}}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "\\ud800"}}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": ".."}}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../model/model.safetensors"}}'),
        ("tokenizer.json", b"{}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_companion_file_that_cannot_be_read(copy: Copy, file: str, data: bytes) -> None:
    folder = copy("full")
    (folder / "npc_model.json").unlink(missing_ok=True)
    (folder / file).write_bytes(data)
    assert str(folder) in _refused(folder)


def test_a_tokenizer_at_which_the_rust_side_panics(copy: Copy, capfd: pytest.CaptureFixture[str]) -> None:
    folder = copy("full")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["continuing_subword_prefix"] = "abc"
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "tokenizer.json cannot be read" in _refused(folder)
    capfd.readouterr()


def _rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A safetensors file with another header over the same data."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    written = json.dumps(header).encode()
    path.write_bytes(len(written).to_bytes(8, "little") + written + data[8 + length :])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [-1, -2]),
        ("shape", [float("inf")]),
        ("shape", [2.5, 3]),
        ("shape", ["3"]),
        ("data_offsets", [float("inf"), 2]),
        ("data_offsets", [-5, 5]),
        ("data_offsets", [0, 10**30]),
    ],
)
def test_a_tensor_that_cannot_lie_there(copy: Copy, field: str, value: Any) -> None:
    folder = copy("full")

    def spoil(header: dict[str, Any]) -> None:
        header["lm_head.weight"][field] = value

    _rewritten(folder / "model.safetensors", spoil)
    assert "model.safetensors" in _refused(folder)


def test_a_header_that_nests_without_end(copy: Copy) -> None:
    folder = copy("full")
    (folder / "model.safetensors").write_bytes((300_000).to_bytes(8, "little") + b"[" * 300_000)
    assert "the safetensors header is wrong" in _refused(folder)


@pytest.mark.parametrize(
    ("suffix", "change", "words"),
    [
        pytest.param("int4", {"dtype": "I8"}, "torch.int8, not torch.uint8", id="codes of another type"),
        pytest.param("scale", "flat", "for a width of", id="scales of one side"),
        pytest.param("scale", "turned", "for a width of", id="scales turned round"),
    ],
)
def test_int4_parts_that_do_not_fit(copy: Copy, suffix: str, change: Any, words: str) -> None:
    folder = copy("int4")

    def spoil(header: dict[str, Any]) -> None:
        entry = header[f"model.layers.0.mlp.down_proj.weight.{suffix}"]
        rows, columns = entry["shape"]
        sides = {"flat": [rows * columns], "turned": [columns, rows]}
        entry.update(change if isinstance(change, dict) else {"shape": sides[change]})

    _rewritten(folder / "model-layer-000.safetensors", spoil)
    assert words in _refused(folder)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(torch.eye(3).to_sparse(), id="sparse"),
        pytest.param(torch.empty(3, device="meta"), id="no data"),
        pytest.param(torch.zeros(3, dtype=torch.complex64), id="complex"),
        pytest.param("words", id="text"),
    ],
)
def test_a_pickle_of_something_else_than_plain_tensors(tmp_path: Path, value: Any) -> None:
    torch.save({"a": value}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelFormatError, match=r"cannot be read"):
        Checkpoint(tmp_path)


def test_a_pickle_cut_or_spoiled_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(4), "b": torch.ones(2, 2)}, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        for spoiled in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :]):
            path.write_bytes(spoiled)
            with contextlib.suppress(ModelFormatError):  # a flipped bit of data cannot be seen
                Checkpoint(tmp_path).close()
