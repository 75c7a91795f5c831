"""One line of the client's to a server: a DEALER socket, and what libzmq's monitor tells of it. Knows no message.

Called by link.py, from its loop. Floor 0 only.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import zmq
import zmq.asyncio

from game_bridge.credential import Credential, show
from game_bridge.ledger import KEPT_MESSAGES
from npc_sdk.errors import AuthenticationFailed, BridgeError, ConnectionLost

_MAX_FRAME_BYTES = 16 * 2**20
_MAX_QUEUED = 2 * KEPT_MESSAGES  # all that is sent again after a break, and what the game says meanwhile
# libzmq may not come back by itself: behind a game that stands still, it would say the next words without a hello
_NEVER_MS = 10**9
_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_HANG_UPS, _PAUSE_S = 4, 0.1
_OTHER_MECHANISM = 0x11000002  # ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
_LISTENING_S = 1.0


class Dealer:
    """is_open says whether messages may go out: from the welcome on, which its owner sees. Where the client has_been_in
    before, a server that hangs up has no other mechanism, and one try is all.

    Raises: ConnectionLost for an address that is none, SettingsError for a key file that cannot be read.
    """

    def __init__(
        self,
        address: str,
        credential: Credential,
        on_frames: Callable[[list[bytes]], None],
        *,
        has_been_in: bool = False,
    ) -> None:
        self.is_open = False
        self._address = address
        self._credential = credential
        self._on_frames = on_frames
        self._has_been_in = has_been_in
        self._hang_ups = 0
        self._let_in = asyncio.Event()
        self._over = asyncio.Event()
        self._lost: BridgeError | None = None
        self._context = zmq.asyncio.Context()
        self._socket = self._connect()

    async def come_in(self, timeout_s: float) -> None:
        """Until the handshake is over.

        Raises: ConnectionLost, AuthenticationFailed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._let_in.wait()
        except TimeoutError as exc:
            told = f"{self._address} did not answer hello within {timeout_s:g} s"
            raise ConnectionLost(told, hint="is the server running there?") from exc
        if self._lost is not None:
            raise self._lost

    def send(self, frames: Sequence[bytes]) -> bool:
        """Whether libzmq took it; a full queue means that the server takes nothing."""
        # with NOBLOCK the future is done when it comes back
        return asyncio.ensure_future(self._socket.send_multipart(frames, flags=zmq.NOBLOCK)).exception() is None

    def read_all(self) -> None:
        """Hand on what has come, without waiting."""
        while True:
            # with NOBLOCK the future is done when it comes back
            coming = asyncio.ensure_future(self._socket.recv_multipart(flags=zmq.NOBLOCK))
            try:
                frames: list[bytes] = coming.result()
            except zmq.Again:
                return
            self._on_frames(frames)

    async def read(self) -> BridgeError:
        """Read until the line is lost, and say why; what came before the break is still delivered."""
        self.give_up(await self._read())
        assert self._lost is not None
        return self._lost

    def give_up(self, error: BridgeError) -> None:
        """Whoever waits to come in waits no longer, and nothing more is sent or read."""
        self.is_open = False
        self._lost = self._lost or error
        self._let_in.set()
        self._over.set()

    def close(self) -> None:
        """Can be repeated."""
        self.is_open = False
        # what mattered was answered; a linger can hang term for ever (router.py)
        self._context.destroy(linger=0)

    async def _read(self) -> BridgeError:
        poller = zmq.asyncio.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        over = asyncio.ensure_future(self._over.wait())
        polled: asyncio.Future[list[tuple[Any, int]]] | None = None
        try:
            while self._lost is None:
                polled = asyncio.ensure_future(poller.poll())
                await asyncio.wait({polled, over}, return_when=asyncio.FIRST_COMPLETED)
                if not polled.done():
                    break
                ready = dict(polled.result())
                self.read_all()
                lost = await self._look() if self._monitor in ready else None
                if lost is not None:
                    return lost
        except (zmq.ZMQError, RuntimeError) as exc:
            return ConnectionLost(f"The socket failed: {exc}", hint="connect again")
        finally:
            over.cancel()
            if polled is not None:
                polled.cancel()
        return ConnectionLost("The client stopped reading", hint="connect again")

    async def _look(self) -> BridgeError | None:
        """What libzmq's monitor tells, where it is the end.

        A server that wants another mechanism may hang up before it has said so: we give it some goes, since one that is
        just being ended looks the same. One that is not there yet may still come.
        """
        event, value = struct.unpack("=hi", (await self._monitor.recv_multipart())[0])
        match event:
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._let_in.set()
            case zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED if self._let_in.is_set() or self._has_been_in:
                return ConnectionLost(f"{self._address} closed the connection", hint="connect again")
            case zmq.EVENT_DISCONNECTED:
                self._hang_ups += 1
                return self._not_let_in() if self._hang_ups == _HANG_UPS else None
            case zmq.EVENT_CONNECT_RETRIED:
                await self._try_again()
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                hint = "a token lives as long as its server: read it anew, or hand NPC_SERVER_TOKEN to both"
                return AuthenticationFailed(f"{self._address} did not take this client's token or key", hint=hint)
            case _ if value == _OTHER_MECHANISM:
                return self._not_let_in()
            case _:
                hint = "is it another program's?"
                return ConnectionLost(f"{self._address} does not speak as an NPC server does", hint=hint)
        return None

    async def _try_again(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        self._socket.disconnect(self._address)
        self._socket.connect(self._address)

    def _not_let_in(self) -> BridgeError:
        wrong = "asks for a token or key" if self._credential is None else "does not take what this client shows"
        hint = "give token=, or NPC_SERVER_TOKEN; a server with --no-auth takes none"
        return AuthenticationFailed(f"{self._address} {wrong}", hint=hint)

    def _connect(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES)
        socket.setsockopt(zmq.SNDHWM, _MAX_QUEUED)
        socket.setsockopt(zmq.RECONNECT_IVL, _NEVER_MS)
        socket.setsockopt(zmq.IPV6, int("[" in self._address))
        try:
            show(socket, self._credential)
            # says at once what silence would say only after idle_s; begun before anything can have happened
            self._monitor = socket.get_monitor_socket(_EVENTS)
            socket.connect(self._address)
        except BaseException as exc:
            self._context.destroy(linger=0)
            if not isinstance(exc, zmq.ZMQError):
                raise
            raise ConnectionLost(
                f"{self._address!r} is no address to connect to: {exc}", hint="for example tcp://127.0.0.1:5577"
            ) from exc
        return socket


async def is_listening(address: str) -> bool:
    """Whether somebody takes connections there; where that cannot be said, yes."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(_LISTENING_S):
            if parts.scheme == "tcp":
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            elif parts.scheme == "ipc":
                _, writer = await asyncio.open_unix_connection(address.removeprefix("ipc://").replace("@", "\0", 1))
            else:
                return True
    except TimeoutError:
        return True
    except OSError:
        return False
    writer.close()
    return True
