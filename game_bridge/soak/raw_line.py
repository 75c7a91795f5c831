"""One connection of the bare protocol on asyncio, as cheap as a soak needs and as rude: it can be cut, or not be read.

Speaks ZMTP as PROTOCOL.md has it, without a ZeroMQ library, whose sockets cannot be cut. Called by the soak, the attack
with readers that stall, and the trace's player.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgpack

from game_bridge.credential import USER
from game_bridge.zmtp import GREETING_BYTES, Bounds, FrameReader, answer_command, encode_command, encode_message
from npc_sdk.errors import AuthenticationFailed, BridgeError, ConnectionLost, NpcError

_PROPERTIES = b"\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
_WELCOME = b"\x07WELCOME"
_BOUNDS = Bounds(frame_bytes=16 * 2**20, message_bytes=16 * 2**20, frames=1, surplus=0)
_OPEN_S = 30.0


class RawLine(asyncio.Protocol):
    """``line = await RawLine.open(address, token, on_message)``. on_lost is called once, however the line ends.

    on_message gets the one frame of each of the server's messages.
    """

    def __init__(self, token: str, on_message: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.is_lost = False
        self._token = token
        self._on_message = on_message
        self._on_lost = on_lost
        self._greeting: bytearray | None = bytearray()
        self._reader = FrameReader(_BOUNDS)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        address: str,
        token: str,
        on_message: Callable[[bytes], None],
        on_lost: Callable[[], None] = lambda: None,
        *,
        receive_bytes: int | None = None,
    ) -> Self:
        """Connects and shakes hands; an empty token shows none. receive_bytes keeps the system's own buffer small.

        Raises: ConnectionLost, AuthenticationFailed.
        """
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        line = cls(token, on_message, on_lost)
        try:
            async with asyncio.timeout(_OPEN_S):
                sock = await _connect(host, int(port), receive_bytes)
                await asyncio.get_running_loop().create_connection(lambda: line, sock=sock)
                await line._ready
        except (OSError, TimeoutError) as exc:
            line.cut()
            raise ConnectionLost(f"no server answers at {address}: {exc!r}", hint="is it running?") from exc
        return line

    def send(self, body: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> None:
        """One message. Nothing is sent on a lost connection."""
        data: bytes = msgpack.packb(body)
        self.send_frames([data, *blobs])

    def send_frames(self, frames: Sequence[bytes]) -> None:
        """The frames of one message as they are."""
        self._write(encode_message(frames))

    def pause(self) -> None:
        """Read nothing more."""
        if self._transport is not None and not self.is_lost:
            self._transport.pause_reading()

    def cut(self) -> None:
        """Leave without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the socket is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        mechanism = b"PLAIN" if self._token else b"NULL"
        self._write(b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32))

    def data_received(self, data: bytes) -> None:
        """asyncio's: whatever came."""
        try:
            rest = data if self._greeting is None else self._greet(data)
            self._reader.feed(rest)
            while (found := self._reader.next()) is not None:
                self._take(found)
        except NpcError as exc:
            self._fail(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: it is over."""
        self.is_lost = True
        self._refuse(ConnectionLost(f"The connection broke: {exc!r}", hint="see the server's log"))
        self._on_lost()

    def _greet(self, data: bytes) -> bytes:
        """What came after the server's greeting. Raises: BridgeError for one that is none."""
        assert self._greeting is not None
        self._greeting += data
        if len(self._greeting) < GREETING_BYTES:
            return b""
        greeting, rest = self._greeting[:GREETING_BYTES], bytes(self._greeting[GREETING_BYTES:])
        if greeting[0] != 0xFF or greeting[10] < 3:
            raise BridgeError("What answered does not speak ZMTP 3", hint="is it another program's port?")
        self._greeting = None
        if self._token:
            user, token = USER.encode(), self._token.encode("ascii")
            self._write(encode_command(b"HELLO", bytes([len(user)]) + user + bytes([len(token)]) + token))
        else:
            self._write(encode_command(b"READY", _PROPERTIES))
        return rest

    def _take(self, found: list[bytes] | bytes) -> None:
        if isinstance(found, list):
            self._on_message(found[0])
        elif self._ready.done():
            self._write(answer_command(found))
        elif self._token and found == _WELCOME:
            self._write(encode_command(b"INITIATE", _PROPERTIES))
        elif found.startswith(b"\x05READY"):
            self._ready.set_result(None)
        else:
            raise AuthenticationFailed("The server did not take the token", hint="a token lives as long as its server")

    def _fail(self, error: NpcError) -> None:
        self._refuse(error)
        self.cut()

    def _refuse(self, error: NpcError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def _connect(host: str, port: int, receive_bytes: int | None) -> socket.socket:
    """Raises: OSError."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(sock, (host.strip("[]"), port))
    except BaseException:
        sock.close()
        raise
    return sock
