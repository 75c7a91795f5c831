"""Thins out what a game says of its frames: it may tell of every one, and the server hears of the worst, now and then.

Knows no socket and takes no lock: a call costs less than a microsecond. Floor 0 only; used by both clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from npc_sdk.errors import RequestError

INTERVAL_S = 0.05
MAX_FRAME_S = 3600.0


class FrameMeter:
    """Mutates: each note is either told or kept as part of the worst."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worst_s = 0.0
        self._told_s = float("-inf")

    def note(self, frame_s: float) -> float | None:
        """The longest frame since the last that was told, once it is time to tell again. Raises: RequestError."""
        if not 0 <= frame_s < float("inf"):
            raise RequestError(f"frame_s is {frame_s!r}", hint="give the frame's seconds, 0.0167 for one")
        if frame_s > self._worst_s:
            self._worst_s = frame_s
        now = self._clock()
        if now - self._told_s < INTERVAL_S:
            return None
        worst_s, self._worst_s, self._told_s = self._worst_s, 0.0, now
        return min(worst_s, MAX_FRAME_S)
