"""A snapshot's file: every one refused that is not exactly what was saved, or that another model or kernel wrote."""

from __future__ import annotations

import hashlib
import os
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npc_sdk.engine.local import fingerprint as fingerprint_module
from npc_sdk.engine.local.block_pool import CacheShape
from npc_sdk.engine.local.fingerprint import fingerprint
from npc_sdk.engine.local.snapshot import DIGEST_BYTES, HEADER
from npc_sdk.errors import ModelFormatError, NpcError, SettingsError
from tests.effort import effort_below

from .desk import FRONT, SHAPE, SHAPES, read_front, save_front


def _patched(whole: bytes, at: int, form: str, *values: Any) -> bytes:
    """A file with other header fields and a digest that fits."""
    body = bytearray(whole[:-DIGEST_BYTES])
    struct.pack_into(form, body, at, *values)
    return bytes(body) + hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


# where the header's fields lie
VERSION, BLOCK, COUNT, WIDE = 8, 12, 48, 52
WRONG_FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _whole: b"", "no snapshot"),
    "a few bytes": (lambda whole: whole[:20], "no snapshot"),
    "header only": (lambda whole: whole[: HEADER.size], "is damaged"),
    "cut": (lambda whole: whole[:-1], "is damaged"),
    "longer": (lambda whole: whole + b"\0", "is damaged"),
    "another kind": (lambda whole: b"PK\3\4" * (len(whole) // 4), "no snapshot"),
    "older format": (lambda whole: _patched(whole, VERSION, "<I", 0), "is of format 0; this version reads 1"),
    "newer format": (lambda whole: _patched(whole, VERSION, "<I", 2), "is of format 2"),
    "other blocks": (lambda whole: _patched(whole, BLOCK, "<I", 32), "blocks of 32 tokens"),
    "another model": (lambda whole: _patched(whole, 16, "<32s", b"x" * 32), "another model"),
    "no tokens": (lambda whole: _patched(whole, COUNT, "<I", 0), "is damaged"),
    "all tokens": (lambda whole: _patched(whole, COUNT, "<I", 2**32 - 1), "is damaged"),
    "one token more": (lambda whole: _patched(whole, COUNT, "<I", len(FRONT) + 1), "is damaged"),
    "wide past the end": (lambda whole: _patched(whole, WIDE, "<I", 64 * 99), "is damaged"),
    "another token": (lambda whole: whole[:60] + b"\x7f" + whole[61:], "its digest differs"),
    "another key": (lambda whole: whole[:900] + b"\1\1" + whole[902:], "its digest differs"),
    "another digest": (lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), "its digest differs"),
    "zeros": (lambda whole: whole[: HEADER.size] + bytes(len(whole) - HEADER.size), "its digest differs"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    path = save_front(tmp_path / "front")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelFormatError, match=message) as caught:
        read_front(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_changed_byte_and_every_cut_is_seen(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "front"
    whole = bytearray((path if path.exists() else save_front(path)).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    wrong = tmp_path / "wrong"
    if data.draw(st.booleans()):
        wrong.write_bytes(whole[:at])
    else:
        whole[at] ^= data.draw(st.integers(1, 255))
        wrong.write_bytes(whole)
    with pytest.raises(NpcError):
        read_front(wrong)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, shape: CacheShape) -> None:
    path = save_front(tmp_path / "front", shape=shape)
    for other in (replace(shape, layers=3), replace(shape, is_int8=not shape.is_int8)):
        with pytest.raises(ModelFormatError, match="is damaged"):
            read_front(path, shape=other)


def test_a_front_past_the_window_is_refused(tmp_path: Path) -> None:
    path = save_front(tmp_path / "front")
    with pytest.raises(SettingsError, match="137 tokens, which is more than 136"):
        read_front(path, max_tokens=136)
    assert len(read_front(path, max_tokens=137).tokens) == 137


def test_a_hostile_file_is_refused_at_once_and_takes_no_memory(tmp_path: Path) -> None:
    path = save_front(tmp_path / "front")
    path.write_bytes(_patched(path.read_bytes(), COUNT, "<I", 2**32 - 1))
    huge = tmp_path / "huge"
    huge.write_bytes(path.read_bytes())
    os.truncate(huge, 50 * 2**30)  # a hole: it takes no room on the disk
    tracemalloc.start()
    with effort_below(1):
        for one in (path, huge):
            with pytest.raises(ModelFormatError):
                read_front(one, max_tokens=4096)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe", Path("a\0b")):
        with pytest.raises(SettingsError, match="no snapshot"):
            read_front(path)


@pytest.mark.parametrize("name", ["missing/front", "file/front", "folder", "a\0b"])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="cannot write the snapshot"):
        save_front(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_front(tmp_path / "front")
    old = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SettingsError, match="No space left"):
        save_front(path, FRONT[:80])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_replaces_the_file_that_was_there(tmp_path: Path) -> None:
    path = save_front(tmp_path / "front")
    save_front(path, FRONT[:80])
    assert read_front(path).tokens == tuple(FRONT[:80])
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder as far as a fingerprint looks."""
    (tmp_path / "config.json").write_text('{"npc_quantization": {"bits": 4}}')
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    (tmp_path / "model-1.safetensors").write_bytes(bytes(3_000_000))
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


CHANGES: dict[str, Callable[[Path, pytest.MonkeyPatch], None]] = {
    "config": lambda folder, _patch: (folder / "config.json").write_text("{}") and None,
    "index": lambda folder, _patch: (folder / "model.safetensors.index.json").write_text("[]") and None,
    "first weight": lambda folder, _patch: _poke(folder, 0),
    "last weight": lambda folder, _patch: _poke(folder, 2_999_999),
    "a weight inside": lambda folder, _patch: _poke(folder, 3 * (3_000_000 - 65_536) // 7),
    "one byte more": lambda folder, _patch: os.truncate(folder / "model-1.safetensors", 3_000_001),
    "file name": lambda folder, _patch: (folder / "model-1.safetensors").rename(folder / "model.safetensors") and None,
    "another file": lambda folder, _patch: (folder / "model-2.safetensors").touch(),
    "torch": lambda _folder, patch: patch.setattr(torch, "__version__", "9"),
    "kernels": lambda _folder, patch: patch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}),
    "vectors": lambda _folder, patch: patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2"),
}


def _poke(folder: Path, at: int) -> None:
    with (folder / "model-1.safetensors").open("r+b") as file:
        file.seek(at)
        file.write(b"\1")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_fingerprint_tells_models_and_kernels_apart(
    folder: Path, change: Callable[[Path, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(folder, SHAPE, has_wide=True)
    assert fingerprint(folder, SHAPE, has_wide=True) == before
    assert len(before) == fingerprint_module.FINGERPRINT_BYTES
    with monkeypatch.context() as patch:
        change(folder, patch)
        assert fingerprint(folder, SHAPE, has_wide=True) != before


def test_a_fingerprint_tells_settings_apart_but_not_tokenizers_or_places(folder: Path, tmp_path: Path) -> None:
    settings_of = [
        (SHAPE, True),
        (SHAPE, False),
        (replace(SHAPE, is_int8=True), True),
        (replace(SHAPE, dtype=torch.bfloat16), True),
    ]
    prints = [fingerprint(folder, shape, has_wide=has_wide) for shape, has_wide in settings_of]
    assert len(set(prints)) == len(prints)
    (folder / "tokenizer.json").write_text("[1]")
    moved = folder.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert fingerprint(moved, SHAPE, has_wide=True) == prints[0]


def test_a_fingerprint_of_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="cannot read"):
        fingerprint(tmp_path / "missing", SHAPE, has_wide=False)
