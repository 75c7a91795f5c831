"""Plays a trace against an engine: by the clock, or as fast as replies come. Knows no engine but by its Voice."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from npc_sdk.bench.tavern.trace import HINTS, LISTENING_S, TYPING_S, Line, Trace
from npc_sdk.bench.vocabulary import Prompt
from npc_sdk.requests import Priority


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply. Units: seconds from the moment when it was asked for; tokens of the prompt that were not computed."""

    first_s: float
    total_s: float
    cached_tokens: int


class Voice(Protocol):
    """An engine in the tavern. Only say() must be; an engine that cannot be told of what may come ignores the rest."""

    async def say(self, line: Line, priority: Priority) -> Heard:
        """A whole reply to a line."""
        ...

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        """A prompt of this character may begin so, with so much of the words; returns at once.

        Takes the place of what was expected before.
        """
        ...

    def forget(self, npc: int) -> None:
        """What was expected of this character has come or will not."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A line with what was heard; waited_s for the same character to end its reply before is part of first_s."""

    npc: int
    is_player: bool
    first_s: float
    total_s: float
    cached_tokens: int
    prompt_tokens: int


class Replay:
    """One playing of a trace."""

    def __init__(self, trace: Trace, voice: Voice, *, pace: float = 1.0) -> None:
        self._trace = trace
        self._voice = voice
        self._pace = pace
        self._mouths: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # one reply at a time each
        self._replies: list[Reply] = []

    async def by_the_clock(self) -> dict[str, Any]:
        """Every remark at its time; the player's lines too, but never before the last one was answered."""
        self._started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._play([line for line in self._trace.lines if line.is_player]))
            for line in self._trace.lines:
                if not line.is_player:
                    group.create_task(self._remark(line))
        return self._result()

    async def flat_out(self) -> dict[str, Any]:
        """All characters at once, each one's lines one after the other; without a clock all are as urgent."""
        self._started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for npc in sorted({line.npc for line in self._trace.lines}):
                group.create_task(self._chain([line for line in self._trace.lines if line.npc == npc]))
        return self._result()

    def _read_ahead(self, line: Line) -> None:
        """What a session does after a reply: the next prompt of this character begins with it."""
        after = self._trace.lines[self._trace.lines.index(line) + 1 :]
        coming = next((one for one in after if one.npc == line.npc), None)
        if coming is not None:
            self._voice.expect(line.npc, coming.stable, Prompt(), Priority.BACKGROUND)

    async def _chain(self, lines: list[Line]) -> None:
        for line in lines:
            await self._say(line, Priority.NEARBY)

    async def _remark(self, line: Line) -> None:
        await self._until(line.at_s)
        await self._say(line, line.priority)
        self._read_ahead(line)

    async def _play(self, lines: list[Line]) -> None:
        """The player walks up, types, listens. late_s: how far slow answers have moved all that follows."""
        late_s = 0.0
        for line in lines:
            if line.approach_s is not None:
                await self._until(line.approach_s + late_s)
                self._voice.expect(line.npc, line.stable, Prompt(), Priority.NEARBY)
            for hint in range(1, HINTS + 1):
                share = hint / (HINTS + 1)
                await self._until(line.at_s + late_s - TYPING_S * self._pace * (1 - share))
                self._voice.expect(line.npc, line.stable + line.guess, line.typed(share), Priority.NEARBY)
            await self._until(line.at_s + late_s)
            await self._say(line, line.priority)
            self._read_ahead(line)
            answered_s = time.perf_counter() - self._started
            late_s = max(late_s, answered_s - line.at_s - LISTENING_S * self._pace)

    async def _say(self, line: Line, priority: Priority) -> None:
        asked = time.perf_counter()
        async with self._mouths[line.npc]:
            self._voice.forget(line.npc)
            waited = time.perf_counter() - asked
            heard = await self._voice.say(line, priority)
        size = len(line.prompt.ids)
        first, total = waited + heard.first_s, waited + heard.total_s
        self._replies.append(Reply(line.npc, line.is_player, first, total, heard.cached_tokens, size))

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._started + at_s - time.perf_counter()))

    def _result(self) -> dict[str, Any]:
        return {
            "wall_s": time.perf_counter() - self._started,
            "replies": [asdict(reply) for reply in self._replies],
        }
