"""The bridge's own door on this machine: TCP and Unix sockets, every limit ours, thousands of strangers no matter.

Owns who is connected and what all of them together may take; gate_line.py does one connection. Called by server.py.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Sequence
from functools import partial

from game_bridge import zmtp
from game_bridge.admission import REFUSED, RareWarning, is_game
from game_bridge.endpoint import Endpoint, bind
from game_bridge.gate_line import GateLine, Terms
from game_bridge.gate_turn import Leftovers, Writes
from game_bridge.settings import BridgeSettings
from game_bridge.told import Limits
from game_bridge.transport import OnGone, OnMessage, SendOutcome
from npc_sdk.errors import ConnectionLost

log = logging.getLogger(__name__)

HANDSHAKE_S = 3.0
UNCLAIMED_S = 5.0
_BACKLOG = 1_024
_ACCEPTS, _ENDS = 16, 16  # in a row, before others have their turn
_MAX_NEWCOMERS = 2_048
_SPARE_PEERS = 64  # more may shake hands than may say hello, so that those too many are told
_SPARE_FILES = 256
_MAX_HELD_BYTES = 128 * 2**20
_SURPLUS_FRAMES, _SURPLUS_BYTES = 1_024, 16 * 2**20
_STRANGERS_SURPLUS_FRAMES = 64
_TOO_MUCH = "%d cut since too much of unfinished messages is held, the last %s"
_SILENT_BEATS = 3
_FLUSH_S = 0.5
_LOOK_S = 0.01


class Gate:
    """Peers show the token unless the settings let anybody in. Newcomers are those who have not shaken hands yet."""

    def __init__(self, settings: BridgeSettings, on_message: OnMessage, on_gone: OnGone) -> None:
        self._settings = settings
        self._on_message = on_message
        self._on_gone = on_gone
        self._terms = Terms(
            mechanism="NULL" if settings.allow_anonymous else "PLAIN",
            admits=partial(is_game, token=settings.token.encode()),
            bounds=bounds_of(settings.limits),
            strangers_bounds=strangers_bounds_of(settings.limits),
            messages_per_s=settings.messages_per_s,
        )
        self._max_peers = settings.max_peers + _SPARE_PEERS
        self._max_newcomers = _room_for_newcomers(self._max_peers)
        self._refusals = RareWarning(REFUSED)
        self._floods = RareWarning(_TOO_MUCH)
        self._numbers = itertools.count(1)
        self._newcomers: dict[GateLine, None] = {}  # in the order in which they came
        self._lines: dict[bytes, GateLine] = {}
        self._unclaimed: dict[GateLine, float] = {}  # since when, the longest first
        self._held_bytes: dict[GateLine, int] = {}
        self._all_held_bytes = 0
        self._writes, self._leftovers = Writes(), Leftovers()
        self._endpoint: Endpoint | None = None
        self._server: asyncio.Server | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Where clients connect, with the real port. Raises: ConnectionLost before start."""
        if self._endpoint is None:
            raise ConnectionLost("The gate is not open", hint="start it first")
        return self._endpoint.address

    async def start(self) -> None:
        """Listen. Raises: SettingsError."""
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint = bind(self._settings.address)
        create = self._loop.create_server if endpoint.path is None else self._loop.create_unix_server
        # asyncio takes its backlog for the number of accepts in a row too
        self._server = await create(self._new_line, sock=endpoint.socket, backlog=_ACCEPTS)
        endpoint.socket.listen(_BACKLOG)
        self._beat = self._loop.call_later(self._settings.limits.heartbeat_s, self._tick)

    def send(self, identity: bytes, frames: Sequence[bytes]) -> SendOutcome:
        """Written with all else of this turn of the loop."""
        line = self._lines.get(identity)
        if line is None or self._server is None:
            return "gone"
        if line.is_full:
            return "blocked"
        line.post(zmtp.encode_message(frames))
        return "sent"

    def cut(self, identity: bytes) -> None:
        """End a connection at once, with what was not sent yet."""
        line = self._lines.pop(identity, None)
        if line is not None:
            self._unclaimed.pop(line, None)
            line.abort()

    def claim(self, identity: bytes) -> None:
        """The connection is somebody's, and may stay."""
        line = self._lines.get(identity)
        if line is not None and self._unclaimed.pop(line, None) is not None:
            line.widen()

    def release(self, identity: bytes) -> None:
        """Nobody's any more: cut at the first beat after UNCLAIMED_S, or where another needs the room."""
        line = self._lines.get(identity)
        if line is not None:
            self._unclaimed.setdefault(line, self._loop.time())

    async def close(self) -> None:
        """Send what was taken, for a moment at most, then end every connection. Can be repeated."""
        if self._server is None or self._endpoint is None or self._beat is None:
            return
        server, self._server = self._server, None
        server.close()
        self._endpoint.forget()
        self._beat.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        self._on_gone = _nobody
        for newcomer in list(self._newcomers):
            newcomer.abort()
        for line in self._lines.values():
            line.hang_up()
        give_up_s = self._loop.time() + _FLUSH_S
        while self._lines and self._loop.time() < give_up_s:
            await asyncio.sleep(_LOOK_S)
        for line in list(self._lines.values()):
            line.abort()
        self._lines.clear()
        await asyncio.sleep(0)  # connection_lost comes with the next turn

    def arrived(self, line: GateLine) -> None:
        """A newcomer; whoever has kept us waiting the longest makes room for it. After close it is too late."""
        if self._server is None:
            line.abort()
            return
        self._newcomers[line] = None
        if len(self._newcomers) > self._max_newcomers:
            oldest = next(iter(self._newcomers))
            del self._newcomers[oldest]
            oldest.abort()
        self._watch()

    def opened(self, line: GateLine) -> None:
        """Raises: Refused where there is no room."""
        if len(self._lines) >= self._max_peers and not self._drop_unclaimed():
            raise zmtp.Refused(f"{len(self._lines)} connections are open, as many as allowed")
        self._newcomers.pop(line, None)
        self._lines[line.identity] = line
        self._unclaimed[line] = self._loop.time()

    def took(self, line: GateLine, frames: list[bytes]) -> None:
        """A whole message came."""
        self._on_message(line.identity, frames)

    def held(self, line: GateLine) -> None:
        """Above what all partly read messages together may take, the largest goes."""
        self._all_held_bytes += line.held_bytes - self._held_bytes.pop(line, 0)
        if line.held_bytes:
            self._held_bytes[line] = line.held_bytes
        if self._all_held_bytes > _MAX_HELD_BYTES:
            largest = max(self._held_bytes, key=self._held_bytes.__getitem__)
            self._floods.note(largest.where)
            self._all_held_bytes -= self._held_bytes.pop(largest)
            largest.abort()

    def posted(self, line: GateLine) -> None:
        """Something is to be written."""
        self._writes.take(line)

    def refused(self, line: GateLine, reason: zmtp.Refused) -> None:
        """For the log, which must not be filled."""
        self._refusals.note(line.where, reason.message)

    def ended(self, line: GateLine) -> None:
        """Whoever ended it."""
        self._newcomers.pop(line, None)
        self._all_held_bytes -= self._held_bytes.pop(line, 0)
        self._lines.pop(line.identity, None)
        self._unclaimed.pop(line, None)
        self._leftovers.take(line.take_parts())
        if line.opened_s is None:
            return
        try:
            self._on_gone(line.identity)
        except Exception:
            log.exception("on_gone failed")

    def _new_line(self) -> GateLine:
        return GateLine(self, self._terms, next(self._numbers).to_bytes(8, "big"))

    def _tick(self) -> None:
        """A PING to everybody; whoever was silent for long after one is gone, and who stays nobody's."""
        heartbeat_s = self._settings.limits.heartbeat_s
        self._beat = self._loop.call_later(heartbeat_s, self._tick)
        late_s = self._loop.time() - UNCLAIMED_S
        for line in [line for line, since_s in self._unclaimed.items() if since_s <= late_s]:
            log.debug("%s is cut: nobody's", line.where)
            self.cut(line.identity)
        for line in list(self._lines.values()):
            if line.asked >= _SILENT_BEATS:
                log.debug("%s is cut: not a sign of life", line.where)
                line.abort()
            else:
                line.ping(_SILENT_BEATS * heartbeat_s)

    def _watch(self) -> None:
        """Comes back when the oldest newcomer's time is over."""
        if self._newcomers and self._expiry is None:
            self._expiry = self._loop.call_at(next(iter(self._newcomers)).arrived_s + HANDSHAKE_S, self._expire)

    def _expire(self) -> None:
        """A thousand that came together must not hold everybody up when they go together."""
        self._expiry = None
        late_s = self._loop.time() - HANDSHAKE_S
        for line in list(itertools.islice(self._newcomers, _ENDS)):
            if line.arrived_s > late_s:
                break
            del self._newcomers[line]
            line.abort()
        self._watch()

    def _drop_unclaimed(self) -> bool:
        """Ends the connection that has been nobody's for the longest time, if there is one."""
        for line in self._unclaimed:
            self.cut(line.identity)
            return True
        return False


def bounds_of(limits: Limits) -> zmtp.Bounds:
    """Roomier than the protocol's own limits: what is a little too large is told so, rather than cut."""
    return zmtp.Bounds(
        frame_bytes=2 * max(limits.max_image_bytes, limits.max_body_bytes),
        message_bytes=limits.max_body_bytes + limits.max_images * limits.max_image_bytes + _SURPLUS_BYTES,
        frames=limits.max_images + 2,
        surplus=_SURPLUS_FRAMES,
    )


def strangers_bounds_of(limits: Limits) -> zmtp.Bounds:
    """Enough for a hello, and for being told what is wrong with one. Nobody's connection needs no more."""
    size = 2 * limits.max_body_bytes
    return zmtp.Bounds(frame_bytes=size, message_bytes=size, frames=2, surplus=_STRANGERS_SURPLUS_FRAMES)


def _room_for_newcomers(peers: int) -> int:
    """As many as the files that this process may open leave room for: without any, nobody at all could connect."""
    if sys.platform == "win32":
        return _SPARE_FILES
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return _MAX_NEWCOMERS
    return max(_SPARE_FILES // 4, min(_MAX_NEWCOMERS, files - peers - _SPARE_FILES))


def _nobody(_identity: bytes) -> None:
    """The end of a connection that close ended is told to nobody."""
