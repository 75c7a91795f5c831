"""How many bytes the pictures of all replies together may take, and who holds how many. Knows no picture.

Safe to use from any thread. Called by eye.py.
"""

from __future__ import annotations

import threading

from npc_sdk.errors import Overloaded

_MB = 2**20


class Room:
    """A holder is any object, told apart from all others. One that is alone has room whatever it brings."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: dict[object, int] = {}

    @property
    def held_bytes(self) -> int:
        """By all together."""
        with self._lock:
            return sum(self._sizes.values())

    def take(self, holder: object, size: int) -> None:
        """The holder has so many bytes, instead of those that it had. Raises: Overloaded, and then nothing changes."""
        with self._lock:
            others = sum(self._sizes.values()) - self._sizes.get(holder, 0)
            if others and others + size > self._max_bytes:
                told = (
                    f"images: the pictures of other replies take {others / _MB:.0f} MB, and these {size / _MB:.0f} MB"
                )
                raise Overloaded(told, hint="send them a little later, or smaller ones")
            self._sizes[holder] = size

    def leave(self, holder: object) -> None:
        """The holder has none any more. Can be repeated."""
        with self._lock:
            self._sizes.pop(holder, None)
