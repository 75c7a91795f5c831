"""A front on disk and back: the same tokens after it, and every file refused that is not exactly what was saved."""

from __future__ import annotations

import hashlib
import os
import struct
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.engine.local import fingerprint as fingerprint_module
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.fingerprint import fingerprint
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.loader import load_decoder
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.engine.local.snapshot import DIGEST_BYTES, HEADER, Snapshot, put, read_file, take, write_file
from npc_sdk.errors import ModelFormatError, NpcError, Overloaded, RequestError, SettingsError
from npc_sdk.requests import GenerateRequest, Sampling

from .checkpoints import VOCAB
from .conftest import Zoo
from .test_random_plans import Table

SHAPE = CacheShape(layers=2, kv_heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
SHAPES = [pytest.param(SHAPE, id="plain"), pytest.param(replace(SHAPE, is_int8=True), id="int8")]
MODEL = bytes(range(32))
FRONT = list(range(2 * BLOCK_TOKENS + 9))
NEW_TOKENS = 20


@dataclass
class Shelf:
    """A pool with its tree, filled by hand."""

    pool: BlockPool
    tree: PrefixCache

    @classmethod
    def of(cls, blocks: int = 8, kept_blocks: int = 100, shape: CacheShape = SHAPE) -> Shelf:
        pool = BlockPool(shape, blocks)
        return cls(pool, PrefixCache(pool, kept_blocks * shape.block_bytes))

    def run(self, tokens: list[int], wide_until: int = 0) -> Lease:
        """A sequence that found or computed these tokens: each one's keys are its number."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens)
        assert lease.reserve(len(tokens))
        first, shape = lease.length, self.pool.shape
        if first < len(tokens):
            slots = torch.tensor(lease.cache.slots(first, len(tokens)))
            rows = torch.tensor(tokens[first:], dtype=torch.float32)[:, None, None]
            rows = rows.expand(-1, shape.kv_heads, shape.head_dim)
            for layer in range(shape.layers):
                self.pool.write(layer, slots, rows, rows + layer)
            lease.cache.advance(len(tokens) - first)
        lease.publish(tokens)
        return lease

    def fill(self, tokens: list[int], wide_until: int = 0) -> Shelf:
        self.run(tokens, wide_until).release(tokens)
        return self

    def found(self, tokens: list[int], wide_until: int = 0) -> list[float]:
        """The first keys of what a new sequence would find of these tokens."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens)
        keys = lease.cache.read(0, lease.cache.capacity)[0][0, : lease.length, 0] if lease.length else torch.empty(0)
        lease.discard()
        self.check()
        return [round(number, 3) for number in keys.tolist()]

    def take(self, tokens: list[int] = FRONT, wide_until: int = 0) -> Snapshot:
        return take(self.pool, self.tree, tokens, wide_until)

    def put(self, snapshot: Snapshot) -> int:
        try:
            return put(snapshot, self.pool, self.tree)
        finally:
            self.check()

    def check(self) -> None:
        self.tree.check_integrity()

    @property
    def state(self) -> tuple[int, int, int]:
        return self.pool.free_blocks, self.tree.kept_blocks, len(self.tree)


def _saved(path: Path, tokens: list[int] = FRONT, shape: CacheShape = SHAPE, wide_until: int = 0) -> Path:
    write_file(path, Shelf.of(shape=shape).fill(tokens, wide_until).take(tokens, wide_until), MODEL)
    return path


def _read(path: Path, *, shape: CacheShape = SHAPE, model: bytes = MODEL, max_tokens: int = 1000) -> Snapshot:
    return read_file(path, shape, model, max_tokens)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 63, 64, 65, 137, 192], ids=lambda count: f"{count} tokens")
def test_what_was_saved_is_found_by_others(tmp_path: Path, shape: CacheShape, count: int) -> None:
    tokens = list(range(1, count + 1))
    wide_until = count // 2 // BLOCK_TOKENS * BLOCK_TOKENS
    path = _saved(tmp_path / "front", tokens, shape, wide_until)
    shelf = Shelf.of(shape=shape)
    assert shelf.put(_read(path, shape=shape)) == count
    assert shelf.found([*tokens, -1], wide_until) == tokens
    other = wide_until - BLOCK_TOKENS if wide_until else count // BLOCK_TOKENS * BLOCK_TOKENS
    assert len(shelf.found(tokens, other)) == min(other, wide_until) or other == wide_until
    assert path.stat().st_size == HEADER.size + count * (4 + shape.token_bytes) + DIGEST_BYTES


def test_a_front_of_the_4b_shape_takes_118_mb_and_60_in_int8() -> None:
    shape = CacheShape(32, 8, 128, torch.bfloat16, torch.device("cpu"))
    sizes = [900 * (4 + one.token_bytes) for one in (shape, replace(shape, is_int8=True))]
    assert [round(size / 1e6) for size in sizes] == [118, 60]


def test_the_front_of_a_longer_prompt_can_be_saved() -> None:
    shelf = Shelf.of().fill([*FRONT, 500, 501])
    other = Shelf.of()
    assert other.put(shelf.take(FRONT)) == len(FRONT)
    assert other.found([*FRONT, 500]) == FRONT


def test_what_the_tree_lacks_cannot_be_saved() -> None:
    shelf = Shelf.of().fill(FRONT[:70])
    with pytest.raises(RequestError, match="holds 70 of the front's 137 tokens"):
        shelf.take(FRONT)
    with pytest.raises(RequestError, match="holds 0"):
        shelf.take(FRONT[:BLOCK_TOKENS], wide_until=BLOCK_TOKENS)
    with pytest.raises(RequestError, match="0 of the front's 0"):
        shelf.take([])
    shelf.check()


def test_what_is_held_already_is_not_stored_twice() -> None:
    shelf = Shelf.of().fill(FRONT[: BLOCK_TOKENS + 3])
    snapshot = Shelf.of().fill(FRONT).take()
    assert shelf.put(snapshot) == len(FRONT)
    assert shelf.tree.kept_blocks == 3
    assert shelf.found([*FRONT, -1]) == FRONT
    before = shelf.state
    assert shelf.put(snapshot) == len(FRONT)
    assert shelf.state == before


def test_others_are_evicted_for_it_but_nobody_who_runs() -> None:
    snapshot = Shelf.of().fill(FRONT).take()
    running, kept = list(range(1000, 1000 + 2 * BLOCK_TOKENS)), list(range(2000, 2000 + 3 * BLOCK_TOKENS))
    shelf = Shelf.of(blocks=5).fill(kept)
    lease = shelf.run(running)
    assert shelf.put(snapshot) == len(FRONT)
    assert shelf.found([*FRONT, 1]) == FRONT[: 2 * BLOCK_TOKENS]  # no block is left to copy the rest into
    assert shelf.found(kept) == []
    assert lease.cache.read(0, 2 * BLOCK_TOKENS)[0][0, :, 0].tolist() == running
    lease.release(running)
    shelf.check()


def test_what_running_ones_leave_no_room_for_is_refused_and_evicts_nobody() -> None:
    snapshot = Shelf.of().fill(FRONT).take()
    running, kept = list(range(1000, 1000 + 3 * BLOCK_TOKENS)), list(range(2000, 2000 + BLOCK_TOKENS))
    shelf = Shelf.of(blocks=5).fill(kept)
    lease = shelf.run(running)
    before = shelf.state
    with pytest.raises(Overloaded, match="3 blocks"):
        shelf.put(snapshot)
    assert shelf.state == before
    assert shelf.found(FRONT) == []
    lease.release(running)
    assert shelf.put(snapshot) == len(FRONT)


def test_what_the_cache_could_never_keep_is_refused() -> None:
    snapshot = Shelf.of().fill(FRONT).take()
    for shelf in (Shelf.of(blocks=2), Shelf.of(blocks=8, kept_blocks=2)):
        with pytest.raises(SettingsError, match=r"3 blocks, the cache keeps 2 \(raise cache_bytes"):
            shelf.put(snapshot)
        assert shelf.state == (shelf.pool.blocks, 0, 0)


def test_a_failure_while_copying_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Shelf.of().fill(FRONT).take()
    shelf = Shelf.of().fill(FRONT[:70])
    before = shelf.state

    def fail(*_args: object) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(BlockPool, "scatter", fail)
        with pytest.raises(RuntimeError):
            shelf.put(snapshot)
    assert shelf.state == before
    assert shelf.found(FRONT) == FRONT[:70]


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
    path = _saved(tmp_path / "front")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelFormatError, match=message) as caught:
        _read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_changed_byte_and_every_cut_is_seen(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "front"
    whole = bytearray((path if path.exists() else _saved(path)).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    wrong = tmp_path / "wrong"
    if data.draw(st.booleans()):
        wrong.write_bytes(whole[:at])
    else:
        whole[at] ^= data.draw(st.integers(1, 255))
        wrong.write_bytes(whole)
    with pytest.raises(NpcError):
        _read(wrong)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, shape: CacheShape) -> None:
    path = _saved(tmp_path / "front", shape=shape)
    for other in (replace(shape, layers=3), replace(shape, is_int8=not shape.is_int8)):
        with pytest.raises(ModelFormatError, match="is damaged"):
            _read(path, shape=other)


def test_a_front_past_the_window_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "front")
    with pytest.raises(SettingsError, match="137 tokens, which is more than 136"):
        _read(path, max_tokens=136)
    assert len(_read(path, max_tokens=137).tokens) == 137


def test_a_hostile_file_is_refused_at_once_and_takes_no_memory(tmp_path: Path) -> None:
    path = _saved(tmp_path / "front")
    path.write_bytes(_patched(path.read_bytes(), COUNT, "<I", 2**32 - 1))
    huge = tmp_path / "huge"
    huge.write_bytes(path.read_bytes())
    os.truncate(huge, 50 * 2**30)  # a hole: it takes no room on the disk
    tracemalloc.start()
    started = time.perf_counter()
    for one in (path, huge):
        with pytest.raises(ModelFormatError):
            _read(one, max_tokens=4096)
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe", Path("a\0b")):
        with pytest.raises(SettingsError, match="no snapshot"):
            _read(path)


@pytest.mark.parametrize("name", ["missing/front", "file/front", "folder", "a\0b"])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="cannot write the snapshot"):
        _saved(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _saved(tmp_path / "front")
    old = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SettingsError, match="No space left"):
        _saved(path, FRONT[:80])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_replaces_the_file_that_was_there(tmp_path: Path) -> None:
    path = _saved(tmp_path / "front")
    _saved(path, FRONT[:80])
    assert _read(path).tokens == tuple(FRONT[:80])
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


# Whole runs: a front computed by one runner, loaded by another.

WORDS = torch.randint(7, VOCAB - 40, (150,), generator=torch.Generator().manual_seed(11)).tolist()


def _sequence(prompt: list[int], *, is_prefill: bool = False) -> Sequence:
    request = GenerateRequest("r", (), sampling=Sampling(temperature=0.0, max_new_tokens=NEW_TOKENS))
    return Sequence(
        request,
        list(prompt),
        room=NEW_TOKENS,
        rules=EndRules(frozenset(), (), frozenset()),
        detokenizer=Detokenizer(lambda ids: "x" * len(ids)),
        emit=lambda _item: None,
        bulk_tokens=len(prompt) if is_prefill else STABLE,
        is_prefill=is_prefill,
    )


STABLE = 137


def _finish(table: Table, one: Sequence) -> Sequence:
    while not one.is_done:
        table.step([one], 100)
        one.finish_prefill()
    table.runner.release(one)
    table.tree.check_integrity()
    return one


@pytest.fixture(scope="module")
def decoders(zoo: Zoo) -> Any:
    """int4 models by type; all closed at the end."""
    loaded = {
        dtype: load_decoder(zoo.int4("nemotron")[0], device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16")
    }
    yield loaded
    for decoder in loaded.values():
        decoder.close()


@pytest.mark.parametrize("is_int8", [False, True], ids=["plain", "int8"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_prompt_after_a_loaded_front_gets_the_same_tokens(
    decoders: dict[str, Decoder], tmp_path: Path, dtype: str, is_int8: bool
) -> None:
    shape = replace(decoders[dtype].cache_shape, is_int8=is_int8)
    decoder = replace(decoders[dtype], cache_shape=shape)
    front, prompt = WORDS[:STABLE], WORDS
    expected = _finish(Table(decoder, 4, 0), _sequence(prompt)).tokens

    writer = Table(decoder, 6, 6)
    _finish(writer, _sequence(front, is_prefill=True))
    wide_until = STABLE if decoder.has_wide else 0
    write_file(tmp_path / "front", take(writer.pool, writer.tree, front, wide_until), MODEL)

    reader = Table(decoder, 6, 6)
    assert put(read_file(tmp_path / "front", shape, MODEL, 192), reader.pool, reader.tree) == STABLE
    one = _finish(reader, _sequence(prompt))
    assert one.cached_tokens == STABLE
    assert one.tokens == expected
