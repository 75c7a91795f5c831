"""Real processes that hang, are only slow, or go on after all; before any reply has ended, so that no pace is known."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from npc_sdk.engine.interface import Chunk
from npc_sdk.engine.process.engine import ProcessEngine
from npc_sdk.engine.process.pulse import FLOOR_S
from npc_sdk.errors import EngineCrashed

from .test_process import PATIENCE_S, Begin, ask, begin, drain, first, kill, posix_only, read, ready

__all__ = ["begin"]  # a fixture
TOLD_S = 2.0


@pytest.fixture
def go_on(tmp_path: Path) -> Path:
    """A file that the model waits for."""
    return tmp_path / "go on"


async def loss(stream: AsyncIterator[object]) -> str:
    """What a reply is told that hangs."""
    with pytest.raises(EngineCrashed) as caught:
        await drain(stream)  # type: ignore[arg-type]
    assert caught.value.retryable
    return caught.value.message


def told_s(message: str) -> float:
    """For how long nothing was to be seen of the model by then, by the clock that it is judged by."""
    match = re.fullmatch(r"the model's process does not answer: .* for ([\d.]+) s", message)
    assert match, message
    return float(match[1])


async def stuck_s(engine: ProcessEngine, least_s: float) -> None:
    """Waits until a step has gone on for so long."""
    async with asyncio.timeout(PATIENCE_S):
        while engine._supervisor._pulse._stuck_s < least_s:
            await asyncio.sleep(0.01)


async def test_a_first_step_that_does_nothing_is_told_within_two_seconds(begin: Begin, go_on: Path) -> None:
    engine = await begin("standing", hang_s=None, waits_for=str(go_on))
    message = await loss(engine.stream(ask()))
    assert "made no progress" in message
    assert told_s(message) < TOLD_S


async def test_a_step_that_goes_on_after_all_costs_its_reply_and_no_process(begin: Begin, go_on: Path) -> None:
    engine = await begin("standing", hang_s=None, waits_for=str(go_on))
    process_id = engine.process_id
    await loss(engine.stream(ask()))
    with pytest.raises(EngineCrashed, match="does not answer"):
        await first(engine.stream(ask()))
    go_on.touch()
    await ready(engine)
    assert (await read(engine))[0] == "Done."
    assert (engine.process_id, engine.restarts) == (process_id, 0)


async def test_a_model_that_lets_go_of_its_reply_at_rest_costs_no_process(begin: Begin) -> None:
    engine = await begin("resting", hang_s=None)
    process_id = engine.process_id
    for _ in range(2):
        await loss(engine.stream(ask()))
        await ready(engine)
    assert (engine.process_id, engine.restarts) == (process_id, 0)


async def test_a_first_step_that_computes_may_take_its_time(begin: Begin, go_on: Path) -> None:
    engine = await begin("computing", hang_s=None, waits_for=str(go_on))
    reading = asyncio.ensure_future(read(engine))
    await stuck_s(engine, 2 * FLOOR_S)
    go_on.touch()
    assert (await reading)[0] == "Done."
    assert engine.restarts == 0


@posix_only
async def test_a_process_that_stood_still_for_a_while_is_rid_of_what_nobody_waits_for(begin: Begin) -> None:
    engine = await begin(hang_s=None)
    process_id = engine.process_id
    stream = engine.stream(ask())
    await first(stream)
    kill(engine, signal.SIGSTOP)
    try:
        message = await loss(stream)
    finally:
        kill(engine, signal.SIGCONT)
    assert told_s(message) < TOLD_S
    await ready(engine)
    assert isinstance(await first(engine.stream(ask())), Chunk), "the id is free again"
    async with asyncio.timeout(PATIENCE_S):
        while engine.stats().running:
            await asyncio.sleep(0.01)
    assert (engine.process_id, engine.restarts) == (process_id, 0)


@posix_only
async def test_a_close_does_not_wait_for_a_child_that_is_stalled(begin: Begin) -> None:
    engine = await begin(hang_s=None)
    kill(engine, signal.SIGSTOP)
    await loss(engine.stream(ask()))
    async with asyncio.timeout(PATIENCE_S):
        await engine.close()
    assert len(asyncio.all_tasks()) == 1, "the test's own"
