"""One run as its listener in this process sees it: text that waits to be taken, then one end. Used by engine.py."""

from __future__ import annotations

import asyncio

from npc_sdk.engine.interface import Chunk, Generated
from npc_sdk.errors import NpcError
from npc_sdk.events import Usage


class Run:
    """What a listener does not take in time is joined: a slow one has one piece waiting, never a growing queue."""

    def __init__(self, number: int, request_id: str) -> None:
        self.number = number
        self.request_id = request_id
        self._text = ""
        self._end: Generated | Usage | NpcError | None = None
        self._news = asyncio.Event()

    @property
    def is_ended(self) -> bool:
        """Whether its end has come, taken or not."""
        return self._end is not None

    def say(self, text: str) -> None:
        """More of the reply."""
        if self._end is None:
            self._text += text
            self._news.set()

    def end(self, end: Generated | Usage | NpcError) -> None:
        """Its one end; what comes after it is not heard."""
        if self._end is None:
            self._end = end
            self._news.set()

    async def take(self) -> Chunk | Generated | Usage:
        """The next item, text before the end. Raises: NpcError where the run failed."""
        while not self._text and self._end is None:
            self._news.clear()
            await self._news.wait()
        if self._text:
            text, self._text = self._text, ""
            return Chunk(text)
        if isinstance(self._end, NpcError):
            raise self._end
        assert self._end is not None
        return self._end
