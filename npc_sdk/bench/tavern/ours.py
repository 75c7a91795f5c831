"""Our engine in the tavern: priorities, what is computed ahead, one stream a reply. Does as sessions do."""

from __future__ import annotations

import asyncio
import itertools
import time

from npc_sdk.bench.tavern.replay import Heard
from npc_sdk.bench.tavern.trace import REPLY_TOKENS, Line
from npc_sdk.bench.vocabulary import Prompt
from npc_sdk.engine.interface import Engine, Generated
from npc_sdk.errors import EngineError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Priority, Sampling, Segment


class OurVoice:
    """One engine for all characters. Close it before the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count()
        self._expected: dict[int, tuple[str, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def say(self, line: Line, priority: Priority) -> Heard:
        """Streams a reply. Raises: EngineError where it ends early."""
        started, first = time.perf_counter(), 0.0
        request = GenerateRequest(
            f"say-{next(self._numbers)}",
            _segments(line.stable + line.fresh, line.words),
            sampling=Sampling(temperature=0, max_new_tokens=REPLY_TOKENS),
            priority=priority,
            bulk_segments=1,
            npc_id=str(line.npc),
        )
        async for item in self._engine.stream(request):
            first = first or time.perf_counter() - started
            if isinstance(item, Generated):
                if item.usage.completion_tokens != REPLY_TOKENS:
                    message = f"a reply ended after {item.usage.completion_tokens} tokens"
                    raise EngineError(message, hint="the model's folder must name no end token")
                return Heard(first, time.perf_counter() - started, item.usage.cached_tokens)
        raise EngineError("a stream ended without its last item", hint="this is a mistake of the engine")

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        """Has the front of a prompt computed when there is time."""
        self.forget(npc)
        request_id = f"ahead-{next(self._numbers)}"
        request = PrefillRequest(
            request_id, _segments(bulk, words), priority=priority, bulk_segments=1, npc_id=str(npc)
        )
        task = asyncio.get_running_loop().create_task(self._compute(request))
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

    async def _compute(self, request: PrefillRequest) -> None:
        await self._engine.prefill(request)


def _segments(bulk: Prompt, words: Prompt) -> tuple[Segment, ...]:
    """As the engine takes a prompt: what stands before the words, and the words."""
    return (Segment(bulk.text), Segment(words.text)) if words.ids else (Segment(bulk.text),)
