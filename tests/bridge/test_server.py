"""The server against clients that see every frame, some of them hostile: one terminal a request, whatever happens."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import msgpack
import pytest
import zmq

from game_bridge import message as wire
from game_bridge.message import Limits
from game_bridge.server import BridgeServer
from game_bridge.service import Terminal
from game_bridge.settings import BridgeSettings
from game_bridge.vectors import InvalidVector, load_invalid
from npc_sdk.errors import ConnectionLost, SettingsError
from npc_sdk.events import ReplyFailed, ReplyFinished

from .conftest import FAST, RawClient, quick_settings
from .fakes import FakeWorld

Ended = list[tuple[str, Terminal]]
PICTURE = b"\x89PNG\r\n\x1a\n"


async def open_session(raw: RawClient) -> str:
    await raw.hello()
    return await raw.talk()


def say(session_id: str, text: str, request_id: str = "q", **fields: object) -> wire.Say:
    return wire.Say(ref=9, request_id=request_id, session_id=session_id, text=text, **fields)  # type: ignore[arg-type]


async def eventually(is_so: object, timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_welcome_names_cast_limits_and_capabilities(raw: RawClient) -> None:
    welcome = await raw.hello()
    assert (welcome.ref, welcome.protocol, welcome.capabilities) == (1, 1, ("tools", "state"))
    assert [(npc.npc_id, npc.name) for npc in welcome.npcs] == [("mara", "Mara"), ("brom", "Brom")]
    assert welcome.limits == FAST


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
        (wire.Leave(ref=2, session_id="never"), "unknown_session"),
        (wire.State(ref=2, values={"forbidden": 1}), "bad_request"),
    ],
    ids=["npc", "world-bug", "request", "session", "leave", "state"],
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


async def test_a_disconnect_ends_replies_and_sessions(server: BridgeServer, world: FakeWorld, ended: Ended) -> None:
    client = RawClient(server.address)
    session_id = await open_session(client)
    await client.send(say(session_id, "slow"))
    await client.next()
    client.close()
    await eventually(lambda: not world.sessions)
    assert server.peer_count == 0
    ((request_id, event),) = ended
    assert request_id == "q"
    assert isinstance(event, ReplyFailed)
    assert isinstance(event.error, ConnectionLost)


async def test_the_silent_are_sent_away(world: FakeWorld) -> None:
    limits = Limits(heartbeat_s=0.05, idle_s=0.2)
    async with BridgeServer(world, quick_settings(limits)) as server:
        client = RawClient(server.address)
        session_id = await open_session(client)
        await client.send(say(session_id, "slow"))
        await client.next()
        last = await client.next()
        assert isinstance(last, wire.Failed)
        assert await client.next() == wire.Goodbye(reason="idle")
        answer = await client.ask(wire.Ping(ref=1))
        assert isinstance(answer, wire.Error)
        assert answer.code == "connection_lost"
        client.close()


@pytest.mark.parametrize("outbox_messages", [500, 100_000], ids=["queue-is-full", "patience-is-over"])
async def test_a_client_that_does_not_read_is_cut(world: FakeWorld, ended: Ended, outbox_messages: int) -> None:
    settings = quick_settings(outbox_messages=outbox_messages)
    async with BridgeServer(world, settings, on_ended=lambda *end: ended.append(end)) as server:
        client = RawClient(server.address)
        client.socket.setsockopt(zmq.RCVHWM, 1)
        client.socket.setsockopt(zmq.RCVBUF, 4_096)
        session_id = await open_session(client)
        await client.send(say(session_id, "flood"))
        await eventually(lambda: server.peer_count == 0, 10)
        await eventually(lambda: not world.sessions)
        assert [request_id for request_id, _ in ended] == ["q"]
        other = RawClient(server.address)
        await other.hello()
        client.close()
        other.close()


@pytest.mark.parametrize(
    ("limits", "kind"),
    [(Limits(max_sessions=1), "talk"), (Limits(max_requests=1), "say")],
    ids=["sessions", "replies"],
)
async def test_one_connection_cannot_take_everything(world: FakeWorld, limits: Limits, kind: str) -> None:
    async with BridgeServer(world, quick_settings(limits)) as server:
        client = RawClient(server.address)
        session_id = await open_session(client)
        if kind == "talk":
            answer = await client.ask(wire.Talk(npc_id="brom"))
        else:
            other_id = await client.talk("brom")
            await client.send(say(session_id, "slow"))
            await client.next()
            answer = await client.ask(say(other_id, "hi", "q2"))
        assert isinstance(answer, wire.Error | wire.Failed)
        assert (answer.code, answer.retryable) == ("overloaded", True)
        client.close()


async def test_no_more_clients_than_allowed(world: FakeWorld) -> None:
    async with BridgeServer(world, quick_settings(max_peers=1)) as server:
        first, second = RawClient(server.address), RawClient(server.address)
        await first.hello()
        answer = await second.ask(wire.Hello(protocol=1, client="late"))
        assert isinstance(answer, wire.Error)
        assert answer.code == "overloaded"
        first.close()
        second.close()


async def test_pictures_reach_a_session_that_can_see() -> None:
    world = FakeWorld(has_vision=True)
    async with BridgeServer(world, quick_settings()) as server:
        client = RawClient(server.address)
        assert "images" in (await client.hello()).capabilities
        session_id = await client.talk()
        await client.send(say(session_id, "look", images=("image/png",), priority="ambient"), [PICTURE])
        await client.until_end("q")
        ((_, images, priority),) = world.all_sessions[0].heard
        assert [(image.media_type, image.data) for image in images] == [("image/png", PICTURE)]
        assert priority.name == "AMBIENT"
        client.close()


async def test_a_picture_over_the_limit_fails_and_a_monstrous_one_is_cut(ended: Ended) -> None:
    limits = Limits(max_image_bytes=300_000, max_body_bytes=100_000, heartbeat_s=0.1)
    world = FakeWorld(has_vision=True)
    async with BridgeServer(world, quick_settings(limits), on_ended=lambda *end: ended.append(end)) as server:
        client = RawClient(server.address)
        session_id = await open_session(client)
        answer = await client.ask(say(session_id, "look", images=("image/png",)), [b"x" * 300_001])
        assert isinstance(answer, wire.Error | wire.Failed)
        assert answer.code == "too_large"
        await client.send(say(session_id, "slow", "q2"))
        await client.next()
        await client.send(say(session_id, "look", "q3", images=("image/png",)), [b"x" * 700_000])
        await eventually(lambda: not world.sessions)
        assert "q2" in [request_id for request_id, _ in ended]
        client.close()


async def test_a_thousand_frames_in_one_message_are_refused(raw: RawClient) -> None:
    await raw.hello()
    await raw.send_frames(*[b"x"] * 1_000)
    answer = await raw.next()
    assert isinstance(answer, wire.Error)
    assert answer.code == "too_large"
    assert isinstance(await raw.ask(wire.Ping(ref=3)), wire.Pong)


async def test_shutdown_ends_every_request_then_says_goodbye(world: FakeWorld, ended: Ended) -> None:
    server = BridgeServer(world, quick_settings(), on_ended=lambda *end: ended.append(end))
    await server.start()
    client = RawClient(server.address)
    session_id = await open_session(client)
    other_id = await client.talk("brom")
    await client.send(say(session_id, "slow", "q1"))
    await client.send(say(other_id, "deaf", "q2"))
    await client.next()
    await client.next()
    await server.stop()
    await server.stop()
    ends = [await client.next(), await client.next()]
    assert all(isinstance(end, wire.Failed) and end.code == "connection_lost" for end in ends)
    assert await client.next() == wire.Goodbye(reason="shutdown")
    assert sorted(request_id for request_id, _ in ended) == ["q1", "q2"]
    assert world.sessions == {}
    client.close()


async def test_tool_results_for_no_open_call_are_refused(raw: RawClient) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "tool"))
    call = (await raw.next(), await raw.next())[1]
    assert isinstance(call, wire.ToolCall)
    answer = wire.ToolResult(ref=4, session_id=session_id, call_id=call.call_id, status="refused", content="no")
    await raw.send(answer)
    await raw.send(answer)
    messages = [await raw.next() for _ in range(3)]
    (error,) = [message for message in messages if isinstance(message, wire.Error)]
    assert (error.ref, error.code) == (4, "unknown_request")
    assert [type(message) for message in messages if message is not error] == [wire.ToolSettled, wire.Finished]


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:5577", "tcp://*:5577", "tcp://192.168.0.4:1", "udp://127.0.0.1:1", "tcp://example.org:1"]
)
def test_only_this_machine_is_served_unless_told_otherwise(address: str) -> None:
    with pytest.raises(SettingsError, match="other machines"):
        BridgeSettings(address=address)
    assert BridgeSettings(address=address, allow_remote=True).address == address


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "tcp://[::1]:5577", "ipc:///tmp/npc"])
def test_local_addresses_are_fine(address: str) -> None:
    assert BridgeSettings(address=address).allow_remote is False


def test_numbers_must_be_positive() -> None:
    with pytest.raises(SettingsError, match="max_peers: 0"):
        BridgeSettings(max_peers=0)


async def test_a_port_in_use_is_said_at_start(server: BridgeServer, world: FakeWorld) -> None:
    with pytest.raises(SettingsError, match="cannot listen"):
        await BridgeServer(world, BridgeSettings(address=server.address)).start()


async def test_an_address_is_known_only_while_running(world: FakeWorld) -> None:
    with pytest.raises(ConnectionLost, match="not running"):
        _ = BridgeServer(world).address


def test_client_and_server_load_no_model_code() -> None:
    code = (
        "import sys, game_bridge.client, game_bridge.server, game_bridge.protocol;"
        "print([name for name in ('torch', 'transformers', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_finished_events_keep_their_measurements(raw: RawClient, ended: Ended) -> None:
    session_id = await open_session(raw)
    await raw.send(say(session_id, "hi"))
    last = (await raw.until_end("q"))[-1]
    assert isinstance(last, wire.Finished)
    assert (last.usage.cached_tokens, last.timings.total_s) == (2, 0.5)
    assert isinstance(ended[0][1], ReplyFinished)
