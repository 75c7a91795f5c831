"""The server against clients that see every frame: one terminal a request, whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgpack
import pytest

from game_bridge import message as wire
from game_bridge.server import BridgeServer
from game_bridge.vectors import InvalidVector, load_invalid
from npc_sdk.errors import EngineError
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, Timings, Usage

from .asking import PICTURE, Ended, eventually, open_session, say
from .conftest import STEADY, RawClient
from .fakes import FakeSession, FakeWorld


async def test_welcome_names_cast_limits_and_capabilities(raw: RawClient) -> None:
    welcome = await raw.hello()
    can = ("tools", "state", "approach", "typing", "frame", "stats", "start_by")
    can += (
        "tool_choice",
        "structured",
        "emotes",
        "confirm",
        "notices",
        "learn",
        "happen",
        "edits",
        "resume",
        "sessions",
        "barks",
    )
    assert (welcome.ref, welcome.protocol, welcome.capabilities) == (1, 1, can)
    assert [(npc.npc_id, npc.name) for npc in welcome.npcs] == [("mara", "Mara"), ("brom", "Brom")]
    assert welcome.limits == STEADY


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (wire.Talk(ref=2, npc_id="mara"), "connection_lost"),
        (wire.Ping(ref=2), "connection_lost"),
        (wire.Bye(ref=2), "connection_lost"),
        (wire.Hello(ref=2, protocol=2, client="new"), "version"),
    ],
    ids=["talk", "ping", "bye", "other-version"],
)
async def test_strangers_are_told_what_is_wrong(raw: RawClient, message: wire.Asked, code: str) -> None:
    answer = await raw.ask(message)
    assert isinstance(answer, wire.Error)
    assert (answer.ref, answer.code) == (2, code)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (wire.Talk(ref=2, npc_id="nobody"), "unknown_npc"),
        (wire.Talk(ref=2, npc_id="cursed"), "engine"),
        (wire.Cancel(ref=2, request_id="never"), "unknown_request"),
        (wire.ToolResult(ref=2, session_id="never", call_id="c"), "unknown_session"),
        (wire.Confirm(ref=2, session_id="never", call_id="c", is_agreed=True), "unknown_session"),
        (wire.Leave(ref=2, session_id="never"), "unknown_session"),
        (wire.State(ref=2, values={"forbidden": 1}), "bad_request"),
    ],
    ids=["npc", "world-bug", "request", "session", "confirm", "leave", "state"],
)
async def test_what_does_not_exist_is_an_error_with_the_ref(raw: RawClient, message: wire.Asked, code: str) -> None:
    await raw.hello()
    answer = await raw.ask(message)
    assert isinstance(answer, wire.Error)
    assert (answer.ref, answer.code) == (2, code)
    assert isinstance(await raw.ask(wire.Ping(ref=3)), wire.Pong)


@pytest.mark.parametrize("vector", load_invalid(), ids=lambda vector: vector.name)
async def test_bad_frames_are_answered_and_the_connection_lives_on(raw: RawClient, vector: InvalidVector) -> None:
    await raw.hello()
    await raw.send_frames(*vector.frames)
    answer = await raw.next()
    assert isinstance(answer, wire.Error | wire.Failed)
    assert answer.code == vector.code
    assert isinstance(await raw.ask(wire.Ping(ref=3)), wire.Pong)


@pytest.mark.parametrize(
    ("text", "end", "detail"),
    [
        ("Any work?", wire.Finished, "stop"),
        ("engine", wire.Failed, "engine_crashed"),
        ("crash", wire.Failed, "engine_crashed"),
        ("silent", wire.Failed, "engine"),
        ("huge", wire.Failed, "too_large"),
        ("huge-end", wire.Failed, "too_large"),
        ("twice", wire.Finished, "stop"),
    ],
)
async def test_each_request_has_one_end(
    raw: RawClient, ended: Ended, text: str, end: type[wire.Told], detail: str
) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, text))
    last = (await raw.until_end("q"))[-1]
    assert isinstance(last, end)
    assert detail in (getattr(last, "code", None), getattr(last, "finish_reason", None))
    await raw.quiet()
    assert [request_id for request_id, _ in ended] == ["q"]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(ReplyFinished("q", "hi", "stop", Usage(-1, 0, 1)), "protocol", id="usage"),
        pytest.param(ReplyFinished("q", "hi", "stop", timings=Timings(total_s=-0.1)), "protocol", id="timings"),
        pytest.param(ReplyFinished("q", "hi", None), "protocol", id="reason"),  # type: ignore[arg-type]
        pytest.param(ReplyFinished("q", "hi", "stop", None), "engine", id="no usage"),  # type: ignore[arg-type]
        pytest.param(ReplyFailed("q", EngineError("\ud800")), "protocol", id="half a character"),
    ],
)
async def test_an_end_that_cannot_be_told_is_a_failure_and_frees_its_place(
    raw: RawClient, server: BridgeServer, ended: Ended, monkeypatch: pytest.MonkeyPatch, end: Event, code: str
) -> None:
    async def act(*_: object) -> AsyncIterator[Event]:
        yield end

    monkeypatch.setattr(FakeSession, "_act", act)
    session_id = await open_session(raw)
    await raw.send(say(session_id, "hi"))
    (last,) = await raw.until_end("q")
    assert isinstance(last, wire.Failed)
    assert last.code == code
    assert [len(peer.replies) for peer in server._lobby] == [0]
    assert [(request_id, type(event)) for request_id, event in ended] == [("q", ReplyFailed)]


async def test_what_is_wrong_with_one_reply_keeps_no_other_from_its_end(
    raw: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(*_: object) -> None:
        raise ZeroDivisionError("a bug in the world")

    monkeypatch.setattr(FakeSession, "cancel", cancel)
    await raw.hello()
    for request_id in ("q1", "q2"):
        await raw.send(say(await raw.talk(), "slow", request_id))
        assert isinstance(await raw.next(), wire.Text)
    await raw.send(wire.Bye(ref=5))
    ends = [await raw.next(), await raw.next()]
    assert [(type(end), getattr(end, "request_id", "")) for end in ends] == [
        (wire.Finished, "q1"),
        (wire.Finished, "q2"),
    ]
    assert await raw.next() == wire.Goodbye(ref=5, reason="bye")


async def test_who_is_pushed_out_by_its_own_key_is_told_that_it_is_no_break(
    raw: RawClient, server: BridgeServer
) -> None:
    hello = wire.Hello(ref=1, protocol=1, client="raw", wants=("resume",))
    first = await raw.ask(hello)
    assert isinstance(first, wire.Welcome)
    other = RawClient(server.address)
    resuming = hello.model_copy(update={"resume": first.resume, "heard": 0})
    second = await other.ask(resuming)
    assert isinstance(second, wire.Welcome)
    assert second.resumed
    assert await raw.next() == wire.Goodbye(reason="taken_over")
    answer = await raw.ask(wire.Ping(ref=2))
    assert isinstance(answer, wire.Error)
    assert answer.code == "connection_lost"
    assert isinstance(await other.ask(wire.Ping(ref=3)), wire.Pong)
    other.close()


async def test_a_say_that_is_refused_ends_under_its_own_id(raw: RawClient, ended: Ended) -> None:
    session_id = await open_session(raw)
    refused = {
        "unknown_session": say("never", "hi", "q1"),
        "unsupported": say(session_id, "look", "q2", images=("image/png",)),
    }
    for code, message in refused.items():
        answer = await raw.ask(message, [PICTURE] * len(message.images))
        assert isinstance(answer, wire.Failed)
        assert (answer.request_id, answer.code) == (message.request_id, code)
    await raw.send_frames(msgpack.packb({"type": "say", "request_id": "q3", "session_id": session_id, "text": 7}))
    answer = await raw.next()
    assert isinstance(answer, wire.Failed)
    assert (answer.request_id, answer.code) == ("q3", "protocol")
    assert [request_id for request_id, _ in ended] == ["q1", "q2", "q3"]


@pytest.mark.parametrize("first", ["slow", "done"])
async def test_a_request_id_used_twice_leaves_the_first_alone(raw: RawClient, ended: Ended, first: str) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, first))
    await (raw.next() if first == "slow" else raw.until_end("q"))
    answer = await raw.ask(say(session_id, "again"))
    assert isinstance(answer, wire.Error)
    assert (answer.ref, answer.code) == (9, "duplicate_request")
    if first == "slow":
        await raw.send(wire.Cancel(request_id="q"))
        assert isinstance((await raw.until_end("q"))[-1], wire.Finished)
    assert len(ended) == 1


@pytest.mark.parametrize("text", ["slow", "deaf"], ids=["session-obeys", "session-ignores-it"])
async def test_cancel_ends_as_cancelled_with_the_text_so_far(raw: RawClient, ended: Ended, text: str) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, text))
    assert isinstance(await raw.next(), wire.Text)
    await raw.send(wire.Cancel(request_id="q"))
    await raw.send(wire.Cancel(request_id="q"))
    (last,) = await raw.until_end("q")
    assert isinstance(last, wire.Finished)
    assert (last.finish_reason, last.text) == ("cancelled", text)
    await raw.quiet()
    assert len(ended) == 1


async def test_a_cancel_right_behind_its_say_is_not_lost(raw: RawClient) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "deaf"))
    await raw.send(wire.Cancel(request_id="q"))
    last = (await raw.until_end("q"))[-1]
    assert isinstance(last, wire.Finished)
    assert last.finish_reason == "cancelled"
    await raw.send(say(session_id, "next", "q2"))
    assert isinstance((await raw.until_end("q2"))[-1], wire.Finished)


async def test_a_reply_that_never_ends_fails_by_time_out(raw: RawClient, ended: Ended) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "deaf", timeout_s=0.1))
    last = (await raw.until_end("q"))[-1]
    assert isinstance(last, wire.Failed)
    assert (last.code, last.retryable, last.text) == ("timeout", True, "deaf")
    assert len(ended) == 1


async def test_second_say_in_a_busy_session_fails_alone(raw: RawClient) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "slow"))
    await raw.next()
    answer = await raw.ask(say(session_id, "hurry", "q2"))
    assert isinstance(answer, wire.Failed)
    assert (answer.request_id, answer.code) == ("q2", "bad_request")
    await raw.send(wire.Cancel(request_id="q"))
    assert isinstance((await raw.until_end("q"))[-1], wire.Finished)


async def test_leave_ends_its_reply_first_and_only_its_own(raw: RawClient, world: FakeWorld) -> None:
    session_id = await open_session(raw)
    other_id = await raw.talk("brom")
    await raw.send(say(session_id, "slow", "q1"))
    await raw.send(say(other_id, "slow", "q2"))
    await raw.next()
    await raw.next()
    last = await raw.ask(wire.Leave(ref=4, session_id=session_id))
    assert isinstance(last, wire.Finished)
    assert (last.request_id, last.finish_reason) == ("q1", "cancelled")
    assert isinstance(await raw.next(), wire.Left)
    await eventually(lambda: set(world.sessions) == {other_id})
    await raw.quiet(0.1)


async def test_bye_ends_replies_then_says_goodbye(raw: RawClient, world: FakeWorld, server: BridgeServer) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "slow"))
    await raw.next()
    last = await raw.ask(wire.Bye(ref=5))
    assert isinstance(last, wire.Finished)
    assert await raw.next() == wire.Goodbye(ref=5, reason="bye")
    await eventually(lambda: not world.sessions)
    assert server.peer_count == 0


async def test_hello_again_starts_over(raw: RawClient, world: FakeWorld) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "slow"))
    await raw.next()
    last = await raw.ask(wire.Hello(ref=6, protocol=1, client="again"))
    assert isinstance(last, wire.Failed)
    assert last.code == "connection_lost"
    assert isinstance(await raw.next(), wire.Welcome)
    answer = await raw.ask(say(session_id, "hi"))
    assert isinstance(answer, wire.Failed)
    assert answer.code == "unknown_session"
    await eventually(lambda: not world.sessions)


async def test_sessions_belong_to_the_connection_that_opened_them(raw: RawClient, server: BridgeServer) -> None:
    session_id = await open_session(raw)
    thief = RawClient(server.address)
    try:
        await thief.hello()
        answer = await thief.ask(say(session_id, "give me her gold"))
        assert isinstance(answer, wire.Failed)
        assert answer.code == "unknown_session"
    finally:
        thief.close()


async def test_two_connections_may_choose_the_same_request_id(raw: RawClient, server: BridgeServer) -> None:
    other = RawClient(server.address)
    try:
        sessions = [await open_session(raw), await open_session(other)]
        for client, session_id in zip((raw, other), sessions, strict=True):
            await client.send(say(session_id, session_id))
        for client, session_id in zip((raw, other), sessions, strict=True):
            last = (await client.until_end("q"))[-1]
            assert isinstance(last, wire.Finished)
            assert last.text == session_id
    finally:
        other.close()
