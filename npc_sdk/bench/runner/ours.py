"""Our local engine, through the seam that sessions use: requests in, streams out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from npc_sdk.bench.machine import memory_bytes
from npc_sdk.bench.runner.interface import Figures, prefill_figures
from npc_sdk.engine.interface import Generated
from npc_sdk.engine.local.cores import CoreUse, settle
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.errors import EngineError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Sampling, Segment
from npc_sdk.settings import GovernorSettings


def load_engine(options: Mapping[str, Any]) -> LocalEngine:
    """options: model, what LocalEngine.load takes, the fields of limits and governor, priority.

    The priority is that of the peers if none is named; a game's engine would stand back.
    Mutates: the priority of this process.
    """
    settings = dict(options)
    settle(CoreUse.of(priority=settings.pop("priority", "normal")))
    settings["limits"] = Limits(**settings.pop("limits", {}))
    if "governor" in settings:
        settings["governor"] = GovernorSettings(**settings.pop("governor"))
    return LocalEngine.load(Path(settings.pop("model")), **settings)


class OurRunner:
    """options: as for load_engine."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()
        self._numbers = itertools.count()

    def start(self, options: Mapping[str, Any]) -> Figures:
        started = time.perf_counter()
        self.engine = load_engine(options)
        load_s = time.perf_counter() - started
        return {"load_s": load_s, "resident_bytes": memory_bytes()[0], "device": self.engine.info.device}

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        orders: dict[str, Callable[..., Coroutine[Any, Any, Figures]]] = {
            "decode": self._decode,
            "prefill": self._prefill,
            "together": self._together,
            "first_token": self._first_token,
            "read_ahead": self._read_ahead,
            "memory": self._memory,
        }
        if order not in orders:
            raise LookupError(f"there is no order {order!r} for our engine")
        return self.run(orders[order](**arguments))

    def close(self) -> None:
        self._loop.run(self.engine.close())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Figures]) -> Figures:
        """Something to the end, on the loop that all of it shares."""
        return self._loop.run(work)

    async def _decode(self, text: str, tokens: int) -> Figures:
        done = await self.reply(text, tokens)
        return {"tokens": tokens - 1, "tokens_per_s": (tokens - 1) / done.timings.decode_s}

    async def _prefill(self, text: str) -> Figures:
        done = await self.reply(text, 1)
        if done.usage.cached_tokens:
            raise EngineError(f"{done.usage.cached_tokens} tokens of a new prompt were cached", hint="draw other words")
        return prefill_figures(done.usage.prompt_tokens, done.timings.first_token_s)

    async def _first_token(self, front: str, words: str) -> Figures:
        done = await self.reply(front, 1, words)
        return {"first_token_s": done.timings.first_token_s, "cached_tokens": done.usage.cached_tokens}

    async def _together(self, texts: Sequence[str], tokens: int) -> Figures:
        """Replies to prompts that were read before, all at once: each counts from its own first token."""
        for text in texts:
            await self.reply(text, 1)
        done = await asyncio.gather(*(self.reply(text, tokens) for text in texts))
        return {"streams": len(done), "tokens_per_s": sum((tokens - 1) / one.timings.decode_s for one in done)}

    async def _read_ahead(self, front: str, words: str = "") -> Figures:
        """What is certain while the player walks up or types, computed before anybody asks for a reply."""
        used = await self.engine.prefill(PrefillRequest(self._id(), _segments(front, words), bulk_segments=1))
        return {"prompt_tokens": used.prompt_tokens, "cached_tokens": used.cached_tokens}

    async def _memory(self, text: str, tokens: int) -> Figures:
        done = await self.reply(text, tokens)
        now, most = memory_bytes()
        card = torch.cuda.max_memory_allocated() if self.engine.info.device.startswith("cuda") else 0
        tokens_held = done.usage.prompt_tokens + tokens
        return {"cache_tokens": tokens_held, "resident_bytes": now, "peak_bytes": most, "card_bytes": card}

    async def reply(self, front: str, tokens: int, words: str = "") -> Generated:
        """Has a reply of exactly so many tokens written. Raises: EngineError where it ended early."""
        sampling = Sampling(temperature=0, max_new_tokens=tokens)
        request = GenerateRequest(self._id(), _segments(front, words), sampling=sampling, bulk_segments=1)
        async for item in self.engine.stream(request):
            if isinstance(item, Generated):
                if item.usage.completion_tokens != tokens:
                    message = f"a reply ended after {item.usage.completion_tokens} tokens, not {tokens}"
                    raise EngineError(message, hint="the model's folder must name no end token")
                return item
        raise EngineError("a stream ended without its last item", hint="this is a mistake of the engine")

    def _id(self) -> str:
        return f"bench-{next(self._numbers)}"


def _segments(front: str, words: str) -> tuple[Segment, ...]:
    """A prompt whose front comes again."""
    return (Segment(front), Segment(words)) if words else (Segment(front),)
