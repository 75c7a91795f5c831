"""A man in the middle who writes down what passes: bytes go through as they are, messages are read on the side.

Handshakes are not written, so the token is in no file. Traffic under CURVE is hidden from it. Called by cli.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from types import TracebackType
from typing import Literal

from game_bridge.credential import is_local
from game_bridge.dealer import is_listening
from game_bridge.trace.file import Record, TraceWriter
from game_bridge.zmtp import GREETING_BYTES, Bounds, FrameReader
from npc_sdk.errors import ConnectionLost, NpcError, SettingsError

log = logging.getLogger(__name__)

_BOUNDS = Bounds(frame_bytes=64 * 2**20, message_bytes=256 * 2**20, frames=64, surplus=1_000_000)
_PIECE_BYTES = 65_536
_CURVE = b"CURVE"
_FLUSH_S = 1.0


class Recorder:
    """``async with Recorder(trace, 5578, "tcp://127.0.0.1:5577") as recorder: await recorder.wait()``. Port 0 is any.

    Opens the trace itself, once nothing else can fail. Raises: SettingsError for a server's address that is none, a
    port that is taken or a trace that cannot be written; ConnectionLost where no server answers.
    """

    def __init__(self, trace: TraceWriter, port: int, server: str) -> None:
        self._trace = trace
        self._port = port
        self._server = server
        self._host, self._server_port = _parsed(server)
        self._numbers = itertools.count(1)
        self._started_s = time.monotonic()
        self._listener: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where clients connect."""
        assert self._listener is not None, "known once it listens"
        return f"tcp://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Recorder:
        if not await is_listening(self._server):
            raise ConnectionLost(f"no server answers at {self._server}", hint="start it first, or name another --to")
        try:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        except OSError as exc:
            raise SettingsError(f"cannot listen on port {self._port}: {exc}", hint="name another --listen") from exc
        try:
            self._trace.__enter__()  # without an await since it listens: nobody is served before
        except BaseException:
            self._listener.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        try:
            self._listener.close()
            for task in list(self._passing):
                task.cancel()
            if self._passing:
                await asyncio.wait(self._passing)
            await self._listener.wait_closed()
        finally:
            self._trace.__exit__(kind, exc, trace)

    async def wait(self) -> None:
        """Record until cancelled."""
        assert self._listener is not None
        await self._listener.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        number = next(self._numbers)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._pass_on(number, reader, writer)
        finally:
            self._passing.discard(task)
            await _close(writer)

    async def _pass_on(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side closes; then the other is closed too."""
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._server_port)
        except OSError as exc:
            log.warning("connection %d: the server does not answer: %s", number, exc)
            return
        self._note(number, "open")
        there = asyncio.ensure_future(self._pump(reader, far_writer, _Tap(self, number, "client")))
        back = asyncio.ensure_future(self._pump(far_reader, writer, _Tap(self, number, "server")))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.wait((there, back))
            self._note(number, "close")
            await _close(far_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tap: _Tap) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                tap.feed(piece)
                writer.write(piece)
                await writer.drain()

    def note_message(self, number: int, side: Literal["client", "server"], frames: list[bytes]) -> None:
        """A tap heard a whole message."""
        self._trace.add(Record(self._now_s(), number, side, tuple(frames)))

    def _note(self, number: int, kind: Literal["open", "close"]) -> None:
        self._trace.add(Record(self._now_s(), number, kind))

    def _now_s(self) -> float:
        return round(time.monotonic() - self._started_s, 6)


class _Tap:
    """Reads one direction of one connection on the side; what it cannot read still passes."""

    def __init__(self, recorder: Recorder, number: int, side: Literal["client", "server"]) -> None:
        self._recorder = recorder
        self._number = number
        self._side = side
        self._greeting: bytearray | None = bytearray()
        self._reader: FrameReader | None = FrameReader(_BOUNDS)

    def feed(self, piece: bytes) -> None:
        """Bytes as they pass."""
        if self._greeting is not None:
            piece = self._greet(piece)
        if self._reader is None:
            return
        try:
            self._reader.feed(piece)
            while (found := self._reader.next()) is not None:
                if isinstance(found, list):
                    self._recorder.note_message(self._number, self._side, found)
        except NpcError as exc:
            self._give_up(str(exc))

    def _greet(self, piece: bytes) -> bytes:
        """What comes behind the greeting."""
        assert self._greeting is not None
        self._greeting += piece
        if len(self._greeting) < GREETING_BYTES:
            return b""
        rest = bytes(self._greeting[GREETING_BYTES:])
        if self._greeting[12 : 12 + len(_CURVE)] == _CURVE:
            self._give_up("it is encrypted")
        self._greeting = None
        return rest

    def _give_up(self, why: str) -> None:
        self._reader = None
        log.warning("connection %d: what the %s says passes unread: %s", self._number, self._side, why)


async def _close(writer: asyncio.StreamWriter) -> None:
    """What was written last still arrives, unless the other side has stopped reading."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_FLUSH_S):
            await writer.wait_closed()
    writer.transport.abort()


def _parsed(server: str) -> tuple[str, int]:
    """Raises: SettingsError."""
    host, _, port = server.removeprefix("tcp://").rpartition(":")
    if not server.startswith("tcp://") or not host or not port.isdecimal():
        raise SettingsError(f"{server!r} is no address to record", hint="for example tcp://127.0.0.1:5577")
    if not is_local(server):
        raise SettingsError(f"{server!r} is beyond this machine", hint="record where the server runs")
    return host.strip("[]"), int(port)
