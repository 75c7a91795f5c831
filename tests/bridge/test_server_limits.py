"""The server against clients that vanish, flood, stall or come from elsewhere, and its own shutdown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from game_bridge import message as wire
from game_bridge.credential import ServerCurve
from game_bridge.message import Limits
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import ConnectionLost, SettingsError
from npc_sdk.events import ReplyFailed, ReplyFinished

from .asking import PICTURE, Ended, eventually, open_session, say
from .conftest import STEADY, RawClient, quick_settings
from .fakes import FakeWorld


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
    async with BridgeServer(world, quick_settings()) as server:
        client = RawClient(server.address)
        session_id = await open_session(client)
        await client.send(say(session_id, "slow"))
        await client.next()
        (peer,) = server._lobby.present
        peer.last_heard_s -= 2 * STEADY.idle_s
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
        await eventually(lambda: server.peer_count == 0)
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
    limits = Limits(max_image_bytes=300_000, max_body_bytes=100_000)
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
    assert BridgeSettings(address=address, curve=ServerCurve(Path("own"), Path("clients"))).address == address


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "tcp://[::1]:5577", "ipc:///tmp/npc"])
def test_local_addresses_are_fine(address: str) -> None:
    assert BridgeSettings(address=address).curve is None


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


async def test_a_fault_of_on_ended_ends_neither_the_reply_nor_the_server(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_request_id: str, _event: object) -> None:
        raise RuntimeError("of the owner's own")

    async with BridgeServer(world, quick_settings(), on_ended=broken) as server:
        client = RawClient(server.address)
        session_id = await open_session(client)
        await client.send(say(session_id, "hello", "a"))
        assert isinstance((await client.until_end("a"))[-1], wire.Finished)
        await client.send(say("nowhere", "hello", "b"))
        assert isinstance((await client.until_end("b"))[-1], wire.Failed)
        assert isinstance(await client.ask(wire.Ping(ref=5)), wire.Pong)
        client.close()
    assert caplog.text.count("on_ended failed") == 2
