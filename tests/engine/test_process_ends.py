"""However a start or a close is cut short, it ends, says why, and leaves no process behind."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from npc_sdk.engine.process import engine as process_engine
from npc_sdk.engine.process.child_process import ChildProcess
from npc_sdk.engine.process.engine import ProcessEngine
from npc_sdk.engine.process.message import Load
from npc_sdk.engine.process.supervisor import Supervisor
from npc_sdk.errors import EngineCrashed, SettingsError

from .test_process import PATIENCE_S, QUICK, gone, kill, posix_only, read, ready

MAKER = "process_makers:talkative"

Value = TypeVar("Value")


@pytest.fixture(autouse=True)
def _makers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
async def engine() -> AsyncIterator[ProcessEngine]:
    engine = await ProcessEngine.start("scripted", made_by=MAKER, hang_s=PATIENCE_S, backoff=QUICK)
    yield engine
    await engine.close()


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the processes that were started."""
    numbers: list[int] = []
    create = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await create(*arguments, **options)
        numbers.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    return numbers


async def soon(awaited: Awaitable[Value]) -> Value:
    return await asyncio.wait_for(awaited, PATIENCE_S)


async def test_a_start_that_is_cancelled_while_it_waits_for_the_counter_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, spawned: list[int]
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(process_engine, "token_counter", lambda *_, **__: may_end.wait(PATIENCE_S))
    is_loaded = asyncio.Event()
    start = Supervisor.start

    async def noted(supervisor: Supervisor) -> Any:
        info = await start(supervisor)
        is_loaded.set()
        return info

    monkeypatch.setattr(Supervisor, "start", noted)
    starting = asyncio.create_task(ProcessEngine.start("scripted", made_by=MAKER))
    await soon(is_loaded.wait())
    starting.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await soon(starting)
    finally:
        may_end.set()
    await gone(spawned[0])
    assert len(asyncio.all_tasks()) == 1, "the test's own"


@posix_only
async def test_a_second_close_does_not_keep_the_first_from_killing_a_child_that_hangs(engine: ProcessEngine) -> None:
    number = engine.process_id
    assert number is not None
    kill(engine, signal.SIGSTOP)
    closing = asyncio.create_task(engine.close())
    for _ in range(20):
        await asyncio.sleep(0.01)
    await soon(engine.close())
    await soon(closing)
    await gone(number)


@posix_only
async def test_a_child_that_hangs_dies_though_the_wait_for_its_end_is_cancelled() -> None:
    child = await ChildProcess.spawn(MAKER, Load({"kind_or_path": "scripted"}))
    kill(child, signal.SIGSTOP)
    ending = asyncio.create_task(child.end(PATIENCE_S))
    await asyncio.sleep(0.1)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(ending)
    await gone(child.process_id)
    await soon(child.end())  # asyncio has heard of it by now, or its own account of the process would warn


async def test_a_name_that_no_command_line_can_hold_is_told() -> None:
    with pytest.raises(EngineCrashed, match="no process could be started for the model: embedded null"):
        await soon(ProcessEngine.start("scripted", made_by="a\0b"))


async def test_an_argument_that_cannot_be_sent_is_told_before_a_process_starts(spawned: list[int]) -> None:
    with pytest.raises(SettingsError, match="a object is no plain value"):
        await soon(ProcessEngine.start("scripted", made_by=MAKER, odd=object()))
    assert spawned == []


async def _fail(*_arguments: Any) -> NoReturn:
    raise RuntimeError("nobody thought of this")


async def test_whatever_keeps_a_first_process_from_starting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChildProcess, "spawn", _fail)
    with pytest.raises(EngineCrashed, match="RuntimeError: nobody thought of this"):
        await soon(ProcessEngine.start("scripted", made_by=MAKER))


async def test_whatever_keeps_a_later_process_from_starting_the_next_is_tried(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(ChildProcess, "spawn", _fail)
        kill(engine)
        async with asyncio.timeout(PATIENCE_S):
            while engine.state != "down":
                await asyncio.sleep(0.01)
    with pytest.raises(EngineCrashed, match="nobody thought of this"):
        await read(engine)
    await ready(engine)
    assert (await read(engine))[1].finish_reason == "stop"
