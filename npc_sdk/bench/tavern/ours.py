"""Our engine in the tavern: priorities, what is computed ahead, one stream a reply. Does as sessions do."""

from __future__ import annotations

import asyncio
import itertools
import time

from npc_sdk.bench.tavern.replay import Heard
from npc_sdk.bench.tavern.trace import REPLY_TOKENS, Line
from npc_sdk.bench.vocabulary import Prompt
from npc_sdk.engine.interface import Engine, Generated
from npc_sdk.errors import DeadlineMissed, EngineError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Priority, Sampling, Segment


class OurVoice:
    """One engine for all characters. Close it before the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count()
        self._expected: dict[int, tuple[str, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._saying: dict[int, str] = {}

    async def say(self, line: Line, priority: Priority, start_by_s: float | None = None) -> Heard:
        """Streams a reply. Raises: EngineError where it ends early without being told to."""
        started = time.perf_counter()
        request = GenerateRequest(
            f"say-{next(self._numbers)}",
            _segments(line.stable + line.fresh, line.words),
            sampling=Sampling(temperature=0, max_new_tokens=REPLY_TOKENS),
            priority=priority,
            start_by_s=start_by_s,
            bulk_segments=1,
            npc_id=str(line.npc),
        )
        self._saying[line.npc] = request.request_id
        try:
            return await self._listen(request, started)
        except DeadlineMissed:
            return Heard(None, time.perf_counter() - started, 0, "late")
        finally:
            del self._saying[line.npc]

    def cancel(self, npc: int) -> None:
        """Ends what a character is saying, if it is."""
        if npc in self._saying:
            self._engine.cancel(self._saying[npc])

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        """Has the front of a prompt computed when there is time."""
        self.forget(npc)
        request_id = f"ahead-{next(self._numbers)}"
        request = PrefillRequest(
            request_id, _segments(bulk, words), priority=priority, bulk_segments=1, npc_id=str(npc)
        )
        task = asyncio.get_running_loop().create_task(self._compute(npc, request))
        self._expected[npc] = (request_id, task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, npc: int) -> None:
        """Stops computing; what is computed stays."""
        request_id, task = self._expected.pop(npc, ("", None))
        if task is not None and not task.done():
            self._engine.cancel(request_id)

    async def close(self) -> None:
        """Waits for what was stopped."""
        for npc in list(self._expected):
            self.forget(npc)
        await asyncio.gather(*self._tasks)

    async def _listen(self, request: GenerateRequest, started: float) -> Heard:
        """A stream to its end. Raises: EngineError, DeadlineMissed."""
        first: float | None = None
        async for item in self._engine.stream(request):
            if isinstance(item, Generated):
                total, cached = time.perf_counter() - started, item.usage.cached_tokens
                if item.finish_reason == "cancelled":
                    return Heard(first, total, cached, "cut")
                if item.usage.completion_tokens != REPLY_TOKENS:
                    message = f"a reply ended after {item.usage.completion_tokens} tokens"
                    raise EngineError(message, hint="the model's folder must name no end token")
                return Heard(first or total, total, cached)
            first = first or time.perf_counter() - started
        raise EngineError("a stream ended without its last item", hint="this is a mistake of the engine")

    async def _compute(self, npc: int, request: PrefillRequest) -> None:
        # What was forgotten before the task began was not known to the engine then, which could not end it.
        if self._expected.get(npc, ("",))[0] == request.request_id:
            await self._engine.prefill(request)


def _segments(bulk: Prompt, words: Prompt) -> tuple[Segment, ...]:
    """As the engine takes a prompt: what stands before the words, and the words."""
    return (Segment(bulk.text), Segment(words.text)) if words.ids else (Segment(bulk.text),)
