"""What waits to be sent to one connection, in order, bounded in number and in patience.

Knows frames, no message. A connection that takes nothing for too long is reported once, and the owner cuts it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from game_bridge.router import SendOutcome

_RETRY_S = 0.01


class Outbox:
    """A queue and the task that empties it; on_broken is called at most once, with "slow" or "gone"."""

    def __init__(
        self,
        send: Callable[[list[bytes]], Awaitable[SendOutcome]],
        on_broken: Callable[[str], None],
        *,
        max_messages: int,
        patience_s: float,
    ) -> None:
        self._send = send
        self._on_broken = on_broken
        self._max_messages = max_messages
        self._patience_s = patience_s
        self._queue: deque[list[bytes]] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._is_broken = False
        self._task = asyncio.get_running_loop().create_task(self._drain())

    def post(self, frames: list[bytes]) -> None:
        """Queue a message. Nothing reaches a broken connection any more."""
        if self._is_broken:
            return
        if len(self._queue) >= self._max_messages:
            self._break("slow")
            return
        self._queue.append(frames)
        self._empty.clear()
        self._wake.set()

    async def close(self, timeout_s: float) -> None:
        """Wait until the queue is empty or time is up, then stop."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            self._queue.clear()
        self._is_broken = True
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _drain(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                if not await self._deliver(self._queue[0]):
                    return
                self._queue.popleft()
            self._empty.set()

    async def _deliver(self, frames: list[bytes]) -> bool:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_s
        while (outcome := await self._send(frames)) != "sent":
            if outcome == "gone" or loop.time() >= give_up_at:
                self._break("gone" if outcome == "gone" else "slow")
                return False
            await asyncio.sleep(_RETRY_S)
        return True

    def _break(self, reason: str) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._queue.clear()
            self._empty.set()
            self._on_broken(reason)
