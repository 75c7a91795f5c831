"""Requests to a local engine and ways to watch its streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from npc_sdk.engine.interface import Chunk, Engine, Generated
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.requests import GenerateRequest, Sampling, Segment

from .checkpoints import build_tokenizer

Start = Callable[..., LocalEngine]

PROMPT = "<extra_id_1>User\nhello, any work for the smith?\n<extra_id_1>Assistant\n"
SHORT_CHUNKS = Limits(chunk_tokens=8)
PATIENCE_S = 60.0  # only what never happens takes so long


def ask(name: str = "r", text: str = PROMPT, **options: Any) -> GenerateRequest:
    """A greedy request, unless options say otherwise."""
    fields = {key: options.pop(key) for key in ("priority", "deadline_s") if key in options}
    sampling = Sampling(**{"temperature": 0.0, "max_new_tokens": 24, **options})
    return GenerateRequest(name, (Segment(text, is_trusted=True),), sampling=sampling, **fields)


async def collect(engine: Engine, request: GenerateRequest) -> tuple[str, Generated]:
    """The whole text and the terminal item, which must be the one and only last."""
    text, items = "", []
    async for item in engine.stream(request):
        items.append(item)
        text += item.text if isinstance(item, Chunk) else ""
    assert [isinstance(item, Generated) for item in items] == [False] * (len(items) - 1) + [True]
    return text, items[-1]


def slow_down(monkeypatch: pytest.MonkeyPatch, step_s: float = 0.01) -> None:
    """Makes every step take at least this long."""
    hidden = Decoder.hidden

    def slow(self: Decoder, *args: Any) -> torch.Tensor:
        time.sleep(step_s)
        return hidden(self, *args)

    monkeypatch.setattr(Decoder, "hidden", slow)


async def assert_nobody_lives(engine: LocalEngine) -> None:
    """Waits for the worker to put the last run away, which it does just after the terminal item."""
    await until(lambda: not engine._worker._scheduler.live)


async def until(is_so: Callable[[], object]) -> None:
    """Waits for what another thread does."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)


async def until_queued(engine: LocalEngine, count: int = 1) -> None:
    """Waits until so many new requests lie where the model's thread, which is held up, will find them."""
    await until(lambda: len(engine._worker._inbox) >= count)


async def ask_together(engine: LocalEngine, *requests: GenerateRequest) -> list[asyncio.Task[tuple[str, Generated]]]:
    """Runs of which none is begun before all are queued, in this order."""
    is_held, may_go_on = threading.Event(), threading.Event()
    engine._worker.call(lambda _runner: (is_held.set(), may_go_on.wait(PATIENCE_S)))
    await until(is_held.is_set)
    tasks = [asyncio.create_task(collect(engine, one)) for one in requests]
    await until_queued(engine, len(tasks))
    may_go_on.set()
    return tasks


def ends(engine: LocalEngine) -> list[str]:
    """The requests in the order in which they ended."""
    return [one.request_id for one in engine.stats().requests]


class StepGate:
    """Lets models take so many steps from now on, and no more until it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self._free, self._begun = free, 0
        self._changed = threading.Condition()
        hidden = Decoder.hidden

        def held(decoder: Decoder, *args: Any) -> torch.Tensor:
            self._enter()
            return hidden(decoder, *args)

        monkeypatch.setattr(Decoder, "hidden", held)

    async def stands(self) -> None:
        """Waits until a model is held up in its next step."""
        await until(lambda: self._begun > self._free)

    def let(self, more: int = 1_000_000) -> None:
        """Lets so many more through."""
        with self._changed:
            self._free += more
            self._changed.notify_all()

    def _enter(self) -> None:
        with self._changed:
            self._begun += 1
            number = self._begun
            assert self._changed.wait_for(lambda: number <= self._free, PATIENCE_S), "held up for ever"


def encode(text: str) -> list[int]:
    return list(build_tokenizer().encode(text, add_special_tokens=False).ids)
