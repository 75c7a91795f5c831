"""A front saved from one cache and loaded into another: who finds it, who makes room, the same tokens after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.loader import load_decoder
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.engine.local.snapshot import DIGEST_BYTES, HEADER, put, read_file, take, write_file
from npc_sdk.errors import Overloaded, RequestError, SettingsError
from npc_sdk.requests import GenerateRequest, Sampling

from .checkpoints import VOCAB
from .conftest import Zoo
from .desk import FRONT, MODEL, SHAPES, Shelf, read_front, save_front
from .test_random_plans import Table

NEW_TOKENS = 20


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 63, 64, 65, 137, 192], ids=lambda count: f"{count} tokens")
def test_what_was_saved_is_found_by_others(tmp_path: Path, shape: CacheShape, count: int) -> None:
    tokens = list(range(1, count + 1))
    wide_until = count // 2 // BLOCK_TOKENS * BLOCK_TOKENS
    path = save_front(tmp_path / "front", tokens, shape, wide_until)
    shelf = Shelf.of(shape=shape)
    assert shelf.put(read_front(path, shape=shape)) == count
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
    assert lease.cache.pool.read(0, lease.cache.where(2))[0][0, :, 0].tolist() == running
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
