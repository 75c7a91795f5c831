"""Memory that large steps leave in the C library's heap, given back to the system while nobody asks for anything.

A prompt's steps need room for all their rows at once; glibc keeps that for its next owner, who may be a game. Knows
neither requests nor the model. Owned by worker.py.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from typing import Any

MANY_ROWS = 64  # fewer leave next to nothing: a reply's steps have one row a stream
QUIET_S = 0.25  # without work before the heap is given back: the next line's front often follows at once


class Heap:
    """Remembers whether there is something to give back. Does nothing where the C library is not glibc."""

    def __init__(self) -> None:
        self._trim = _find_trim()
        self._has_rest = False

    @property
    def quiet_s(self) -> float | None:
        """How long it must be quiet until give_back() is worth a call; None where it is not."""
        return QUIET_S if self._has_rest else None

    def note_step(self, rows: int) -> None:
        """Counts a step that is about to be made."""
        if self._trim is not None and rows >= MANY_ROWS:
            self._has_rest = True

    def give_back(self) -> None:
        """Gives back what no owner holds: 2 ms after a prompt of 1,900 tokens, a small part of reading it again."""
        if self._trim is not None and self._has_rest:
            self._has_rest = False
            self._trim(0)


def _find_trim() -> Callable[[int], Any] | None:
    """glibc's malloc_trim, which reaches the heaps of all threads."""
    if platform.libc_ver()[0] != "glibc":
        return None
    trim: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
