"""libzmq's ROUTER for keys (CURVE): bound with every limit that libzmq offers, read with a cap on frames.

Knows identities and bytes, no message. Called through transport.py.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Sequence

import zmq
import zmq.asyncio

from game_bridge.auth import Doorkeeper
from game_bridge.settings import BridgeSettings
from game_bridge.transport import OnGone, OnMessage, SendOutcome
from npc_sdk.errors import ConnectionLost, SettingsError

log = logging.getLogger(__name__)

_RECEIVE_HWM, _SEND_HWM = 64, 256
_HANDSHAKE_MS = 3_000
_FLUSH_S = 0.1


class Router:
    """A socket whose newcomers a doorkeeper looks at, unless the settings let anybody in.

    libzmq tells of no connection's end, so on_gone is never called, and cut, claim and release do nothing. Nor can one
    connection be read more slowly than the others: messages_per_s holds for the gate alone.
    """

    def __init__(self, settings: BridgeSettings, on_message: OnMessage, _on_gone: OnGone) -> None:
        self._settings = settings
        self._on_message = on_message
        self._max_frames = settings.limits.max_images + 1
        self._context: zmq.asyncio.Context | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._task: asyncio.Task[None] | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Where clients connect, with the real port. Raises: ConnectionLost before start."""
        if not self._address:
            raise ConnectionLost("The router is not open", hint="start it first")
        return self._address

    async def start(self) -> None:
        """Bind and begin to read. Raises: SettingsError."""
        self._context = zmq.asyncio.Context()
        try:
            if not self._settings.allow_anonymous:
                self._doorkeeper = Doorkeeper(self._context, self._settings)
            self._socket = self._open(self._context)
        except BaseException:
            if self._doorkeeper is not None:
                self._doorkeeper.close()
            self._context.destroy(linger=0)
            raise
        self._address = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))
        self._task = asyncio.get_running_loop().create_task(self._read())

    def send(self, identity: bytes, frames: Sequence[bytes]) -> SendOutcome:
        """Hand a message to libzmq without waiting: blocked at the high-water mark, gone without a connection."""
        # with NOBLOCK the future is done when it comes back
        error = asyncio.ensure_future(self._socket.send_multipart([identity, *frames], flags=zmq.NOBLOCK)).exception()
        if error is None:
            return "sent"
        if isinstance(error, zmq.Again):
            return "blocked"
        if isinstance(error, zmq.ZMQError) and error.errno in (errno.EHOSTUNREACH, zmq.ENOTSOCK):
            return "gone"
        raise error

    def cut(self, identity: bytes) -> None:
        """libzmq has no way to end one connection."""

    def claim(self, identity: bytes) -> None:
        """Nothing would change."""

    def release(self, identity: bytes) -> None:
        """libzmq has no way to end one connection."""

    async def close(self) -> None:
        """Close, a moment after the last message was handed over. Can be repeated."""
        if self._context is None or self._task is None:
            return
        context, self._context = self._context, None
        self._task.cancel()
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        # libzmq 4.3.5 can hang for ever in term when a lingering socket loses a client at the same time
        await asyncio.sleep(_FLUSH_S)
        context.destroy(linger=0)

    async def _read(self) -> None:
        while True:
            await self._socket.poll(zmq.POLLIN)
            identity = await self._take()
            if identity is None:
                continue
            frames = await self._take_frames()
            try:
                self._on_message(identity, frames)
            except Exception:
                log.exception("a message broke the server")

    async def _take_frames(self) -> list[bytes]:
        """Of one message; those beyond the cap are thrown away but for one, which tells the tale."""
        frames: list[bytes] = []
        while self._socket.getsockopt(zmq.RCVMORE):
            frame = await self._take()
            if frame is not None and len(frames) <= self._max_frames:
                frames.append(frame)
        return frames

    async def _take(self) -> bytes | None:
        try:
            data: bytes = await self._socket.recv(flags=zmq.NOBLOCK)
        except zmq.Again:
            return None
        return data

    def _open(self, context: zmq.asyncio.Context) -> zmq.asyncio.Socket:
        settings = self._settings
        socket = context.socket(zmq.ROUTER)
        heartbeat_ms = round(settings.limits.heartbeat_s * 1_000)
        options = {
            # without it a message to a client that stalls or left is lost without a word
            zmq.ROUTER_MANDATORY: 1,
            # a frame above this closes the connection; twice the limit leaves room to answer too_large instead
            zmq.MAXMSGSIZE: 2 * max(settings.limits.max_image_bytes, settings.limits.max_body_bytes),
            zmq.RCVHWM: _RECEIVE_HWM,
            zmq.SNDHWM: _SEND_HWM,
            zmq.HANDSHAKE_IVL: _HANDSHAKE_MS,
            zmq.HEARTBEAT_IVL: heartbeat_ms,
            zmq.HEARTBEAT_TIMEOUT: 3 * heartbeat_ms,
            zmq.HEARTBEAT_TTL: 3 * heartbeat_ms,
            zmq.IPV6: int("[" in settings.address),
        }
        for option, value in options.items():
            socket.setsockopt(option, value)
        if self._doorkeeper is not None:
            self._doorkeeper.guard(socket)
        try:
            socket.bind(settings.address)
        except zmq.ZMQError as exc:
            raise SettingsError(
                f"bridge.address: cannot listen on {settings.address!r}: {exc}", hint="is another server running?"
            ) from exc
        return socket
