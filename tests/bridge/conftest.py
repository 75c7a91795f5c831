"""A bridge server on a free loopback port, and a client of the bare protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import zmq
import zmq.asyncio

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.message import Limits
from game_bridge.server import BridgeServer
from game_bridge.service import Terminal
from game_bridge.settings import BridgeSettings

from .fakes import FakeWorld

PATIENCE_S = 60.0  # for what comes at once, but on a machine that does something else
# with quicker beats libzmq, and the client, take a process that was held up for two seconds for one that is gone
STEADY = Limits(heartbeat_s=2.0, idle_s=2 * PATIENCE_S, reply_timeout_s=PATIENCE_S)


def quick_settings(limits: Limits = STEADY, **changes: object) -> BridgeSettings:
    defaults: dict[str, object] = {"cancel_grace_s": 0.3, "shutdown_grace_s": PATIENCE_S, "send_patience_s": 0.3}
    defaults["resume_s"] = 2 * PATIENCE_S
    defaults["allow_anonymous"] = True  # test_auth.py has those that ask
    return BridgeSettings(address="tcp://127.0.0.1:*", limits=limits, **{**defaults, **changes})  # type: ignore[arg-type]


class RawClient:
    """Speaks frames without the client's core, so that it sees every message and can send anything."""

    def __init__(self, address: str) -> None:
        self._context = zmq.asyncio.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.connect(address)

    async def send(self, message: wire.Asked, blobs: Sequence[bytes] = ()) -> None:
        await self.socket.send_multipart(protocol.encode(message, blobs, Limits(max_images=16, max_image_bytes=2**24)))

    async def send_frames(self, *frames: bytes) -> None:
        await self.socket.send_multipart(frames)

    async def next(self, timeout_s: float = PATIENCE_S) -> wire.ServerMessage:
        """The next message but signs of life."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = protocol.decode_server(await self.socket.recv_multipart())
                if not (isinstance(message, wire.Pong) and message.ref is None):
                    return message

    async def ask(self, message: wire.Asked, blobs: Sequence[bytes] = ()) -> wire.ServerMessage:
        await self.send(message, blobs)
        return await self.next()

    async def hello(self) -> wire.Welcome:
        welcome = await self.ask(wire.Hello(ref=1, protocol=1, client="raw"))
        assert isinstance(welcome, wire.Welcome)
        return welcome

    async def talk(self, npc_id: str = "mara") -> str:
        talking = await self.ask(wire.Talk(ref=2, npc_id=npc_id))
        assert isinstance(talking, wire.Talking)
        return talking.session_id

    async def until_end(self, request_id: str) -> list[wire.ServerMessage]:
        """Messages up to and with the terminal of a request."""
        messages: list[wire.ServerMessage] = []
        while True:
            messages.append(await self.next())
            last = messages[-1]
            if isinstance(last, wire.Finished | wire.Failed) and last.request_id == request_id:
                return messages

    async def quiet(self, for_s: float = 0.3) -> None:
        """Nothing of any reply comes for a while."""
        with pytest.raises(TimeoutError):
            await self._next_event(for_s)

    async def _next_event(self, timeout_s: float) -> wire.Told:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.next()
                if isinstance(message, wire.Told):
                    return message

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def ended() -> list[tuple[str, Terminal]]:
    return []


@pytest.fixture
async def server(world: FakeWorld, ended: list[tuple[str, Terminal]]) -> AsyncIterator[BridgeServer]:
    on_ended: Callable[[str, Terminal], None] = lambda request_id, event: ended.append((request_id, event))  # noqa: E731
    async with BridgeServer(world, quick_settings(), on_ended=on_ended) as running:
        yield running


@pytest.fixture
async def raw(server: BridgeServer) -> AsyncIterator[RawClient]:
    client = RawClient(server.address)
    yield client
    client.close()
