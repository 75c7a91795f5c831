"""Work that is handed to the model's thread: given up by its caller, or overtaken by the engine's end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.errors import EngineCrashed

from .streams import PATIENCE_S, Start, ask, collect, until


async def _hold(engine: LocalEngine) -> tuple[threading.Event, Future[str]]:
    """Keeps the model's thread busy until the event is set, and queues one job behind that."""
    is_busy, may_end = threading.Event(), threading.Event()
    engine._worker.call(lambda _runner: (is_busy.set(), may_end.wait(PATIENCE_S)))
    assert await asyncio.to_thread(is_busy.wait, PATIENCE_S)
    return may_end, engine._worker.call(lambda _runner: "done")


async def test_a_job_that_nobody_waits_for_any_more_leaves_the_engine_alive(start: Start) -> None:
    engine = start()
    may_end, waiting = await _hold(engine)
    assert waiting.cancel()
    may_end.set()
    said, _ = await collect(engine, ask())
    assert said


async def test_a_job_that_waits_when_the_engine_closes_ends(start: Start) -> None:
    engine = start()
    may_end, waiting = await _hold(engine)
    closing = asyncio.create_task(engine.close())
    await until(lambda: engine._worker._is_closing)
    may_end.set()
    await closing
    with pytest.raises(EngineCrashed, match="closed"):
        waiting.result(PATIENCE_S)
