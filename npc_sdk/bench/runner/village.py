"""The bundled village on our engine: real replies of the bundled model, many of them quoted from lore."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping
from typing import Any

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.ours import load_engine
from npc_sdk.errors import EngineError
from npc_sdk.events import ReplyFailed, ReplyFinished, ToolCall
from npc_sdk.requests import Sampling
from npc_sdk.settings import bundled_personas
from npc_sdk.world import World

SAMPLING = Sampling(temperature=0, max_new_tokens=96)
QUESTIONS = (
    ("mara", "What happened to the old mill?"),
    ("mara", "Tell me about the great flood."),
    ("mara", "Who is Lady Ysolde?"),
    ("mara", "What do you sell?"),
    ("tobin", "When is the lantern feast?"),
    ("tobin", "What do you know about the old mill?"),
    ("elsbeth", "Where do moonpetals grow?"),
    ("elsbeth", "What do you know about the marsh?"),
    ("corvin", "Are there wolves?"),
)


class VillageRunner:
    """options: as for load_engine."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()

    def start(self, options: Mapping[str, Any]) -> Figures:
        engine = load_engine(options)
        self._engine = engine
        self._world = World.load(bundled_personas(), engine)
        return {}

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        if order != "quote":
            raise LookupError(f"there is no order {order!r} in the village")
        return self._loop.run(self._quote(**arguments))

    def close(self) -> None:
        self._loop.run(self._world.close())
        self._loop.close()

    async def _quote(self) -> Figures:
        """Every question in a new conversation; the model's passes are its steps."""
        before = self._engine.stats()
        replies = [await self._ask(npc, words) for npc, words in QUESTIONS]
        after = self._engine.stats()
        tokens = sum(one.usage.completion_tokens - 1 for one in replies)
        return {
            "text": [one.text for one in replies],
            "tokens": tokens,
            "tokens_per_s": tokens / sum(one.timings.decode_s for one in replies),
            "first_token_s": statistics.median(one.timings.first_token_s for one in replies),
            "passes": after.steps - before.steps,
            "drafted": after.drafted_tokens - before.drafted_tokens,
            "accepted": after.accepted_tokens - before.accepted_tokens,
        }

    async def _ask(self, npc: str, words: str) -> ReplyFinished:
        """A whole reply; every act is accepted. Raises: what failed."""
        session = self._world.talk(npc, player="Robin")
        try:
            async for event in session.say(words, sampling=SAMPLING):
                if isinstance(event, ToolCall):
                    session.tool_result(event.call.call_id)
                elif isinstance(event, ReplyFailed):
                    raise event.error
                elif isinstance(event, ReplyFinished):
                    return event
        finally:
            self._world.end(session.session_id)
        raise EngineError("a reply had no end", hint="this is a mistake of the session")
