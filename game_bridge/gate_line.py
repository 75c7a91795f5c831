"""One connection of the gate: shakes hands, reads no faster than allowed, answers heartbeats, writes in one go.

No byte that comes raises anything out of here: what breaks the rules ends the connection. Knows no message and no other
connection. Called by gate.py and asyncio.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol, cast

from game_bridge import zmtp
from game_bridge.pace import Bucket, weight
from npc_sdk.errors import BridgeError

log = logging.getLogger(__name__)

GATHER_S = 0.001
HIGH_WATER_BYTES = 2**20
_BYTES_PER_S, _BYTES_AT_ONCE = 16 * 2**20, 4 * 2**20
_STRANGERS_BYTES_PER_S, _STRANGERS_MESSAGES_PER_S = 2**20, 100.0
_SEND_BUFFER_BYTES = 2**18
_READ_BYTES = 2**14  # at once: with many to read from, the loop comes round no sooner than all were read
_TURN = 16  # messages in a row, before others have their turn


class Keeper(Protocol):
    """What a line tells of itself."""

    def arrived(self, line: GateLine) -> None:
        """A connection was made."""

    def opened(self, line: GateLine) -> None:
        """The handshake is over. Raises: Refused where there is no room."""

    def took(self, line: GateLine, frames: list[bytes]) -> None:
        """A whole message came."""

    def held(self, line: GateLine) -> None:
        """line.held_bytes has changed."""

    def posted(self, line: GateLine) -> None:
        """Something waits for flush, and nothing did before."""

    def refused(self, line: GateLine, reason: zmtp.Refused) -> None:
        """The other side did not show what it must."""

    def ended(self, line: GateLine) -> None:
        """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The same for every line of a gate; strangers_bounds hold until it is claimed. Units: messages_per_s counts
    frames.
    """

    mechanism: zmtp.Mechanism
    admits: Callable[[bytes, bytes], bool]
    bounds: zmtp.Bounds
    strangers_bounds: zmtp.Bounds
    messages_per_s: float


class GateLine(asyncio.Protocol):
    """identity is ours; asked counts the PINGs since something came, which no stall of our own can make too many."""

    def __init__(self, keeper: Keeper, terms: Terms, identity: bytes) -> None:
        self.identity = identity
        self.asked = 0
        self.arrived_s = 0.0
        self.opened_s: float | None = None
        self.held_bytes = 0
        self.where = ""
        self._keeper = keeper
        self._terms = terms
        self._handshake: zmtp.Handshake | None = zmtp.Handshake(terms.mechanism, terms.admits)
        self._reader = zmtp.FrameReader(terms.strangers_bounds)
        self._is_over = False
        self._wake: asyncio.Handle | None = None
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._buffered_bytes = 0  # at most this much waits in the transport
        self._wrote_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet first: it tells a client of another kind what this is."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self._transport.max_size = _READ_BYTES  # type: ignore[attr-defined]  # of asyncio's selector loops
        socket = transport.get_extra_info("socket")
        if socket is not None:  # else the system holds some MB for one that does not read
            socket.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BUFFER_BYTES)
        name = transport.get_extra_info("peername")
        self.where = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "this machine"
        self.arrived_s = now_s = self._loop.time()
        messages_per_s = min(_STRANGERS_MESSAGES_PER_S, self._terms.messages_per_s)
        self._messages = Bucket(messages_per_s, messages_per_s, now_s)
        self._bytes = Bucket(_STRANGERS_BYTES_PER_S, _STRANGERS_BYTES_PER_S, now_s)
        self._transport.write(zmtp.encode_greeting(self._terms.mechanism))
        self._keeper.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the other side."""
        if not self._is_over:
            self._guarded(self._take, data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Whoever ended it."""
        self._stop()
        self._keeper.ended(self)

    @property
    def is_full(self) -> bool:
        """Whether too much is unsent."""
        if self._unsent_bytes + self._buffered_bytes <= HIGH_WATER_BYTES:
            return False
        self._buffered_bytes = self._transport.get_write_buffer_size()
        return self._unsent_bytes + self._buffered_bytes > HIGH_WATER_BYTES

    def widen(self) -> None:
        """Somebody's from now on: all that the limits allow may come."""
        self._reader.bounds = self._terms.bounds
        self._messages.widen(self._terms.messages_per_s, self._terms.messages_per_s)
        self._bytes.widen(_BYTES_PER_S, _BYTES_AT_ONCE)

    def take_parts(self) -> list[bytearray]:
        """The large part of what was held, which a line that is over needs no more."""
        return self._reader.take_parts()

    def post(self, data: bytes) -> None:
        """Write with the next flush. Look at is_full before."""
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if len(self._unsent) == 1:
            self._keeper.posted(self)

    def may_write(self, now_s: float) -> bool:
        """Whether a write need not wait for more to go with it: answers never wait, streams a moment."""
        return now_s - self._wrote_s >= GATHER_S

    def flush(self) -> None:
        """All that was posted, in one write."""
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        if unsent and not self._is_over and not self._transport.is_closing():
            self._wrote_s = self._loop.time()
            self._transport.write(b"".join(unsent))
            self._buffered_bytes = self._transport.get_write_buffer_size()

    def ping(self, ttl_s: float) -> None:
        """Ask whether the other side lives."""
        if self._wake is None:  # while we do not read, it cannot be called silent
            self.asked += 1
        if not self.is_full:
            self.post(zmtp.encode_ping(ttl_s))

    def hang_up(self) -> None:
        """Write what was posted, then end; what still comes is thrown away."""
        self.flush()
        self._stop()
        if not self._transport.is_closing():
            self._transport.resume_reading()  # or the other side's own end would not be seen
            self._transport.write_eof()

    def abort(self) -> None:
        """End at once."""
        self._stop()
        self._transport.abort()

    def _stop(self) -> None:
        self._is_over = True
        if self._wake is not None:
            self._wake.cancel()

    def _guarded(self, work: Callable[..., None], *given: bytes) -> None:
        try:
            work(*given)
        except zmtp.Refused as exc:
            self._refuse(exc)
        except BridgeError as exc:
            log.debug("%s is cut: %s", self.where, exc)
            self.abort()
        except Exception:
            log.exception("what came from %s broke the gate", self.where)
            self.abort()

    def _refuse(self, refusal: zmtp.Refused) -> None:
        log.debug("%s is refused: %s", self.where, refusal)
        if refusal.is_stranger:
            self._keeper.refused(self, refusal)
        self._is_over = True
        self._transport.write(refusal.reply)
        self._transport.close()

    def _take(self, data: bytes) -> None:
        self._bytes.spend(len(data))
        self._wrote_s = 0.0  # whoever spoke is answered at once
        if self._handshake is not None:
            data = self._shake_hands(self._handshake, data)
            if not data:
                return
        self._reader.feed(data)
        if self._wake is None:
            self._pump()

    def _shake_hands(self, handshake: zmtp.Handshake, data: bytes) -> bytes:
        """What of the bytes comes behind the handshake."""
        answer = handshake.feed(data)
        if handshake.is_done:
            self._keeper.opened(self)
            self._handshake = None
            self.opened_s = self._loop.time()
        self._transport.write(answer)
        return handshake.rest if handshake.is_done else b""

    def _pump(self) -> None:
        """Handle what was read, as far as rate and turn go."""
        self._wake = None
        self.asked = 0
        now_s = self._loop.time()
        messages, reader = self._messages, self._reader
        messages.fill(now_s)
        for _ in range(_TURN):
            if messages.rest_s:
                return self._rest(messages.rest_s)
            begun = reader.frames
            came = reader.next()
            messages.spend(reader.frames - begun)
            if came is None:
                return self._wait_for_more(now_s)
            self._handle(came)
            if self._is_over:
                return None
        return self._rest(0)

    def _handle(self, came: list[bytes] | bytes) -> None:
        if isinstance(came, list):
            self._messages.spend(weight(came[0]))
            self._keeper.took(self, came)
            return
        answer = zmtp.answer_command(came)
        if answer and not self.is_full:
            self.post(answer)

    def _wait_for_more(self, now_s: float) -> None:
        held = self._reader.held
        if held != self.held_bytes:
            self.held_bytes = held
            self._keeper.held(self)
        self._bytes.fill(now_s)
        if self._is_over:
            return
        if self._bytes.rest_s:
            self._rest(self._bytes.rest_s)
        else:
            self._transport.resume_reading()

    def _rest(self, for_s: float) -> None:
        """Read nothing meanwhile: then TCP slows the other side down, and nothing is lost."""
        self._transport.pause_reading()
        self._wake = self._loop.call_later(for_s, self._guarded, self._pump)
