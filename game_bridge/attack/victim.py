"""A server of our own to attack: the conformance script's, in a process of its own whose memory can be read.

Also the honest client that is served meanwhile. Linux tells a process's memory; elsewhere it reads as 0.
"""

from __future__ import annotations

import itertools
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.credential import USER
from npc_sdk.errors import ConnectionLost, EngineError

_ROOT = Path(__file__).parents[2]
_END_S = 10.0


class Victim:
    """``with Victim() as victim``: a scripted server behind a token. module is what serves, as python -m takes it.

    Raises: EngineError where it does not start.
    """

    def __init__(self, module: str = "game_bridge.conformance.server", arguments: tuple[str, ...] = ()) -> None:
        self.token = secrets.token_urlsafe(16)
        self.address = ""
        self._command = [sys.executable, "-m", module, f"--token={self.token}", *arguments]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline().strip()
        if not ready.startswith("ready "):
            self._end()
            raise EngineError(f"the server under attack did not start: {ready!r}", hint="see what it printed")
        self.address = ready.removeprefix("ready ")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def host_and_port(self) -> tuple[str, int]:
        """For a bare socket."""
        host, _, port = self.address.removeprefix("tcp://").rpartition(":")
        return host, int(port)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def memory_mb(self) -> float:
        """What the process holds now. Units: MB of 2^20 bytes."""
        return self._status("VmRSS:")

    def peak_mb(self) -> float:
        """The most that it ever held."""
        return self._status("VmHWM:")

    def _status(self, name: str) -> float:
        assert self._process is not None
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(_END_S)
        if process.stdout is not None:
            process.stdout.close()


class Probe:
    """An honest client on a thread of its own: pings for as long as it is open and keeps each round trip.

    Units: seconds. errors counts round trips that did not come back within patience_s.
    """

    def __init__(self, victim: Victim, *, pause_s: float = 0.01, patience_s: float = 30.0) -> None:
        self.trips_s: list[float] = []
        self.errors = 0
        self._victim = victim
        self._pause_s = pause_s
        self._patience_s = patience_s
        self._is_under_way, self._is_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Once the first trip is over, so that none of what follows is too short to be seen."""
        self._thread.start()
        self._is_under_way.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def mark(self) -> int:
        """A place in trips_s, for what comes after it."""
        return len(self.trips_s)

    def _run(self) -> None:
        try:
            self._trip_on()
        finally:
            self._is_under_way.set()

    def _trip_on(self) -> None:
        with zmq.Context() as context, open_client(context, self._victim, round(self._patience_s * 1_000)) as socket:
            refs = itertools.count(1)
            trip(socket, wire.Hello(ref=next(refs), protocol=wire.PROTOCOL, client="probe"))
            while not self._is_over.wait(self._pause_s):
                started_s = time.perf_counter()
                try:
                    trip(socket, wire.Ping(ref=next(refs)))
                except ConnectionLost:
                    self.errors += 1
                else:
                    self.trips_s.append(time.perf_counter() - started_s)
                self._is_under_way.set()


def open_client(context: zmq.Context[zmq.Socket[bytes]], victim: Victim, patience_ms: int = 30_000) -> zmq.Socket[Any]:
    """A DEALER that shows the victim's token."""
    socket: zmq.Socket[Any] = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.rcvtimeo = patience_ms
    socket.plain_username, socket.plain_password = USER.encode(), victim.token.encode()
    socket.connect(victim.address)
    return socket


def trip(socket: zmq.Socket[Any], message: wire.Asked) -> wire.ServerMessage:
    """Sends a message with a ref and reads until its answer. Raises: ConnectionLost where none comes."""
    socket.send_multipart(protocol.encode(message))
    while True:
        try:
            answer = protocol.decode_server(socket.recv_multipart())
        except zmq.Again:
            raise ConnectionLost("no answer came", hint="the server may be blocked") from None
        if isinstance(answer, wire.Answer) and answer.ref == message.ref:
            return answer


def percentile(values: list[float], share: float) -> float:
    """The value that a share of all is not above; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
