"""Requests to a local engine and ways to watch its streams."""

from __future__ import annotations

import asyncio
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
    for _ in range(300):
        if not engine._worker._scheduler.live:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still live: {engine._worker._scheduler.live}")


def encode(text: str) -> list[int]:
    return list(build_tokenizer().encode(text, add_special_tokens=False).ids)
