"""A waiting line that takes one of each asker in turn, so that who brings many waits long and nobody else does.

Knows neither pictures nor sessions. Safe to use from any thread. Called by eye.py.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """The askers in the order of their turns, and what each of them waits with, the first one first."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, list[T]] = OrderedDict()

    def put(self, asker: str, item: T) -> bool:
        """Whether there was room for it."""
        with self._lock:
            has_room = sum(map(len, self._waiting.values())) < self._max_waiting
            if has_room:
                self._waiting.setdefault(asker, []).append(item)
            return has_room

    def take(self) -> T | None:
        """The item whose turn it is; its asker's next turn comes after those of all others."""
        with self._lock:
            if not self._waiting:
                return None
            asker, items = self._waiting.popitem(last=False)
            if items[1:]:
                self._waiting[asker] = items[1:]
            return items[0]

    def drop(self, asker: str, item: T) -> None:
        """Gives the place of one that waits no longer back; one that was taken has none."""
        with self._lock:
            items = self._waiting.get(asker, [])
            if item in items:
                items.remove(item)
            if not items:
                self._waiting.pop(asker, None)
