"""The runs of the model that one reply takes, one after the other, under one deadline and one cancel.

Keeps the account of their tokens and times. Knows requests, nothing of what is said. Used by reply and structured.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from npc_sdk.engine.interface import EngineItem, Generated
from npc_sdk.errors import DeadlineMissed, EngineCrashed, ReplyTimeout
from npc_sdk.events import FinishReason, Timings, Usage
from npc_sdk.messages import Message
from npc_sdk.prompt.compile import CompiledPrompt
from npc_sdk.requests import Constraint, GenerateRequest, Priority, Sampling
from npc_sdk.session.scene import Scene

GRACE_S = 1.0  # for the engine to end a cancelled run by itself, which keeps the account of its tokens true


@dataclass(frozen=True, slots=True)
class Ask:
    """What was said to the NPC and how it is to be answered. run_id is unique in the engine.

    tool_choice is "auto", "required", "none" or a tool's name; with a json_schema the answer is a value, not speech.

    Units: timeout_s for the whole reply; start_by_s until its first token, None where it is never too late.
    """

    request_id: str
    run_id: str
    words: Message
    player: str
    sampling: Sampling
    priority: Priority
    timeout_s: float
    start_by_s: float | None = None
    tool_choice: str = "auto"
    json_schema: Mapping[str, Any] | None = None


class RunCancelled(Exception):
    """The reply was cancelled and the engine did not end its run within the grace."""


class Runs:
    """Driven by one consumer; cancel may come between its steps, from the same loop. Begins with begin.

    ask is kept here alone: what is taken out of it, such as pictures, is held no longer.
    """

    def __init__(self, scene: Scene, ask: Ask) -> None:
        self.ask = ask
        self.is_cancelled = False
        self.deadline_s = 0.0
        self._scene = scene
        self._count = 0
        self._ended: list[Generated] = []
        self._open_id: str | None = None
        self._waiting: asyncio.Timeout | None = None
        self._started_s = 0.0
        self._first_token_s: float | None = None

    def begin(self) -> None:
        """Starts the clock."""
        self._started_s = now_s()
        self.deadline_s = self._started_s + self.ask.timeout_s

    def cancel(self) -> None:
        """Ends the run that is open, and lets none follow."""
        self.is_cancelled = True
        if self._open_id is not None:
            self.stop()
            self.deadline_s = min(self.deadline_s, now_s() + GRACE_S)
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(self.deadline_s)

    def stop(self) -> None:
        """Ends the run that is open, if one is: nobody wants the rest of it."""
        if self._open_id is not None:
            self._scene.engine.cancel(self._open_id)

    async def text(
        self, prompt: CompiledPrompt, constraint: Constraint, *, has_tools: bool
    ) -> AsyncGenerator[str, None]:
        """What the model writes, piece by piece. Closing the iterator early stops the engine.

        Raises: ReplyTimeout, DeadlineMissed, EngineCrashed, RunCancelled, and whatever the engine raises.
        """
        request = self._request(prompt, constraint, has_tools=has_tools)
        self._open_id = request.request_id
        stream = self._scene.engine.stream(request)
        try:
            while not isinstance(item := await self._next(stream), Generated):
                if self._first_token_s is None:
                    self._first_token_s = now_s() - self._started_s
                yield item.text
        finally:
            self._open_id = None
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        self._ended.append(item)

    def overdue(self) -> ReplyTimeout:
        """The error of a reply that took too long."""
        took = self.ask.timeout_s
        return ReplyTimeout(f"the reply took longer than {took:g} s", hint="ask again, or give it longer")

    @property
    def finish_reason(self) -> FinishReason:
        """Why the last run ended."""
        return self._ended[-1].finish_reason if self._ended else "stop"

    @property
    def usage(self) -> Usage:
        """All runs' together."""
        return sum((run.usage for run in self._ended), Usage())

    @property
    def timings(self) -> Timings:
        """Queue, prefill and first token are the first run's: what the player waited for. Decoding is all runs'."""
        first = self._ended[0].timings if self._ended else Timings()
        return Timings(
            queued_s=first.queued_s,
            prefill_s=first.prefill_s,
            first_token_s=self._first_token_s or 0.0,
            decode_s=sum(run.timings.decode_s for run in self._ended),
            total_s=now_s() - self._started_s,
        )

    def _request(self, prompt: CompiledPrompt, constraint: Constraint, *, has_tools: bool) -> GenerateRequest:
        """Raises: ReplyTimeout, DeadlineMissed."""
        left_s = self.deadline_s - now_s()
        if left_s <= 0:
            raise self.overdue()
        start_by_s = self._start_by_s()
        number, self._count = self._count, self._count + 1
        return GenerateRequest(
            request_id=f"{self.ask.run_id}/{number}",
            segments=prompt.segments,
            messages=prompt.messages,
            tools=prompt.tools if has_tools else (),
            sampling=self.ask.sampling,
            priority=self.ask.priority,
            deadline_s=left_s,
            start_by_s=start_by_s,
            bulk_segments=prompt.bulk_segments,
            npc_id=self._scene.npc_id,
            constraint=constraint,
        )

    def _start_by_s(self) -> float | None:
        """What is left until the first word must come; None once it has. Raises: DeadlineMissed."""
        if self.ask.start_by_s is None or self._count:
            return None
        left_s = self._started_s + self.ask.start_by_s - now_s()
        if left_s <= 0:
            message = f"no first word within {self.ask.start_by_s:g} s"
            raise DeadlineMissed(message, hint="too late to be said; nothing was")
        return left_s

    async def _next(self, stream: AsyncIterator[EngineItem]) -> EngineItem:
        """The engine's next item. Raises: ReplyTimeout, EngineCrashed, RunCancelled."""
        try:
            async with asyncio.timeout_at(self.deadline_s) as self._waiting:
                return await anext(stream)
        except TimeoutError:
            if self._waiting is None or not self._waiting.expired():
                raise
            raise (RunCancelled() if self.is_cancelled else self.overdue()) from None
        except StopAsyncIteration:
            raise EngineCrashed("the engine's stream ended without a last item", hint="ask again") from None
        finally:
            self._waiting = None


def now_s() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()
