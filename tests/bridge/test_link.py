"""The client against servers that die, fall silent, restart or talk nonsense: every open reply ends, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import zmq
import zmq.asyncio

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.client import AsyncNpcClient, AsyncReply
from game_bridge.core import Answered, ClientCore, Outgoing
from game_bridge.link import Link
from npc_sdk.errors import (
    BridgeError,
    ConnectionLost,
    NpcError,
    Overloaded,
    ProtocolError,
    UnknownRequest,
    VersionMismatch,
)
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, TextDelta
from tests.own_time import OwnTimeLoop, in_own_time

from .asking import eventually
from .conftest import PATIENCE_S

LIMITS = wire.Limits(heartbeat_s=0.05, idle_s=2 * PATIENCE_S)


class Puppet:
    """A server that sends what the test says, and greets and opens sessions by itself."""

    def __init__(self) -> None:
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.bind("tcp://127.0.0.1:*")
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.peer = b""
        self.heard: list[wire.ClientMessage] = []
        self.hello_answer: wire.ServerMessage | None = None
        self.task = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        while True:
            self.peer, *frames = await self.socket.recv_multipart()
            message = protocol.decode_client(frames)
            self.heard.append(message)
            match message:
                case wire.Hello() if self.hello_answer is not None:
                    await self.send(self.hello_answer.model_copy(update={"ref": message.ref}))
                case wire.Hello():
                    npcs = (wire.NpcEntry(npc_id="mara", name="Mara"),)
                    await self.send(
                        wire.Welcome(
                            ref=message.ref, protocol=1, server="puppet", capabilities=(), limits=LIMITS, npcs=npcs
                        )
                    )
                case wire.Talk():
                    await self.send(wire.Talking(ref=message.ref, session_id="s", npc_id="mara", greeting=""))

    async def send(self, message: wire.ServerMessage) -> None:
        await self.socket.send_multipart([self.peer, *protocol.encode(message)])

    def die(self) -> None:
        self.task.cancel()
        self.context.destroy(linger=0)


@pytest.fixture
async def puppet() -> AsyncIterator[Puppet]:
    server = Puppet()
    yield server
    server.die()


async def open_reply(puppet: Puppet) -> tuple[AsyncNpcClient, AsyncReply]:
    client = await AsyncNpcClient.connect(puppet.address, timeout_s=PATIENCE_S)
    reply = await client.say("mara", "Hello?")
    await puppet.send(wire.Text(request_id=reply.request_id, text="Well, "))
    await eventually(lambda: not reply.events.empty())
    return client, reply


async def read_all(reply: AsyncReply) -> list[Event]:
    async with asyncio.timeout(PATIENCE_S):
        return [event async for event in reply]


async def fall_silent(puppet: Puppet, client: AsyncNpcClient) -> None:
    puppet.task.cancel()
    client._link._silent_beats = round(LIMITS.idle_s / LIMITS.heartbeat_s)


async def vanish(puppet: Puppet, _client: AsyncNpcClient) -> None:
    puppet.die()


async def babble(puppet: Puppet, _client: AsyncNpcClient) -> None:
    await puppet.socket.send_multipart([puppet.peer, b"\xc1"])


async def say_goodbye(puppet: Puppet, _client: AsyncNpcClient) -> None:
    await puppet.send(wire.Goodbye(reason="shutdown"))


async def forget_us(puppet: Puppet, _client: AsyncNpcClient) -> None:
    await puppet.send(protocol.error_message(ConnectionLost("Who are you?"), 999))


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (fall_silent, ConnectionLost),
        (vanish, ConnectionLost),
        (babble, ProtocolError),
        (say_goodbye, ConnectionLost),
        (forget_us, ConnectionLost),
    ],
    ids=["silence", "death", "nonsense", "goodbye", "restart"],
)
async def test_a_lost_server_ends_the_open_reply_with_its_text(
    puppet: Puppet, end: object, error: type[NpcError]
) -> None:
    client, reply = await open_reply(puppet)
    await end(puppet, client)  # type: ignore[operator]
    events = await read_all(reply)
    last = events[-1]
    assert isinstance(last, ReplyFailed)
    assert isinstance(last.error, error)
    assert last.text == "Well, "
    assert events[:-1] == [TextDelta(reply.request_id, "Well, ")]
    assert not client.is_connected
    with pytest.raises(ConnectionLost):
        await client.talk("mara")
    await client.close()


async def test_a_mute_server_fails_the_question_but_keeps_the_connection(puppet: Puppet) -> None:
    client = await AsyncNpcClient.connect(puppet.address, timeout_s=PATIENCE_S)
    client._link._timeout_s = 0.1
    with pytest.raises(ConnectionLost, match=r"did not answer state within 0\.1 s"):
        await client.set_state({"x": 1})
    assert client.is_connected
    await client.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [(VersionMismatch("1 is not spoken here"), VersionMismatch), (Overloaded("full"), Overloaded)],
    ids=["version", "full"],
)
async def test_a_refused_hello_is_raised(puppet: Puppet, error: NpcError, kind: type[NpcError]) -> None:
    puppet.hello_answer = protocol.error_message(error, None)
    with pytest.raises(kind):
        await AsyncNpcClient.connect(puppet.address)


async def test_a_wrong_kind_of_answer_is_a_protocol_error(puppet: Puppet) -> None:
    puppet.hello_answer = wire.StateOk()
    with pytest.raises(ProtocolError, match="answered hello with state_ok"):
        await AsyncNpcClient.connect(puppet.address)


def opened_core() -> ClientCore:
    core = ClientCore()
    core.say("s", "q", "hi")
    return core


def test_core_drops_what_comes_after_the_end() -> None:
    core = opened_core()
    finished = protocol.encode(wire.Finished(request_id="q", text="x", finish_reason="stop"))
    (event,) = core.receive(finished)
    assert isinstance(event, ReplyFinished)
    assert core.receive(finished) == []
    assert core.lose(ConnectionLost("gone")) == []


def test_core_loses_everything_once() -> None:
    core = opened_core()
    ref = core.ask(wire.Ping).ref
    happenings = core.lose(ConnectionLost("gone"))
    assert [type(happening) for happening in happenings] == [Answered, ReplyFailed]
    assert isinstance(happenings[0], Answered)
    assert happenings[0].ref == ref
    assert core.lose(ConnectionLost("again")) == []
    assert core.receive(protocol.encode(wire.Pong())) == []
    with pytest.raises(ConnectionLost, match="gone"):
        core.ask(wire.Ping)


@pytest.mark.parametrize(
    ("error", "ends"),
    [(UnknownRequest("too late"), []), (Overloaded("full"), [])],
    ids=["crossed-the-end", "other"],
)
def test_an_error_for_a_cancel_ends_nothing(error: NpcError, ends: list[object]) -> None:
    core = opened_core()
    ref = core.cancel("q").ref
    assert core.receive(protocol.encode(protocol.error_message(error, ref))) == ends
    assert len(core.lose(ConnectionLost("gone"))) == 1


def test_an_error_for_a_say_ends_its_reply() -> None:
    core = ClientCore()
    ref = core.say("s", "q", "hi").ref
    (event,) = core.receive(protocol.encode(protocol.error_message(Overloaded("full"), ref)))
    assert isinstance(event, ReplyFailed)
    assert isinstance(event.error, Overloaded)


def resuming_core() -> ClientCore:
    core = ClientCore()
    fields = {"capabilities": (), "limits": wire.Limits(), "npcs": (), "resume": "k" * 24, "resume_s": 10.0}
    core.hello("test", ("resume",))
    core.receive(protocol.encode(wire.Welcome(ref=1, protocol=1, server="puppet", **fields)))  # type: ignore[arg-type]
    return core


@pytest.mark.parametrize(
    ("message", "fields", "sent"),
    [
        (wire.Talk, {"npc_id": "mara"}, wire.Ping),
        (wire.Happen, {"event": "insulted", "npc_id": "mara"}, wire.Ping),
        (wire.Leave, {"session_id": "s"}, wire.Leave),
    ],
    ids=["talk", "happen", "leave"],
)
def test_what_nobody_waits_for_is_not_said_again_unless_it_ends_something(
    message: type[wire.Asked], fields: dict[str, object], sent: type[wire.Asked]
) -> None:
    core = resuming_core()
    asked = [core.ask(wire.Ping), core.ask(message, **fields), core.ask(wire.Ping)]
    for outgoing in asked:
        core.note(outgoing.frames)
    core.give_up(asked[1], message)
    missed = core.missed()
    assert missed is not None
    assert [type(protocol.decode_client(frames)) for frames in missed] == [wire.Ping, sent, wire.Ping]
    assert core.receive(protocol.encode(wire.Pong(ref=asked[1].ref))) == []


def test_a_session_that_nobody_waits_for_any_more_is_left() -> None:
    core = resuming_core()
    asked = core.ask(wire.Talk, npc_id="mara")
    core.give_up(asked, wire.Talk)
    (left,) = core.receive(protocol.encode(wire.Talking(ref=asked.ref, session_id="s", npc_id="mara", greeting="")))
    assert isinstance(left, Outgoing)
    message = protocol.decode_client(left.frames)
    assert isinstance(message, wire.Leave)
    assert message.session_id == "s"


@pytest.mark.parametrize("is_answered", [True, False], ids=["the answer is there", "no answer yet"])
async def test_a_talk_that_the_game_stops_waiting_for_leaves_no_session(puppet: Puppet, is_answered: bool) -> None:
    client = await AsyncNpcClient.connect(puppet.address, timeout_s=PATIENCE_S)
    talking = asyncio.create_task(client.talk("mara"))
    await asyncio.sleep(0)
    (future,) = client._link._waiting.values()
    if is_answered:
        future.add_done_callback(lambda _: talking.cancel())
    else:
        talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking
    await eventually(lambda: any(isinstance(message, wire.Leave) for message in puppet.heard))
    await client.close()


class StillLine:
    """A line whose server speaks when the test says so, and takes so many messages."""

    def __init__(self, link: Link, room: int = 1_000) -> None:
        self.is_open = True
        self.lost: BridgeError | None = None
        self.sent: list[Sequence[bytes]] = []
        self.unread: list[wire.ServerMessage] = []
        self._take = link._take
        self._room = room
        link._line = self  # type: ignore[assignment]

    def send(self, frames: Sequence[bytes]) -> bool:
        self.sent.append(frames)
        return len(self.sent) <= self._room

    def read_all(self) -> None:
        while self.unread:
            self._take(protocol.encode(self.unread.pop(0)))

    def give_up(self, error: BridgeError) -> None:
        self.lost, self.is_open = error, False


def still_link(room: int = 1_000) -> tuple[Link, StillLine]:
    link = Link("tcp://127.0.0.1:1", 5.0)
    link.core = resuming_core()
    return link, StillLine(link, room)


def stand_still() -> None:
    """A level loads: an hour has passed before anything else of this loop runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, OwnTimeLoop)
    loop._own.skipped_s += 3_600.0


@in_own_time
async def test_a_game_that_stood_still_keeps_its_line() -> None:
    link, line = still_link()
    beating = asyncio.create_task(link._beat())
    for _ in range(10):
        await asyncio.sleep(0.5)
        line.unread.append(wire.Pong())
        stand_still()
    assert line.lost is None
    await asyncio.sleep(100.0)
    assert str(line.lost).startswith("tcp://127.0.0.1:1 was silent for 6.0 s")
    beating.cancel()


@in_own_time
async def test_an_answer_that_came_while_the_game_stood_still_is_in_time() -> None:
    link, line = still_link()
    asking = asyncio.create_task(link.ask(wire.Pong, wire.Ping))
    await asyncio.sleep(1.0)
    (ref,) = link._waiting
    line.unread.append(wire.Pong(ref=ref))
    stand_still()
    assert (await asking).ref == ref


def test_a_message_that_the_line_did_not_take_breaks_it_and_is_kept() -> None:
    link, line = still_link(room=2)
    for _ in range(5):
        link.send(link.core.tell(wire.Ping))
    assert len(line.sent) == 3
    assert isinstance(line.lost, ConnectionLost)
    assert link.core.lost is None
    assert len(link.core.missed() or ()) == 5


def test_a_line_that_does_not_take_what_was_missed_is_not_the_one() -> None:
    link, line = still_link(room=2)
    line.is_open = False
    for _ in range(5):
        link.send(link.core.tell(wire.Ping))
    with pytest.raises(ConnectionLost, match="takes no messages"):
        link._catch_up(line)  # type: ignore[arg-type]
    assert not line.is_open
    assert len(line.sent) == 3
    again = StillLine(link)
    link._catch_up(again)  # type: ignore[arg-type]
    assert again.is_open
    assert len(again.sent) == 5
