"""How fast one connection may go: a bucket that fills with time. Knows no connection. Called by gate_line.py."""

from __future__ import annotations

BODY_BYTES = 512  # that count as much as a frame of their own: to look into a body takes longer than to read it
_LEAST_REST_S = 0.05  # whoever is over its rate rests this long at least, rather than wake for every message


def weight(body: bytes) -> int:
    """How many frames a message's body counts as, beside its own: what the server looks into is what takes its time."""
    return len(body) // BODY_BYTES


class Bucket:
    """Holds size, full at first. May be overdrawn once, and is then waited for.

    Units: rate is per second.
    """

    __slots__ = ("_at_s", "_level", "_rate", "_size")

    def __init__(self, rate: float, size: float, now_s: float) -> None:
        self._rate = rate
        self._size = self._level = size
        self._at_s = now_s

    def fill(self, now_s: float) -> None:
        """Catch up with the clock."""
        self._level = min(self._size, self._level + (now_s - self._at_s) * self._rate)
        self._at_s = now_s

    def widen(self, rate: float, size: float) -> None:
        """Another rate and size from now on; what the size grows by is there at once."""
        self._level += size - self._size
        self._rate, self._size = rate, size

    def spend(self, amount: float) -> None:
        """Take out, below nothing if need be."""
        self._level -= amount

    @property
    def rest_s(self) -> float:
        """How long to wait before going on, 0 while something is left."""
        return 0.0 if self._level > 0 else max(_LEAST_REST_S, -self._level / self._rate)
