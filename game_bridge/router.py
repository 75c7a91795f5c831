"""The ROUTER socket: bound with every limit that libzmq offers, read with a cap on frames, written without blocking.

Knows identities and bytes, no message. Called by server.py only.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Literal, TypeAlias

import zmq
import zmq.asyncio

from game_bridge.auth import Doorkeeper
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import SettingsError

SendOutcome: TypeAlias = Literal["sent", "blocked", "gone"]
_RECEIVE_HWM, _SEND_HWM = 64, 256
_HANDSHAKE_MS = 3_000
_FLUSH_S = 0.1


class Router:
    """A bound socket, whose newcomers a doorkeeper looks at unless the settings let anybody in.

    Raises: SettingsError.
    """

    def __init__(self, settings: BridgeSettings) -> None:
        self._max_frames = settings.limits.max_images + 1
        self._context = zmq.asyncio.Context()
        self._doorkeeper: Doorkeeper | None = None
        try:
            if not settings.allow_anonymous:
                self._doorkeeper = Doorkeeper(self._context, settings)
            self._socket = self._open(settings)
        except BaseException:
            if self._doorkeeper is not None:
                self._doorkeeper.close()
            self._context.destroy(linger=0)
            raise
        self.address = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    async def receive(self) -> tuple[bytes, list[bytes]]:
        """The next message and who sent it; frames beyond the cap are thrown away but for one, which tells the tale."""
        while True:
            await self._socket.poll(zmq.POLLIN)
            identity = await self._take()
            if identity is None:
                continue
            frames: list[bytes] = []
            while self._socket.getsockopt(zmq.RCVMORE):
                frame = await self._take()
                if frame is not None and len(frames) <= self._max_frames:
                    frames.append(frame)
            return identity, frames

    async def send(self, identity: bytes, frames: list[bytes]) -> SendOutcome:
        """Hand a message to libzmq without waiting: blocked at the high-water mark, gone without a connection."""
        try:
            await self._socket.send_multipart([identity, *frames], flags=zmq.NOBLOCK)
        except zmq.Again:
            return "blocked"
        except zmq.ZMQError as exc:
            if exc.errno == errno.EHOSTUNREACH:
                return "gone"
            raise
        return "sent"

    async def close(self) -> None:
        """Close, a moment after the last message was handed over."""
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        # libzmq 4.3.5 can hang for ever in term when a lingering socket loses a client at the same time
        await asyncio.sleep(_FLUSH_S)
        self._context.destroy(linger=0)

    async def _take(self) -> bytes | None:
        try:
            data: bytes = await self._socket.recv(flags=zmq.NOBLOCK)
        except zmq.Again:
            return None
        return data

    def _open(self, settings: BridgeSettings) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.ROUTER)
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
