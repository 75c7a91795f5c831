"""Fronts computed ahead of a prompt: what they save, what they never change, and who goes before them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from npc_sdk.engine.local import front_file, worker
from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.engine.local.snapshot import Snapshot, read_file
from npc_sdk.errors import DeadlineMissed, DuplicateRequest, PromptTooLong, RequestError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Priority, Sampling, Segment

from .streams import PATIENCE_S, Start, StepGate, ask, assert_nobody_lives, collect, encode, ends, until_queued

FRONT, WORDS = "q" * 130, "z" * 12  # a token a letter


def front(name: str = "front", text: str = FRONT, **fields: Any) -> PrefillRequest:
    return PrefillRequest(name, (Segment(text),), **fields)


def whole(name: str = "r", **fields: Any) -> GenerateRequest:
    """A prompt whose first segment is stable."""
    sampling = Sampling(temperature=0.0, max_new_tokens=8)
    return GenerateRequest(name, (Segment(FRONT), Segment(WORDS)), sampling=sampling, bulk_segments=1, **fields)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
async def test_a_front_is_there_when_its_prompt_comes_and_changes_no_word(start: Start, dtype: str) -> None:
    expected, _ = await collect(start(cache_bytes=0, dtype=dtype), whole())
    engine = start(dtype=dtype)
    usage = await engine.prefill(front(bulk_segments=1))
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (len(FRONT), 0, 0)
    text, end = await collect(engine, whole())
    assert (text, end.usage.cached_tokens) == (expected, len(FRONT))
    assert (await engine.prefill(front(bulk_segments=1))).cached_tokens == len(FRONT)
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()


async def test_what_was_typed_is_there_and_a_wrong_guess_is_never_seen(start: Start) -> None:
    expected, _ = await collect(start(cache_bytes=0), whole())
    engine = start()
    for guess in (FRONT + "zq", FRONT + "z" * 9):
        await engine.prefill(front(text=guess))
    text, end = await collect(engine, whole())
    assert text == expected
    assert end.usage.cached_tokens == len(FRONT) + 9


async def test_a_conversation_computes_nothing_twice(start: Start, force_tokens: Callable[[list[int]], None]) -> None:
    force_tokens(encode("q" * 12))  # which are cut alike when they come back as history
    engine = start(dtype="bfloat16")
    text, first = await collect(engine, whole())
    sampling = Sampling(temperature=0.0, max_new_tokens=4)
    segments = (Segment(FRONT), Segment(WORDS), Segment(text), Segment("q"))
    _, second = await collect(engine, GenerateRequest("again", segments, sampling=sampling, bulk_segments=1))
    said = first.usage.prompt_tokens + first.usage.completion_tokens
    assert second.usage.cached_tokens == said - 1  # the last token drawn was never fed


async def test_a_cancelled_front_keeps_what_it_has(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=Limits(busy_chunk_tokens=64))
    gate = StepGate(monkeypatch, free=1)
    running = asyncio.ensure_future(engine.prefill(front()))
    await gate.stands()
    engine.cancel("front")
    gate.let()
    await asyncio.wait_for(running, PATIENCE_S)
    _, end = await collect(engine, whole())
    assert 64 <= end.usage.cached_tokens < len(FRONT)


async def test_a_front_that_cannot_be_is_refused(start: Start) -> None:
    engine = start()
    with pytest.raises(RequestError, match="empty prompt"):
        await engine.prefill(front(text=""))
    with pytest.raises(PromptTooLong):
        await engine.prefill(front(text="q" * 3000))


async def test_a_player_goes_between_two_layers_of_a_lower_step(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    order: list[str] = []
    task = await _player_between_layers(engine, monkeypatch, order)
    usage = await engine.prefill(front())
    order.append("front")
    text, _ = await task[0]
    assert order == ["player", "front"]
    assert usage.prompt_tokens == len(FRONT)
    expected, _ = await collect(start(cache_bytes=0), ask("player"))
    assert text == expected
    after, end = await collect(engine, whole())
    assert (after, end.usage.cached_tokens) == ((await collect(start(cache_bytes=0), whole()))[0], len(FRONT))


async def _player_between_layers(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, order: list[str]
) -> list[asyncio.Task[Any]]:
    """Has a player ask once the first step of anybody else's has reached its first layer's end."""
    loop, hidden = asyncio.get_running_loop(), Decoder.hidden
    tasks: list[asyncio.Task[Any]] = []
    is_first = True

    async def play() -> Any:
        result = await collect(engine, ask("player"))
        order.append("player")
        return result

    def watched(self: Decoder, batch: Any, pool: Any, between_layers: Any) -> torch.Tensor:
        nonlocal is_first

        def hook() -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                arrived = asyncio.run_coroutine_threadsafe(_begin(engine, tasks, play), loop)
                arrived.result(PATIENCE_S)
            between_layers()

        return hidden(self, batch, pool, hook)

    monkeypatch.setattr(Decoder, "hidden", watched)
    return tasks


async def _begin(engine: LocalEngine, tasks: list[asyncio.Task[Any]], play: Any) -> None:
    """Starts a task and lets it reach the engine's queue."""
    tasks.append(asyncio.ensure_future(play()))
    await until_queued(engine)


async def test_words_that_would_come_too_late_are_dropped_unsaid(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=Limits(running=1))
    gate = StepGate(monkeypatch, free=2)
    speaker = asyncio.ensure_future(collect(engine, ask("speaker", max_new_tokens=30)))
    await gate.stands()
    bark = GenerateRequest("bark", (Segment("hey"),), priority=Priority.AMBIENT, start_by_s=0.1)
    barking = asyncio.ensure_future(collect(engine, bark))
    await until_queued(engine)
    await asyncio.sleep(0.2)
    gate.let()
    with pytest.raises(DeadlineMissed, match=r"within 0\.1 s"):
        await barking
    await speaker
    await assert_nobody_lives(engine)
    assert ends(engine) == ["bark", "speaker"]


async def test_words_that_begin_in_time_are_said_to_their_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    hidden, ahead = Decoder.hidden, iter([0.0, *[2 * PATIENCE_S] * 100])
    clock = time.perf_counter

    def step(decoder: Decoder, *args: Any) -> torch.Tensor:
        """After the first, the time in which the first word must be said is long over."""
        passed = next(ahead)
        monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: clock() + passed))
        return hidden(decoder, *args)

    monkeypatch.setattr(Decoder, "hidden", step)
    sampling = Sampling(temperature=0.0, max_new_tokens=30)
    _, end = await collect(engine, GenerateRequest("bark", (Segment("hey"),), sampling=sampling, start_by_s=PATIENCE_S))
    assert end.usage.completion_tokens == 30


async def test_a_front_comes_back_from_its_file(start: Start, tmp_path: Path) -> None:
    wanted = front(bulk_segments=1, snapshot=tmp_path / "new" / "mara.front")
    first = await start(dtype="bfloat16").prefill(wanted)
    assert first.cached_tokens == 0
    engine = start(dtype="bfloat16")
    assert (await engine.prefill(wanted)).cached_tokens == len(FRONT)
    text, end = await collect(engine, whole())
    assert end.usage.cached_tokens == len(FRONT)
    assert text == (await collect(start(cache_bytes=0, dtype="bfloat16"), whole()))[0]


@pytest.mark.parametrize("what", ["damaged", "another prompt's", "another model's"])
async def test_a_file_that_does_not_fit_is_made_anew(
    start: Start, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mara.front"
    made = front(text="z" * 90) if what == "another prompt's" else front()
    await start("llama" if what == "another model's" else "nemotron").prefill(replace(made, snapshot=path))
    if what == "damaged":
        raw = bytearray(path.read_bytes())
        raw[-100] ^= 1
        path.write_bytes(raw)
    assert (await start().prefill(front(snapshot=path))).cached_tokens == 0
    assert "is computed, not read" in caplog.text
    assert (await start().prefill(front(snapshot=path))).cached_tokens == len(FRONT)


async def test_a_front_has_its_id_and_can_be_cancelled_while_its_file_is_read(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = front(snapshot=tmp_path / "mara.front")
    await start().prefill(wanted)
    is_read, may_go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Snapshot:
        is_read.set()
        assert may_go_on.wait(PATIENCE_S)
        return read_file(*arguments)

    monkeypatch.setattr(front_file, "read_file", slow)
    engine = start()
    computing = asyncio.create_task(engine.prefill(wanted))
    assert await asyncio.to_thread(is_read.wait, PATIENCE_S)
    with pytest.raises(DuplicateRequest):
        await engine.prefill(wanted)
    engine.cancel("front")
    may_go_on.set()
    assert (await computing).cached_tokens == 0
    await assert_nobody_lives(engine)
    assert [one.end for one in engine.stats().requests] == ["cancelled"]
    assert engine.prefix_cache.kept_blocks == 0
    assert engine._open == {}


async def test_a_front_whose_task_ends_while_its_file_is_read_frees_its_id(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_read, may_go_on = threading.Event(), threading.Event()

    def slow(*_arguments: Any) -> Snapshot:
        is_read.set()
        may_go_on.wait(PATIENCE_S)
        raise RequestError("nobody waits for it")

    monkeypatch.setattr(front_file, "read_file", slow)
    engine = start()
    (tmp_path / "mara.front").touch()
    computing = asyncio.create_task(engine.prefill(front(snapshot=tmp_path / "mara.front")))
    assert await asyncio.to_thread(is_read.wait, PATIENCE_S)
    computing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await computing
    may_go_on.set()
    assert engine._open == {}
    assert (await engine.prefill(front())).prompt_tokens == len(FRONT)


async def test_eight_bit_caches_take_half_the_room_and_still_talk(start: Start) -> None:
    sizes = []
    for cache_dtype in ("int8", None):
        engine = start(cache_dtype=cache_dtype, dtype="bfloat16")
        _, end = await collect(engine, whole())
        assert end.usage.completion_tokens == 8
        await assert_nobody_lives(engine)
        sizes.append(engine.prefix_cache.byte_count / engine.prefix_cache.kept_blocks)
    assert sizes[0] < 0.6 * sizes[1]


async def test_late_frames_are_seen_in_the_figures(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=Limits(draft_tokens=0))
    hidden, seen = Decoder.hidden, []

    def step(decoder: Decoder, *args: Any) -> torch.Tensor:
        """A frame with each, as only one that comes soon after the model's work is late because of it."""
        result = hidden(decoder, *args)
        engine.note_frame(0.05)
        seen.append(engine.stats().governor)
        return result

    monkeypatch.setattr(Decoder, "hidden", step)
    _, end = await collect(engine, ask("speaker", max_new_tokens=60))
    assert any(governor.is_throttling for governor in seen)
    assert seen[-1].late_frames > 3
    assert seen[-1].slowdowns >= 1
    assert end.usage.completion_tokens == 60


async def test_a_recorded_step_takes_the_place_of_the_eager_one(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = await collect(start(cache_bytes=0), whole())
    engine = start(limits=Limits(draft_tokens=0))
    assert engine._worker._runner is not None
    runner, replayed = engine._worker._runner, []

    def replay(works: Sequence[Work]) -> torch.Tensor | None:
        if len(works[0].ids) > 1:
            return None
        replayed.append(works[0].ids)
        with torch.inference_mode():
            return runner._eager(works, lambda: None)

    monkeypatch.setattr(runner, "_replay", replay)
    text, end = await collect(engine, whole())
    assert text == expected
    assert len(replayed) == end.usage.completion_tokens - 1
