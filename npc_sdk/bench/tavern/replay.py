"""Plays a trace against an engine: by the clock, or as fast as replies come. Knows no engine but by its Voice."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from npc_sdk.bench.tavern.trace import HINTS, LISTENING_S, TYPING_S, Line, Trace
from npc_sdk.bench.vocabulary import Prompt
from npc_sdk.requests import Priority

End: TypeAlias = Literal["whole", "cut", "late"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply: whole, cut off, or dropped as too late to begin. first_s is None where no token came.

    Units: seconds from the moment when it was asked for; tokens of the prompt that were not computed.
    """

    first_s: float | None
    total_s: float
    cached_tokens: int
    end: End = "whole"


class Voice(Protocol):
    """An engine in the tavern. One that cannot be told of what may come ignores expect() and forget()."""

    async def say(self, line: Line, priority: Priority, start_by_s: float | None = None) -> Heard:
        """A reply to a line, whole unless it was cancelled or its first token did not come by start_by_s."""
        ...

    def cancel(self, npc: int) -> None:
        """What this character is saying, or about to, ends now; it may be nothing. Returns at once."""
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
    """A line with what was heard; the wait for the same character to end its reply before is part of first_s."""

    npc: int
    is_player: bool
    first_s: float | None
    total_s: float
    cached_tokens: int
    prompt_tokens: int
    end: End


@dataclass(slots=True)
class _Character:
    """What one of them is at. Units: of time.perf_counter."""

    mouth: asyncio.Lock = field(default_factory=asyncio.Lock)  # one reply at a time
    addressed: float = -math.inf  # when the player last said something to it
    typed: tuple[Prompt, Prompt] | None = None  # how the prompt may begin that the player is typing

    def why_unsaid(self, asked: float, start_by: float) -> End | None:
        """Why a line that waited for the mouth is not said any more; None for one that is."""
        if asked < self.addressed < start_by:
            return "cut"
        return "late" if start_by <= time.perf_counter() else None


class Replay:
    """One playing of a trace."""

    def __init__(self, trace: Trace, voice: Voice, *, pace: float = 1.0) -> None:
        self._trace = trace
        self._voice = voice
        self._pace = pace
        self._characters: defaultdict[int, _Character] = defaultdict(_Character)
        self._replies: list[Reply] = []

    async def by_the_clock(self) -> dict[str, Any]:
        """Every remark at its time, if it can begin soon; the player's lines too, once the last one was answered.

        A character that the player speaks to ends what it says of itself. The lines that follow go on as if it had been
        said: all engines read the same.
        """
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
        """What a session does after a reply: expects what the player types, or else how the next prompt begins."""
        typed = self._characters[line.npc].typed
        if typed is not None:
            self._voice.expect(line.npc, *typed, Priority.NEARBY)
            return
        after = self._trace.lines[self._trace.lines.index(line) + 1 :]
        coming = next((one for one in after if one.npc == line.npc), None)
        if coming is not None:
            self._voice.expect(line.npc, coming.stable, Prompt(), Priority.BACKGROUND)

    async def _chain(self, lines: list[Line]) -> None:
        for line in lines:
            await self._say(line, Priority.NEARBY, time.perf_counter())

    async def _remark(self, line: Line) -> None:
        await self._until(line.at_s)
        end = await self._say(line, line.priority, time.perf_counter(), line.start_by_s)
        if end != "cut":  # what follows at once is the player's line
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
                self._hear_typing(line, share)
            await self._until(line.at_s + late_s)
            await self._ask(line)
            self._read_ahead(line)
            answered_s = time.perf_counter() - self._started
            late_s = max(late_s, answered_s - line.at_s - LISTENING_S * self._pace)

    def _hear_typing(self, line: Line, share: float) -> None:
        guess = line.stable + line.guess, line.typed(share)
        self._characters[line.npc].typed = guess
        self._voice.expect(line.npc, *guess, Priority.NEARBY)

    async def _ask(self, line: Line) -> None:
        """The player presses Enter: what the character says of itself, or is about to, gives way."""
        character, asked = self._characters[line.npc], time.perf_counter()
        character.addressed, character.typed = asked, None
        self._voice.cancel(line.npc)
        await self._say(line, line.priority, asked)

    async def _say(self, line: Line, priority: Priority, asked: float, start_by_s: float | None = None) -> End:
        """Once the character has ended what it says, if it is still to be said then."""
        character = self._characters[line.npc]
        start_by = math.inf if start_by_s is None else asked + start_by_s
        async with character.mouth:
            waited = time.perf_counter() - asked
            why = character.why_unsaid(asked, start_by)
            if why is None:
                self._voice.forget(line.npc)
                left_s = None if start_by_s is None else start_by_s - waited
                heard = await self._voice.say(line, priority, left_s)
            else:
                heard = Heard(None, 0.0, 0, why)
        self._keep(line, waited, heard)
        return heard.end

    def _keep(self, line: Line, waited: float, heard: Heard) -> None:
        first = None if heard.first_s is None else waited + heard.first_s
        size, total = len(line.prompt.ids), waited + heard.total_s
        self._replies.append(Reply(line.npc, line.is_player, first, total, heard.cached_tokens, size, heard.end))

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._started + at_s - time.perf_counter()))

    def _result(self) -> dict[str, Any]:
        return {
            "wall_s": time.perf_counter() - self._started,
            "replies": [asdict(reply) for reply in self._replies],
        }
