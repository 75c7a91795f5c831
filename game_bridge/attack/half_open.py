"""B3: 1,500 connections that never finish their handshake, while honest clients shake hands.

Half of the half-open ones say nothing, half of them stop in the middle of the greeting; whoever is cut comes again.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from game_bridge import zmtp
from game_bridge.attack.malformed import Target
from game_bridge.attack.verdict import Figure, Verdict
from game_bridge.attack.victim import Victim, percentile

SOCKETS, SHORT_SOCKETS = 1_500, 100
HANDSHAKES, SHORT_HANDSHAKES = 50, 5
HANDSHAKE_LIMIT_MS = 50.0
_PAUSE_S = 0.1  # so that the handshakes last longer than the server's patience with those that say nothing
_SPARE_FILES = 100
_LOOK_S = 0.05
_BATCH = 50


class Crowd:
    """Keeps so many connections half-open until it is told to go. open counts those that stand now, most those that
    stood at once: who is cut by the server is back only a moment later.
    """

    def __init__(self, target: Target, count: int) -> None:
        self.open = self.most = 0
        self.renewed = 0
        self._target = target
        self._count = count
        self._is_over = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._stand, daemon=True)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """From when all of them stand until the end of the block."""
        self._thread.start()
        while self.most < self._count and self._thread.is_alive():
            time.sleep(_LOOK_S)
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()

    def _stand(self) -> None:
        while not self._is_over.is_set():
            for _ in range(min(_BATCH, self._count - self.open)):
                self._join()
            for key, _ in self._selector.select(_LOOK_S if self.open == self._count else 0):
                self._read(key.fileobj)
        for key in list(self._selector.get_map().values()):
            self._leave(key.fileobj)
        self._selector.close()

    def _join(self) -> None:
        line = self._target.connect()
        line.setblocking(False)
        if self.open % 2:
            line.send(zmtp.encode_greeting("PLAIN")[:30])
        self._selector.register(line, selectors.EVENT_READ)
        self.open += 1
        self.most = max(self.most, self.open)

    def _read(self, line: object) -> None:
        """The server's greeting or its end."""
        assert isinstance(line, socket.socket)
        with contextlib.suppress(ConnectionError):
            if line.recv(4_096):
                return
        self.renewed += 1
        self._leave(line)

    def _leave(self, line: object) -> None:
        assert isinstance(line, socket.socket)
        self._selector.unregister(line)
        line.close()
        self.open -= 1


def attack(victim: Victim, sockets: int, handshakes: int) -> tuple[Figure, ...]:
    """Raises: OSError where an honest client is not let in at all."""
    target = Target(*victim.host_and_port, victim.token.encode(), math.inf)
    alone_ms = [_shake_hands(target) for _ in range(handshakes)]
    crowd = Crowd(target, _raise_files(sockets))
    start_mb = victim.memory_mb()
    with crowd.standing():
        with_all_ms = [_shake_hands(target) for _ in range(handshakes)]
        at_the_end = crowd.open
    return (
        Figure("half-open connections", crowd.most, least=sockets),
        Figure("of these at the end", at_the_end),
        Figure("cut by the server and come again", crowd.renewed),
        Figure("handshakes", handshakes),
        Figure("alone, median", percentile(alone_ms, 0.5), "ms"),
        Figure("beside them, median", percentile(with_all_ms, 0.5), "ms", limit=HANDSHAKE_LIMIT_MS),
        Figure("beside them, worst", max(with_all_ms), "ms", limit=HANDSHAKE_LIMIT_MS),
        Figure("memory above the start", victim.peak_mb() - start_mb, "MB"),
        Figure("crashes", int(not victim.is_alive), limit=0),
    )


def _shake_hands(target: Target) -> float:
    """From connecting to READY. Units: milliseconds."""
    time.sleep(_PAUSE_S)
    started_s = time.perf_counter()
    with target.shake_hands():
        return (time.perf_counter() - started_s) * 1_000


def _raise_files(wanted: int) -> int:
    """How many connections this process may open, after asking the system for as many as are wanted."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(wanted, allowed - _SPARE_FILES)


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Raises: OSError where an honest client is not let in at all."""
    sockets, handshakes = (SOCKETS, HANDSHAKES) if is_whole else (SHORT_SOCKETS, SHORT_HANDSHAKES)
    with Victim() as victim:
        say(f"{sockets} connections, none of which shakes hands …")
        figures = attack(victim, sockets, handshakes)
    notes = ("half of them say nothing, half of them 30 bytes of the greeting; each that is cut connects again",)
    return Verdict("B3", "half-open sockets", figures, notes)
