"""What one side sent and heard since the welcome, so that a connection that broke can go on where it was.

Keeps the last messages, bounded in number and bytes. Knows no message. Each end holds one: PROTOCOL.md, Resuming.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

KEPT_MESSAGES = 1_024
_MAX_BYTES = 2**20


class Ledger:
    """heard counts what came from the other side, sent what went there."""

    def __init__(self, max_messages: int = KEPT_MESSAGES) -> None:
        self.heard = 0
        self.sent = 0
        self.max_bytes = _MAX_BYTES
        self._max_messages = max_messages
        self._kept: deque[Sequence[bytes]] = deque()
        self._bytes = 0

    def note(self, frames: Sequence[bytes]) -> None:
        """A message goes out; the oldest of very many are forgotten."""
        self.sent += 1
        self._kept.append(frames)
        self._bytes += _size(frames)
        while self._kept and (len(self._kept) > self._max_messages or self._bytes > self.max_bytes):
            self._bytes -= _size(self._kept.popleft())

    def replace(self, frames: Sequence[bytes], instead: Sequence[bytes]) -> None:
        """A message that is no longer meant: whoever did not hear it gets the other in its place, so counts stay."""
        for index in reversed(range(len(self._kept))):
            if self._kept[index] is frames:
                self._kept[index] = instead
                self._bytes += _size(instead) - _size(frames)
                return

    def after(self, count: int) -> list[Sequence[bytes]] | None:
        """What was sent after the first count messages; None where that was forgotten, or was never sent."""
        missed = self.sent - count
        if not 0 <= missed <= len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - missed :]

    def start_over(self) -> None:
        """A welcome that is not for a connection that broke."""
        self.heard = self.sent = self._bytes = 0
        self._kept.clear()


def _size(frames: Sequence[bytes]) -> int:
    return sum(map(len, frames))
