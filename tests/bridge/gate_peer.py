"""A gate that keeps what it hears, and a peer of bare bytes before it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from game_bridge import zmtp
from game_bridge.gate import Gate
from game_bridge.settings import BridgeSettings
from game_bridge.told import Limits
from game_bridge.transport import SendOutcome


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
SLOW_BEAT = Limits(heartbeat_s=60.0, idle_s=180.0)
DEALER = b"\x0bSocket-Type\x00\x00\x00\x06DEALER"
TOKEN = "s3cret"


def gate_settings(limits: Limits = SLOW_BEAT, **changes: object) -> BridgeSettings:
    defaults: dict[str, object] = {"address": "tcp://127.0.0.1:*", "allow_anonymous": True, "limits": limits}
    return BridgeSettings(**{**defaults, **changes})  # type: ignore[arg-type]


class Hall:
    """What stands behind a gate: echoes and claims connections unless told not to, and keeps all that came."""

    def __init__(self, settings: BridgeSettings, does_echo: bool = True, does_claim: bool = True) -> None:
        self.came: list[tuple[bytes, list[bytes]]] = []
        self.gone: list[bytes] = []
        self.outcomes: list[SendOutcome] = []
        self.peers: list[BarePeer] = []
        self.gate = Gate(settings, self._take, self.gone.append)
        self._does_echo = does_echo
        self._does_claim = does_claim

    def _take(self, identity: bytes, frames: list[bytes]) -> None:
        if frames == [b"break"]:
            raise RuntimeError("of the server's own")
        self.came.append((identity, frames))
        if self._does_claim:
            self.gate.claim(identity)
        if self._does_echo:
            self.outcomes.append(self.gate.send(identity, frames))


@asynccontextmanager
async def open_hall(
    settings: BridgeSettings | None = None, *, does_echo: bool = True, does_claim: bool = True
) -> AsyncIterator[Hall]:
    """A gate that is open."""
    hall = Hall(settings or gate_settings(), does_echo, does_claim)
    await hall.gate.start()
    try:
        yield hall
    finally:
        await hall.gate.close()
        for peer in hall.peers:
            await peer.close()


class BarePeer:
    """Reads and writes bytes; closed with its hall at the latest."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, hall: Hall) -> BarePeer:
        scheme, _, place = hall.gate.address.partition("://")
        if scheme == "ipc":
            peer = cls(*await asyncio.open_unix_connection(place))
        else:
            host, _, port = place.rpartition(":")
            peer = cls(*await asyncio.open_connection(host, int(port)))
        hall.peers.append(peer)
        return peer

    @classmethod
    async def shake_hands(cls, hall: Hall, token: str = "") -> BarePeer:
        peer = await cls.connect(hall)
        if token:
            hello = zmtp.encode_command(b"HELLO", b"\x04game" + bytes((len(token),)) + token.encode())
            peer.write(zmtp.encode_greeting("PLAIN") + hello + zmtp.encode_command(b"INITIATE", DEALER))
        else:
            peer.write(zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", DEALER))
        assert (await peer.read(64))[:12] == b"\xff" + bytes(8) + b"\x7f\x03\x01"
        if token:
            assert await peer.frame() == (4, b"\x07WELCOME")
        assert (await peer.frame())[1].startswith(b"\x05READY")
        return peer

    @classmethod
    async def greet(cls, hall: Hall) -> BarePeer:
        """Shakes hands and says a word that is echoed, by which it is claimed."""
        peer = await cls.shake_hands(hall)
        peer.send([b"hello"])
        assert await peer.message() == [b"hello"]
        return peer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def send(self, frames: Sequence[bytes]) -> None:
        self.write(zmtp.encode_message(frames))

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(30):
            return await self.reader.readexactly(count)

    async def frame(self) -> tuple[int, bytes]:
        flags, size = await self.read(2)
        if flags & 2:
            size = int.from_bytes(bytes((size,)) + await self.read(7), "big")
        return flags, await self.read(size)

    async def message(self) -> list[bytes]:
        """The next one; commands on the way are passed over."""
        frames: list[bytes] = []
        while True:
            flags, body = await self.frame()
            if not flags & 4:
                frames.append(body)
                if not flags & 1:
                    return frames

    async def end(self) -> bytes:
        """What comes until the other side ends the connection."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return
