"""However a reply ends, it ends once, frees the engine, and the session goes on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.engine.interface import Chunk, EngineItem, Generated
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineCrashed, NpcError, Overloaded, ReplyTimeout
from npc_sdk.events import Event, ReplyFinished, TextDelta, ToolCall
from npc_sdk.requests import GenerateRequest
from npc_sdk.session import Session
from tests.own_time import in_own_time

from .stage import (
    GIVE,
    RawEngine,
    accept,
    call,
    check_reply,
    end_of,
    failure_of,
    hear,
    ignore,
    make_session,
    make_world,
    refuse,
    settled,
)

SCRIPT = [
    f"Well met. Here you are.\n{GIVE}",
    f"One more. <toolcall> oops </toolcall>{call(item='axe')}",
    "Good bye. Go.",
]


async def plain_length() -> int:
    return len(await hear(make_session(SCRIPT)[0]))


async def test_a_cancel_at_any_event_ends_the_reply_as_cancelled_and_frees_the_session() -> None:
    for position in range(await plain_length() - 1):
        session, engine = make_session([*SCRIPT])
        events: list[Event] = []
        async for event in session.say("Hello", request_id="r1"):
            events.append(event)
            if isinstance(event, ToolCall) and len(events) - 1 != position:
                accept(session, event)
            if len(events) - 1 == position:
                session.cancel("r1")
        check_reply(events)
        assert end_of(events).finish_reason == "cancelled", position
        assert not [e for e in events[position + 1 :] if isinstance(e, TextDelta | ToolCall)], position
        assert not engine._running
        heard = "".join(message.text for message in session.history[2:])
        assert heard.replace(" ", "") == end_of(events).text.replace(" ", "")
        engine._answer = lambda _request: "Fine."
        assert end_of(await hear(session)).text == "Fine."


async def test_a_cancel_after_the_end_or_of_an_unknown_reply_changes_nothing() -> None:
    session, _ = make_session("Fine.")
    session.cancel("nobody")
    events = await hear(session, request_id="r1")
    session.cancel("r1")
    assert end_of(events).finish_reason == "stop"
    assert end_of(await hear(session)).finish_reason == "stop"


async def test_a_cancel_before_the_first_step_asks_nothing_of_the_engine() -> None:
    session, engine = make_session("Fine.")
    stream = session.say("Hello", request_id="r1")
    session.cancel("r1")
    assert [type(event) async for event in stream] == [ReplyFinished]
    assert not engine.requests
    assert len(session.history) == 1


@in_own_time
async def test_a_cancel_wakes_a_reply_that_waits_for_the_engine() -> None:
    loop = asyncio.get_running_loop()

    async def hang(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk("Well ")
        loop.call_later(0.01, session.cancel, "r1")
        await asyncio.sleep(60)

    engine = RawEngine(hang)
    session = make_world(engine).talk("mara")
    started = loop.time()
    events = await hear(session, request_id="r1")
    assert end_of(events).finish_reason == "cancelled"
    assert end_of(events).text == "Well"
    assert loop.time() - started < 5
    assert engine.open_runs == 0
    assert len(engine.cancelled) == 1


@in_own_time
async def test_a_cancel_wakes_a_reply_that_waits_for_the_game() -> None:
    session, _ = make_session([GIVE, "Never said."])

    def break_off(_session: Session, _event: ToolCall) -> None:
        asyncio.get_running_loop().call_later(0.01, session.cancel, "r1")

    events = await hear(session, request_id="r1", answer=break_off)
    assert settled(events) == [("give_item", "timeout")]
    assert end_of(events).finish_reason == "cancelled"


@in_own_time
async def test_a_cancelled_reply_still_counts_its_tokens() -> None:
    session, _ = make_session("First second third.")
    events: list[Event] = []
    async for event in session.say("Hello", request_id="r1"):
        events.append(event)
        session.cancel("r1")
    assert end_of(events).usage.completion_tokens >= 1
    assert end_of(events).text == "First"


ERRORS = [Overloaded("full"), ValueError("boom"), TimeoutError("odd"), StopAsyncIteration("odd")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_at_any_chunk_fails_the_reply_with_what_was_heard(error: Exception) -> None:
    words = ["Well ", "met. ", GIVE[:12], GIVE[12:]]
    for position in range(len(words) + 1):

        async def broken(_request: GenerateRequest, position: int = position) -> AsyncIterator[EngineItem]:
            for word in words[:position]:
                yield Chunk(word)
            raise error

        engine = RawEngine(broken)
        session = make_world(engine).talk("mara")
        failure = failure_of(await hear(session))
        expected = type(error) if isinstance(error, NpcError) else EngineCrashed
        assert isinstance(failure.error, expected)
        assert failure.text == "Well met."[: (0, 4, 9, 9, 9)[position]]
        assert len(session.history) == (1 if position == 0 else 4 if position == 4 else 3)
        assert engine.open_runs == 0


@pytest.mark.parametrize("words", range(6))
async def test_the_scripted_fault_fails_the_reply_and_the_session_goes_on(words: int) -> None:
    engine = ScriptedEngine("One two three four five.", fail_after=words)
    session = make_world(engine).talk("mara")
    failure = failure_of(await hear(session))
    assert isinstance(failure.error, EngineCrashed)
    assert len(failure.text.split()) == words
    engine._fail_after = None
    assert end_of(await hear(session)).text == "One two three four five."


async def test_an_error_in_a_later_round_settles_nothing_twice_and_keeps_the_act() -> None:
    session, _ = make_session([GIVE])
    events = await hear(session)
    assert failure_of(events).error.code == "settings"
    assert settled(events) == [("give_item", "accepted")]
    assert [message.role for message in session.history] == ["assistant", "user", "assistant", "tool"]


async def test_an_error_while_a_call_is_open_settles_it_before_the_end() -> None:
    async def broken(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk(GIVE)
        raise Overloaded("full")

    events = await hear(make_world(RawEngine(broken)).talk("mara"), answer=ignore)
    assert settled(events) == [("give_item", "timeout")]


async def test_a_crash_keeps_its_cause() -> None:
    async def broken(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        raise KeyError("lost")
        yield Chunk("")

    error = failure_of(await hear(make_world(RawEngine(broken)).talk("mara"))).error
    assert isinstance(error.__cause__, KeyError)
    assert "KeyError" in error.message
    assert error.retryable


async def test_a_stream_without_a_last_item_is_a_crash() -> None:
    async def short(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk("Well.")

    failure = failure_of(await hear(make_world(RawEngine(short)).talk("mara")))
    assert isinstance(failure.error, EngineCrashed)
    assert failure.text == "Well."


async def test_items_after_the_last_one_are_not_heard() -> None:
    async def chatty(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk("Well.")
        yield Generated("stop")
        yield Chunk("More.")

    engine = RawEngine(chatty)
    assert end_of(await hear(make_world(engine).talk("mara"))).text == "Well."
    await asyncio.sleep(0)
    assert engine.open_runs == 0


@in_own_time
async def test_a_reply_that_takes_too_long_fails_with_a_time_out() -> None:
    async def hang(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk("Well ")
        await asyncio.sleep(60)

    engine = RawEngine(hang)
    failure = failure_of(await hear(make_world(engine).talk("mara"), timeout_s=0.5))
    assert isinstance(failure.error, ReplyTimeout)
    assert failure.text == "Well"
    assert engine.open_runs == 0


@in_own_time
async def test_the_time_out_covers_waiting_for_the_game() -> None:
    session, _ = make_session([GIVE, "Never said."], reply_timeout_s=0.5)
    events = await hear(session, answer=ignore)
    assert isinstance(failure_of(events).error, ReplyTimeout)
    assert settled(events) == [("give_item", "timeout")]


@in_own_time
async def test_the_engine_is_told_how_long_it_has() -> None:
    session, engine = make_session("Fine.", reply_timeout_s=7)
    await hear(session)
    await hear(session, timeout_s=3)
    deadlines = [request.deadline_s or 0.0 for request in engine.requests]
    assert 6 < deadlines[0] <= 7
    assert 2 < deadlines[1] <= 3


async def test_closing_the_iterator_early_frees_the_engine_and_keeps_what_was_heard() -> None:
    for position in range(await plain_length()):
        session, engine = make_session([*SCRIPT])
        stream = session.say("Hello")
        for _ in range(position + 1):
            event = await anext(stream)
            if isinstance(event, ToolCall):
                accept(session, event)
        await stream.aclose()
        assert not engine._running, position
        assert [m.role for m in session.history[:2]] == ["assistant", "user"]
        engine._answer = lambda _request: "Fine."
        assert end_of(await hear(session)).text == "Fine."


async def test_a_forgotten_iterator_frees_the_session() -> None:
    session, engine = make_session("One two three.")
    stream = session.say("Hello")
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.sleep(0.01)
    assert not engine._running
    assert end_of(await hear(session)).text == "One two three."


async def test_a_cancelled_task_stops_the_reply() -> None:
    hanging = asyncio.Event()

    async def hang(_request: GenerateRequest) -> AsyncIterator[EngineItem]:
        yield Chunk("Well ")
        hanging.set()
        await asyncio.sleep(60)

    engine = RawEngine(hang)
    session = make_world(engine).talk("mara")
    task = asyncio.create_task(hear(session))
    await hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert engine.open_runs == 0
    assert session.history[-1].text == "Well"


async def test_the_next_reply_may_begin_at_the_terminal_event() -> None:
    session, _ = make_session(["One.", "Two."])
    stream = session.say("Hello")
    async for event in stream:
        if isinstance(event, ReplyFinished):
            assert end_of(await hear(session)).text == "Two."
    assert [m.text for m in session.history] == ["What do you want?", "Hello", "One.", "Hello", "Two."]


@in_own_time
async def test_closing_the_engine_fails_the_reply() -> None:
    engine = ScriptedEngine("One two three.", delay_s=0.02)
    session = make_world(engine).talk("mara")
    events: list[Event] = []
    async for event in session.say("Hello"):
        events.append(event)
        await engine.close()
    check_reply(events)
    assert isinstance(failure_of(events).error, EngineCrashed)


_WRITTEN = st.sampled_from(
    ["Hello. ", "Take it", "\n", GIVE, call("fly"), call("stay_here"), "<toolcall> oops </toolcall>", "<toolcall>",
     "</toolcall>", "<extra_id_1>", call("sell_item", item="axe", price=3), " "]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    rounds=st.lists(st.lists(_WRITTEN, max_size=5), min_size=1, max_size=6),
    fault=st.none() | st.integers(0, 30),
    cancel_at=st.none() | st.integers(0, 15),
    answers=st.lists(st.sampled_from([accept, refuse, ignore]), max_size=12),
    limit=st.integers(0, 3),
)
def test_every_script_ends_in_one_terminal(rounds, fault, cancel_at, answers, limit) -> None:  # type: ignore[no-untyped-def]
    replies = iter(["".join(pieces) for pieces in rounds])
    engine = ScriptedEngine(lambda _request: next(replies, ""), fail_after=fault)
    waiting = iter(answers)

    async def talk() -> None:
        session = make_world(engine, tool_rounds=limit, tool_timeout_s=0.001).talk("mara")
        events: list[Event] = []
        async for event in session.say("Hello", request_id="r1"):
            events.append(event)
            if isinstance(event, ToolCall):
                next(waiting, refuse)(session, event)
            if len(events) - 1 == cancel_at:
                session.cancel("r1")
        check_reply(events)
        assert not engine._running
        assert "<" not in events[-1].text  # type: ignore[union-attr]
        assert fault is not None or isinstance(events[-1], ReplyFinished)

    asyncio.run(talk())
