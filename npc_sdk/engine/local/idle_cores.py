"""How many of the cores that we may use have nothing to do. Tells Pace that whoever took a core has gone.

Source: proc(5), the cpu lines of /proc/stat. Other systems tell nothing, and trials go by the count of steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PROC_STAT = Path("/proc/stat")
LEAST_S = 0.25  # between two readings; the system counts in hundredths
_IDLE, _WAITING = 3, 4  # fields of a cpu line


class IdleCores:
    """Mutates: now remembers the last reading."""

    def __init__(self, path: Path = PROC_STAT, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._names = _own_cores() if path.exists() else frozenset()
        self._read_s = clock()
        self._before = self._read()
        self._known: float | None = None

    def now(self) -> float | None:
        """Idle cores on average over the last moments; None where nobody can tell."""
        if self._names and self._clock() - self._read_s >= LEAST_S:
            self._read_s = self._clock()
            before, self._before = self._before, self._read()
            idle, whole = (new - old for new, old in zip(self._before, before, strict=True))
            self._known = len(self._names) * idle / whole if whole > 0 else None
        return self._known

    def _read(self) -> tuple[int, int]:
        """Idle time and all time of our cores so far. Units: those of the system, both alike."""
        if not self._names:
            return 0, 0
        rows = [line.split() for line in self._path.read_text(encoding="ascii").splitlines()]
        times = [[int(field) for field in row[1:9]] for row in rows if row and row[0] in self._names]
        return sum(row[_IDLE] + row[_WAITING] for row in times), sum(map(sum, times))


def _own_cores() -> frozenset[str]:
    numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return frozenset(f"cpu{number}" for number in numbers)
