"""What waits to be sent to one connection, in order, bounded in number and in patience.

Knows frames, no message. A connection that takes nothing for too long is reported once, and the owner cuts it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from game_bridge.transport import SendOutcome

_RETRY_S = 0.01
_TRICKLES = 3  # patiences after which a queue must have been empty once


class Outbox:
    """Sends at once where it can; on_broken is called at most once, with "slow" or "gone", and never within post."""

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], SendOutcome],
        on_broken: Callable[[str], None],
        *,
        max_messages: int,
        max_bytes: int,
        patience_s: float,
    ) -> None:
        self._send = send
        self._on_broken = on_broken
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._bytes = 0
        self._patience_s = patience_s
        self._queue: deque[Sequence[bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._give_up_s = self._last_chance_s = 0.0
        self._empty = asyncio.Event()
        self._empty.set()
        self._is_broken = False

    def post(self, frames: Sequence[bytes]) -> None:
        """Send or queue a message. Nothing reaches a broken connection any more."""
        if self._is_broken:
            return
        if not self._queue:
            outcome = self._send(frames)
            if outcome == "sent":
                return
            if outcome == "gone":
                self._break("gone")
                return
            self._be_patient()
        self._bytes += sum(map(len, frames))
        if len(self._queue) >= self._max_messages or self._bytes > self._max_bytes:
            self._break("slow")
            return
        self._queue.append(frames)
        self._empty.clear()

    async def close(self, timeout_s: float) -> None:
        """Wait until the queue is empty or time is up, then stop."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            pass
        self.stop()

    def stop(self) -> None:
        """Nothing is sent any more, and nothing is told of it. Can be repeated."""
        self._is_broken = True
        self._queue.clear()
        self._bytes = 0
        self._empty.set()
        if self._retry is not None:
            self._retry.cancel()

    def _be_patient(self) -> None:
        now_s = self._loop.time()
        self._give_up_s, self._last_chance_s = now_s + self._patience_s, now_s + _TRICKLES * self._patience_s
        self._retry = self._loop.call_later(_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        """Each message that gets out renews the patience, but not for ever: a trickle is no reading either."""
        while self._queue:
            outcome = self._send(self._queue[0])
            if outcome == "sent":
                self._bytes -= sum(map(len, self._queue.popleft()))
                self._give_up_s = min(self._last_chance_s, self._loop.time() + self._patience_s)
            elif outcome == "gone" or self._loop.time() >= self._give_up_s:
                self._break("gone" if outcome == "gone" else "slow")
                return
            else:
                self._retry = self._loop.call_later(_RETRY_S, self._try_again)
                return
        self._empty.set()

    def _break(self, reason: str) -> None:
        """Whoever posts is in the midst of something, so the owner hears of it right after."""
        self.stop()
        self._loop.call_soon(self._on_broken, reason)
