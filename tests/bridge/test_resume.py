"""A connection that broke goes on over a new one: nothing is lost, nothing comes twice, and every reply ends once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import zmq

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.client import AsyncNpcClient
from game_bridge.server import BridgeServer
from npc_sdk.errors import ConnectionLost
from npc_sdk.events import ReplyFailed, ReplyFinished, TextDelta, ToolCall
from npc_sdk.messages import ImagePart

from .asking import Ended, eventually, say
from .conftest import PATIENCE_S, RawClient, quick_settings
from .fakes import TALE_WORDS, FakeWorld

TALE = "tale" + "".join(f" {number}" for number in range(TALE_WORDS))
HELLO = {"ref": 1, "protocol": 1, "client": "raw", "wants": ("resume",)}


class Proxy:
    """Passes bytes on to a server until it is told to drop every connection."""

    def __init__(self, address: str) -> None:
        self._port = int(address.rpartition(":")[2])
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.address = ""
        self.is_down = False
        self.refused = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.address = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            self.refused += 1
            writer.close()
            return
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, their_writer), (their_reader, writer)):
            self._tasks.add(asyncio.create_task(self._copy(source, sink)))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        flows = self._flows
        try:
            while data := await source.read(4096):
                await flows.wait()
                sink.write(data)
        except OSError:
            pass
        finally:
            sink.close()

    def swallow(self) -> None:
        """As a cable that was pulled: nothing passes on what is open, and nobody is told."""
        self._flows.clear()
        self._flows = asyncio.Event()
        self._flows.set()

    def drop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def stop(self) -> None:
        self.drop()
        self._server.close()
        await asyncio.sleep(0.05)


class Counting(RawClient):
    """Counts what comes after the welcome, as the protocol asks of a client that wants to come back."""

    heard = 0

    async def next(self, timeout_s: float = PATIENCE_S) -> wire.ServerMessage:
        async with asyncio.timeout(timeout_s):
            while True:
                message = protocol.decode_server(await self.socket.recv_multipart())
                self.heard += not isinstance(message, wire.Welcome)
                if not (isinstance(message, wire.Pong) and message.ref is None):
                    return message

    async def greet(self, **back: object) -> wire.Welcome:
        welcome = await self.ask(wire.Hello(**HELLO, **back))  # type: ignore[arg-type]
        assert isinstance(welcome, wire.Welcome)
        return welcome


@pytest.fixture
async def proxy(server: BridgeServer) -> AsyncIterator[Proxy]:
    running = Proxy(server.address)
    await running.start()
    yield running
    await running.stop()


async def _begin(server: BridgeServer, words: str) -> tuple[Counting, wire.Welcome, str]:
    client = Counting(server.address)
    welcome = await client.greet()
    session_id = await client.talk()
    await client.send(say(session_id, words))
    await client.next()
    return client, welcome, session_id


def _texts(messages: list[wire.ServerMessage]) -> str:
    return "".join(message.text for message in messages if isinstance(message, wire.Text))


async def test_only_who_asks_gets_a_key(server: BridgeServer, raw: RawClient) -> None:
    assert (await raw.hello()).resume is None
    other = Counting(server.address)
    welcome = await other.greet()
    assert welcome.resume
    assert (welcome.resumed, welcome.resume_s) == (None, 2 * PATIENCE_S)
    other.close()


@pytest.mark.parametrize("is_closed", [True, False], ids=["after the break", "before the server sees it"])
async def test_a_reply_is_picked_up_where_it_was(server: BridgeServer, ended: Ended, is_closed: bool) -> None:
    first, welcome, session_id = await _begin(server, "tale")
    said = "tale" + _texts([await first.next() for _ in range(5)])
    if is_closed:
        first.close()
    second = Counting(server.address)
    back = await second.greet(resume=welcome.resume, heard=first.heard)
    assert (back.resumed, back.resume, back.heard) == (True, welcome.resume, 2)
    rest = await second.until_end("q")
    assert said + _texts(rest) == TALE
    assert isinstance(rest[-1], wire.Finished)
    assert [request_id for request_id, _ in ended] == ["q"]
    answer = await second.ask(wire.Sessions(ref=5))
    assert isinstance(answer, wire.SessionList)
    assert [entry.session_id for entry in answer.sessions] == [session_id]
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("key", "heard"), [("x" * 24, 0), (None, 1_000), (None, 0)], ids=["unknown", "never sent", "all of it"]
)
async def test_what_cannot_go_on_starts_over(server: BridgeServer, ended: Ended, key: str | None, heard: int) -> None:
    first, welcome, _ = await _begin(server, "slow")
    second = Counting(server.address)
    back = await second.greet(resume=key or welcome.resume, heard=heard)
    assert back.resumed is (heard == 0 and key is None)
    if heard == 1_000:
        await eventually(lambda: ended)
        assert isinstance(ended[0][1], ReplyFailed)
        assert isinstance(ended[0][1].error, ConnectionLost)
    if not back.resumed:
        assert back.resume not in (None, welcome.resume)
    first.close()
    second.close()


async def test_who_does_not_come_back_is_given_up(world: FakeWorld, ended: Ended) -> None:
    settings = quick_settings(resume_s=0.2)
    async with BridgeServer(world, settings, on_ended=lambda *end: ended.append(end)) as server:
        client, welcome, _ = await _begin(server, "slow")
        client.close()
        await eventually(lambda: ended and not world.sessions)
        assert server.peer_count == 0
        late = Counting(server.address)
        assert (await late.greet(resume=welcome.resume, heard=client.heard)).resumed is False
        late.close()


async def test_bye_and_a_second_hello_take_the_key_away(server: BridgeServer) -> None:
    client = Counting(server.address)
    first = await client.greet()
    second = await client.greet()
    assert second.resume != first.resume
    assert isinstance(await client.ask(wire.Bye(ref=3)), wire.Goodbye)
    other = Counting(server.address)
    for key in (first.resume, second.resume):
        assert (await other.greet(resume=key, heard=0)).resumed is False
    client.close()
    other.close()


async def test_too_much_missed_is_lost_as_a_whole(server: BridgeServer, ended: Ended) -> None:
    client, welcome, _ = await _begin(server, "flood")
    client.close()
    await eventually(lambda: ended)
    other = Counting(server.address)
    assert (await other.greet(resume=welcome.resume, heard=client.heard)).resumed is False
    other.close()


async def test_the_client_comes_back_by_itself(proxy: Proxy, world: FakeWorld, ended: Ended) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        events = []
        async for event in session.say("tale"):
            events.append(event)
            if len(events) == 8:
                proxy.drop()
        assert isinstance(events[-1], ReplyFinished)
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == TALE
        assert await session.say("And now?").read() == "And now?"
        assert len(world.all_sessions) == 1
    assert len(ended) == 2


async def test_what_is_said_into_a_broken_line_arrives_once(proxy: Proxy, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        for number in range(3):
            proxy.drop()
            assert await session.say(f"Are you there? {number}").read() == f"Are you there? {number}"
        assert [text for text, _, _ in world.all_sessions[0].heard] == [f"Are you there? {n}" for n in range(3)]


async def test_a_call_is_answered_after_the_break(proxy: Proxy) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        async for event in session.say("tool"):
            if isinstance(event, ToolCall):
                proxy.drop()
                await asyncio.sleep(0.1)
                session.tool_result(event.call.call_id, "accepted", "the rope")
        assert isinstance(event, ReplyFinished)
        assert event.text == "the rope"


async def test_a_proxy_without_its_server_is_waited_for(proxy: Proxy) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        proxy.is_down = True
        proxy.drop()
        reply = session.say("Are you there?")
        await eventually(lambda: proxy.refused > 6)
        proxy.is_down = False
        assert await reply.read() == "Are you there?"


async def test_a_question_that_was_given_up_is_not_asked_after_the_break(proxy: Proxy, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        proxy.is_down = True
        proxy.drop()
        client._link._timeout_s = 0.1
        with pytest.raises(ConnectionLost, match="did not answer talk"):
            await client.talk("brom")
        client._link._timeout_s = PATIENCE_S
        proxy.is_down = False
        assert await session.say("And now?").read() == "And now?"
        assert [entry.npc_id for entry in await client.sessions()] == ["mara"]
        assert len(world.all_sessions) == 1


async def test_a_server_that_ended_is_not_waited_for(world: FakeWorld) -> None:
    async with BridgeServer(world, quick_settings()) as server:
        proxy = Proxy(server.address)
        await proxy.start()
        client = await AsyncNpcClient.connect(proxy.address)
        session = await client.talk("mara")
        reply = session.say("slow")
        await anext(aiter(reply))
        await proxy.stop()
        events = [event async for event in reply]
        assert isinstance(events[-1], ReplyFailed)
        assert isinstance(events[-1].error, ConnectionLost)
        assert not client.is_connected
        await client.close()


async def test_a_line_that_falls_silent_is_left_for_another(proxy: Proxy, world: FakeWorld) -> None:
    async with await AsyncNpcClient.connect(proxy.address) as client:
        session = await client.talk("mara")
        events = []
        async for event in session.say("tale"):
            events.append(event)
            if len(events) == 5:
                proxy.swallow()
        assert isinstance(events[-1], ReplyFinished)
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == TALE
        assert len(world.all_sessions) == 1


async def test_a_large_picture_and_many_hints_survive_a_break() -> None:
    world = FakeWorld(has_vision=True)
    async with BridgeServer(world, quick_settings()) as server:
        proxy = Proxy(server.address)
        await proxy.start()
        async with await AsyncNpcClient.connect(proxy.address) as client:
            mara, brom = await client.talk("mara"), await client.talk("brom")
            tale = brom.say("tale")
            proxy.is_down = True
            proxy.drop()
            await eventually(lambda: not client._link._line.is_open)  # type: ignore[union-attr]
            for number in range(2_000):
                mara.typing(f"word {number}")
            seen = mara.say("Look!", images=[ImagePart("image/png", bytes(3 * 2**20))])
            proxy.is_down = False
            assert await seen.read() == "Look!"
            assert await tale.read() == TALE
        await proxy.stop()


async def test_a_server_that_closes_takes_nobody_in(world: FakeWorld) -> None:
    server = BridgeServer(world, quick_settings(shutdown_grace_s=5.0))
    await server.start()
    first, second = RawClient(server.address), RawClient(server.address)
    await first.hello()
    await first.send(say(await first.talk(), "deaf"))
    await first.next()
    is_answered = asyncio.Event()
    server._service.drain = lambda _: is_answered.wait()  # type: ignore[method-assign,assignment,return-value]
    stopping = asyncio.create_task(server.stop())
    await eventually(lambda: not server.peer_count)
    answer = await second.ask(wire.Hello(ref=1, protocol=1, client="late"))
    assert isinstance(answer, wire.Error)
    assert answer.code == "connection_lost"
    is_answered.set()
    await stopping
    assert server.peer_count == 0
    first.close()
    second.close()


async def test_those_who_are_away_make_room(world: FakeWorld) -> None:
    async with BridgeServer(world, quick_settings(max_peers=2)) as server:
        welcomes = []
        for _ in range(3):
            client = Counting(server.address)
            welcomes.append(await client.greet())
            client.close()
            await eventually(lambda: not server._lobby.present)
        assert server.peer_count == 2
        late = Counting(server.address)
        assert (await late.greet(resume=welcomes[0].resume, heard=0)).resumed is False
        late.close()


async def test_what_comes_after_bye_stands_behind_the_goodbye(world: FakeWorld) -> None:
    room = {"outbox_messages": 50_000, "outbox_bytes": 2**27}  # for all of the flood, should the client fall behind
    async with BridgeServer(world, quick_settings(send_patience_s=PATIENCE_S, **room)) as server:
        client = RawClient(server.address)
        client.socket.setsockopt(zmq.RCVHWM, 10)
        await client.hello()
        await client.send(say(await client.talk(), "flood"))
        await client.next()
        await client.send(wire.Bye(ref=3))
        await client.send(wire.Hello(ref=4, protocol=1, client="again"))
        order = []
        while not order or order[-1] != "welcome":
            message = await client.next()
            order += [message.type] if message.type != "text" else []
        assert order == ["failed", "goodbye", "welcome"] or order == ["finished", "goodbye", "welcome"]
        client.close()


async def test_a_refused_hello_is_not_counted(server: BridgeServer) -> None:
    first = Counting(server.address)
    welcome = await first.greet()
    await first.talk()
    assert isinstance(await first.ask(wire.Hello(ref=6, protocol=2, client="raw")), wire.Error)
    first.close()
    second = Counting(server.address)
    assert (await second.greet(resume=welcome.resume, heard=first.heard)).heard == 1
    second.close()


async def test_a_takeover_that_cannot_go_on_ends_the_old_line(server: BridgeServer, ended: Ended) -> None:
    first, welcome, _ = await _begin(server, "slow")
    lines = server._open()._lines  # type: ignore[attr-defined]
    (old,) = lines
    second = Counting(server.address)
    assert (await second.greet(resume=welcome.resume, heard=9)).resumed is False
    await eventually(lambda: ended)
    await eventually(lambda: old not in lines)
    first.close()
    second.close()
