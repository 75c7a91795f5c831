"""Whatever happens to it, a stream ends exactly once, with the right item or error, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import aclosing
from typing import Any

import pytest
import torch

from npc_sdk.engine.interface import Generated
from npc_sdk.engine.local.batch import Batch
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import Limits
from npc_sdk.engine.local.scheduler import Scheduler
from npc_sdk.errors import (
    DuplicateRequest,
    EngineCrashed,
    EngineError,
    NpcError,
    Overloaded,
    ReplyTimeout,
    RequestError,
)
from npc_sdk.requests import GenerateRequest, Priority

from .streams import PROMPT, Start, StepGate, ask, assert_nobody_lives, collect, encode, slow_down, until


@pytest.mark.parametrize(
    ("request_", "error"),
    [(ask(text=""), RequestError), (ask(temperature=-1.0), RequestError), (ask(stop=("",)), RequestError)],
    ids=["empty prompt", "temperature", "empty stop"],
)
async def test_wrong_requests_are_refused(start: Start, request_: GenerateRequest, error: type[NpcError]) -> None:
    with pytest.raises(error):
        await collect(start(), request_)


async def test_cancel_ends_the_stream_and_frees_its_cache(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(cache_bytes=0, limits=Limits(draft_tokens=0))
    gate = StepGate(monkeypatch, free=10)
    items = []
    async for item in engine.stream(ask(max_new_tokens=100)):
        items.append(item)
        engine.cancel("r")
        gate.let()
    end = items[-1]
    assert isinstance(end, Generated)
    assert end.finish_reason == "cancelled"
    assert end.usage.completion_tokens < 20
    await assert_nobody_lives(engine)
    assert engine.prefix_cache.byte_count == 0
    engine.cancel("r")  # unknown by now, and ignored


async def test_cancel_works_between_chunks_of_the_prompt(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=Limits(chunk_tokens=1))
    gate = StepGate(monkeypatch, free=5)
    running = asyncio.create_task(collect(engine, ask(text="a" * 150)))
    await gate.stands()
    engine.cancel("r")
    gate.let()
    text, end = await running
    assert (text, end.finish_reason, end.usage.completion_tokens) == ("", "cancelled", 0)
    await assert_nobody_lives(engine)
    assert engine.stats().steps == 6
    engine.prefix_cache.check_integrity()


async def test_closing_the_iterator_cancels(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    slow_down(monkeypatch)
    async with aclosing(engine.stream(ask(max_new_tokens=100))) as stream:
        async for _ in stream:
            break
    await assert_nobody_lives(engine)
    await collect(engine, ask(max_new_tokens=2))  # its id is free again


@pytest.mark.parametrize("deadline_s", [0.0, 0.08], ids=["at once", "on the way"])
async def test_a_deadline_ends_the_reply(start: Start, monkeypatch: pytest.MonkeyPatch, deadline_s: float) -> None:
    engine = start()
    slow_down(monkeypatch)
    with pytest.raises(ReplyTimeout, match=f"{deadline_s:g} s"):
        await collect(engine, ask(deadline_s=deadline_s, max_new_tokens=150))
    await assert_nobody_lives(engine)


async def test_a_failing_step_ends_its_request_only(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    hidden, boom = Decoder.hidden, encode("boom!")

    def break_on_marker(self: Decoder, batch: Batch, *rest: Any) -> torch.Tensor:
        if any(batch.ids[at : at + len(boom)] == boom for at in range(len(batch.ids))):
            raise MemoryError("no room")
        return hidden(self, batch, *rest)

    monkeypatch.setattr(Decoder, "hidden", break_on_marker)
    good, bad = await asyncio.gather(
        collect(engine, ask("good")), collect(engine, ask("bad", "boom!")), return_exceptions=True
    )
    assert isinstance(bad, EngineCrashed)
    assert "MemoryError: no room" in str(bad)
    assert isinstance(good, tuple)
    assert good[0] == (await collect(engine, ask("again")))[0]
    engine.prefix_cache.check_integrity()


async def test_logits_that_are_no_numbers_end_the_request(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "logits", lambda self, _hidden: torch.full((1, self.config.vocab_size), float("nan")))
        with pytest.raises(EngineError, match="not finite"):
            await collect(engine, ask())
    assert (await collect(engine, ask()))[1].finish_reason in ("stop", "length")


async def test_a_scheduler_that_breaks_ends_everything_with_an_error(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start()

    def broken(*_args: object) -> None:
        raise ValueError("ours")

    monkeypatch.setattr(Scheduler, "plan", broken)
    with pytest.raises(EngineCrashed, match="ValueError: ours"):
        await collect(engine, ask())
    with pytest.raises(EngineCrashed, match="closed"):
        await collect(engine, ask())


async def test_more_than_the_queue_holds_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=Limits(queue=2))
    slow_down(monkeypatch)
    results = await asyncio.gather(*(collect(engine, ask(f"r{i}")) for i in range(4)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, Overloaded)]
    assert len(refused) == 2
    assert all(one.retryable for one in refused)


async def test_a_running_id_cannot_be_used_again(start: Start) -> None:
    engine = start()
    results = await asyncio.gather(collect(engine, ask()), collect(engine, ask()), return_exceptions=True)
    assert [type(one) for one in results] == [tuple, DuplicateRequest]


async def test_close_ends_open_streams_and_refuses_new_ones(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    gate = StepGate(monkeypatch, free=2)
    tasks = [asyncio.ensure_future(collect(engine, ask(f"r{i}", max_new_tokens=150))) for i in range(3)]
    await gate.stands()
    closing = asyncio.create_task(engine.close())
    await until(lambda: engine._worker._is_closing)
    gate.let()
    await closing
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [EngineCrashed] * 3
    with pytest.raises(EngineCrashed, match="closed"):
        await collect(engine, ask())
    await engine.close()


async def test_every_stream_ends_once_under_random_use(start: Start) -> None:
    engine = start(limits=Limits(queue=40, running=3, chunk_tokens=8), cache_bytes=1_100_000)
    rng = random.Random(2)

    async def one(index: int) -> str:
        request = ask(
            f"r{index}",
            PROMPT[: rng.randrange(20, len(PROMPT))],
            priority=rng.choice(list(Priority)),
            deadline_s=(0.0, None)[index] if index < 2 else rng.choice([None, None, 0.05]),
            max_new_tokens=rng.randrange(1, 30),
            temperature=1.0,
        )
        await asyncio.sleep(rng.random() * 0.1)
        if index > 1:
            whom = rng.choice([f"r{index}", "nobody"])
            asyncio.get_running_loop().call_later(rng.random() * 0.3, engine.cancel, whom)
        try:
            return (await collect(engine, request))[1].finish_reason
        except ReplyTimeout:
            return "timeout"

    ends = await asyncio.wait_for(asyncio.gather(*(one(i) for i in range(40))), 100)
    assert ends[0] == "timeout"
    assert ends[1] in ("stop", "length")
    assert set(ends) <= {"timeout", "cancelled", "stop", "length"}
    await assert_nobody_lives(engine)
    assert engine._open == {}
    engine.prefix_cache.check_integrity()


async def test_a_loop_that_closes_while_the_worker_speaks_does_not_take_the_worker_with_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, has_spoken = start(), threading.Event()
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe

    def closing(callback: Any, *args: Any, **options: Any) -> Any:
        if threading.current_thread().name == "npc-engine":
            has_spoken.set()
            raise RuntimeError("Event loop is closed")
        return call(callback, *args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", closing)
    unheard = asyncio.ensure_future(collect(engine, ask("unheard", max_new_tokens=3)))
    await until(has_spoken.is_set)
    unheard.cancel()
    monkeypatch.undo()
    text, end = await collect(engine, ask(max_new_tokens=3))
    assert (bool(text), end.finish_reason) == (True, "length")


async def test_half_a_character_in_a_prompt_is_a_request_error(start: Start) -> None:
    with pytest.raises(RequestError, match="half a character"):
        await collect(start(), ask(text="a\ud800b"))
