"""Work of the gate that a turn of the loop would take too long for, or do too often: freeing, and writing.

Knows lines and bytes, not whose they are. Called by gate.py from the loop.
"""

from __future__ import annotations

import asyncio

from game_bridge.gate_line import GATHER_S, GateLine

_FREED_PARTS = 4


class Writes:
    """At most one write a turn of the loop, and of a stream one in GATHER_S: each costs as much as many events."""

    def __init__(self) -> None:
        self._posted: list[GateLine] = []
        self._gathering: list[GateLine] = []

    def take(self, line: GateLine) -> None:
        """The line has something to write, and had nothing before."""
        if not self._posted:
            asyncio.get_running_loop().call_soon(self._flush)
        self._posted.append(line)

    def _flush(self) -> None:
        posted, self._posted = self._posted, []
        now_s = asyncio.get_running_loop().time()
        for line in posted:
            if line.may_write(now_s):
                line.flush()
            else:
                self._gather(line)

    def _gather(self, line: GateLine) -> None:
        if not self._gathering:
            asyncio.get_running_loop().call_later(GATHER_S, self._flush_gathered)
        self._gathering.append(line)

    def _flush_gathered(self) -> None:
        gathering, self._gathering = self._gathering, []
        for line in gathering:
            line.flush()


class Leftovers:
    """To free many megabytes takes as many milliseconds, so they go a few at a time."""

    def __init__(self) -> None:
        self._parts: list[bytearray] = []

    def take(self, parts: list[bytearray]) -> None:
        """Nobody needs them any more."""
        if parts and not self._parts:
            asyncio.get_running_loop().call_soon(self._free)
        self._parts += parts

    def _free(self) -> None:
        del self._parts[-_FREED_PARTS:]
        if self._parts:
            asyncio.get_running_loop().call_soon(self._free)
