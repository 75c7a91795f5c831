"""Our engine under a constraint: replies that must call one of a shop's tools, and replies that may only speak."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.ours import OurRunner
from npc_sdk.engine.interface import Chunk
from npc_sdk.engine.stats import RequestStats
from npc_sdk.errors import EngineError
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint, GenerateRequest, Sampling, Segment

ITEMS = ("iron sword", "hammer", "horseshoe", "lantern", "bag of nails", "silver ring", "oak shield", "rope")
CALL_TOKENS = 96


def _tool(name: str, **properties: Mapping[str, Any]) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ToolSpec(name, f"{name.replace('_', ' ')}.", schema)


TOOLS = (
    _tool("give_item", item={"enum": list(ITEMS)}),
    _tool("sell_item", item={"enum": list(ITEMS)}, price={"type": "integer", "minimum": 1, "maximum": 500}),
    _tool("start_quest", quest={"enum": ["the lost hammer", "moonpetals for Elsbeth", "the toll of the bridge"]}),
    _tool("open_door", door={"enum": ["cellar", "back room", "east gate"]}, quietly={"type": "boolean"}),
    _tool("follow_player"),
)


class CallsRunner(OurRunner):
    """options: as for load_engine."""

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        orders: dict[str, Callable[..., Coroutine[Any, Any, Figures]]] = {"calls": self._calls, "speech": self._speech}
        return self.run(orders[order](**arguments)) if order in orders else super().do(order, arguments)

    async def _calls(self, text: str, replies: int, seed: int) -> Figures:
        """Replies that are one call each, drawn so that they differ. Raises: EngineError for one that is no call."""
        before = self.engine.stats().steps
        done = []
        for number in range(replies):
            constraint = Constraint(TOOLS, mode="required")
            sampling = Sampling(temperature=1.0, max_new_tokens=CALL_TOKENS, seed=seed + number)
            written, stats = await self._constrained(text, constraint, sampling)
            _check_call(written)
            done.append(stats)
        return {"passes": (self.engine.stats().steps - before) / replies, **_figures(done)}

    async def _speech(self, text: str, tokens: int) -> Figures:
        """One reply that may not call anything."""
        sampling = Sampling(temperature=0, max_new_tokens=tokens)
        _, stats = await self._constrained(text, Constraint(mode="none"), sampling)
        return _figures([stats])

    async def _constrained(self, text: str, constraint: Constraint, sampling: Sampling) -> tuple[str, RequestStats]:
        request = GenerateRequest(self._id(), (Segment(text),), sampling=sampling, constraint=constraint)
        written = "".join([item.text async for item in self.engine.stream(request) if isinstance(item, Chunk)])
        return written, await self._figures_of(request.request_id)

    async def _figures_of(self, request_id: str) -> RequestStats:
        """They are kept just after the stream has ended. Raises: EngineError."""
        for _ in range(200):
            for one in self.engine.stats().requests:
                if one.request_id == request_id:
                    return one
            await asyncio.sleep(0.01)
        raise EngineError("a reply left no figures", hint="this is a mistake of the engine")


def _check_call(written: str) -> None:
    """Raises: EngineError where the reply does not end in a call of one of the tools."""
    body = written[written.find("{") : written.rfind("}") + 1]
    try:
        name = json.loads(body)["name"]
    except (ValueError, KeyError, TypeError) as exc:
        raise EngineError(f"{written!r} is no call: {exc}", hint="this is a mistake of the constraint") from exc
    if name not in {tool.name for tool in TOOLS}:
        raise EngineError(f"{written!r} calls no tool", hint="this is a mistake of the constraint")


def _figures(done: list[RequestStats]) -> Figures:
    """Per reply, and per token that was drawn: forced ones need no mask."""
    drawn = sum(one.new_tokens - one.forced_tokens for one in done)
    return {
        "tokens": sum(one.new_tokens for one in done) / len(done),
        "forced": sum(one.forced_tokens for one in done) / len(done),
        "reply_s": sum(one.timings.total_s for one in done) / len(done),
        "decode_s": sum(one.timings.decode_s for one in done) / len(done),
        "mask_s": sum(one.mask_s for one in done) / max(drawn, 1),
    }
