"""A model in a process of its own fits the seam, and whatever becomes of the process, every run ends once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.engine.interface import Chunk, Engine, EngineItem, Generated
from npc_sdk.engine.process.child_process import ChildProcess
from npc_sdk.engine.process.engine import ProcessEngine
from npc_sdk.engine.process.supervisor import LOADS, Backoff
from npc_sdk.errors import DuplicateRequest, EngineCrashed, ModelFormatError, NpcError, PromptTooLong, SettingsError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Sampling, Segment

HERE = Path(__file__).parent
QUICK = Backoff(first_s=0.01, most_s=0.05, healthy_s=60.0)
PATIENCE_S = 60.0
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

Begin = Callable[..., Awaitable[ProcessEngine]]


def ask(name: str = "r", text: str = "hello there") -> GenerateRequest:
    return GenerateRequest(name, (Segment(text),), sampling=Sampling(max_new_tokens=4000))


async def read(engine: Engine, name: str = "r") -> tuple[str, Generated]:
    items = [item async for item in engine.stream(ask(name))]
    assert isinstance(items[-1], Generated)
    return "".join(item.text for item in items if isinstance(item, Chunk)), items[-1]


async def ready(engine: ProcessEngine) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while engine.state != "ready":
            await asyncio.sleep(0.01)


async def drain(stream: AsyncIterator[EngineItem]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for _ in stream:
            pass


async def gone(process_id: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(process_id, 0)
                await asyncio.sleep(0.02)


async def first(stream: AsyncIterator[EngineItem]) -> EngineItem:
    async with asyncio.timeout(PATIENCE_S):
        return await anext(stream)


def kill(engine: ProcessEngine | ChildProcess, number: int = 9) -> None:
    assert engine.process_id is not None
    os.kill(engine.process_id, number)


@pytest.fixture
async def begin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    """Starts engines of process_makers.py and closes them."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    engines: list[ProcessEngine] = []

    async def start(maker: str = "slow", kind: str = "scripted", **options: Any) -> ProcessEngine:
        options = {"backoff": QUICK, "hang_s": PATIENCE_S, **options}  # a busy machine is no hang
        engines.append(await ProcessEngine.start(kind, made_by=f"process_makers:{maker}", **options))
        return engines[-1]

    yield start
    for engine in engines:
        await engine.close()


async def test_a_reply_is_what_the_engine_says_piece_by_piece(begin: Begin) -> None:
    engine = await begin("talkative")
    text, end = await read(engine)
    assert text == "".join(f"w{number} " for number in range(3000))
    assert (end.finish_reason, end.usage.completion_tokens) == ("stop", 3001)  # a blank stands at the end
    assert engine.info.context_tokens == 8192
    assert isinstance(engine, Engine)


async def test_many_streams_do_not_mix(begin: Begin) -> None:
    engine = await begin("talkative")
    told = await asyncio.gather(*(read(engine, f"r{number}") for number in range(20)))
    assert len({text for text, _ in told}) == 1


async def test_a_listener_that_is_slow_has_one_piece_waiting(begin: Begin, tmp_path: Path) -> None:
    engine = await begin("patient", waits_for=str(tmp_path / "go on"))
    stream = engine.stream(ask())
    pieces = [await first(stream)]
    (tmp_path / "go on").touch()
    async with asyncio.timeout(PATIENCE_S):
        while not next(iter(engine._runs.values())).is_ended:
            await asyncio.sleep(0.01)
    pieces += [item async for item in stream]
    assert len(pieces) == 3, "what came first, all that came since, and the end"


async def test_loading_is_told_and_what_the_child_prints_disturbs_nobody(begin: Begin) -> None:
    told: list[tuple[int, int, str]] = []
    engine = await begin("slow", on_progress=lambda *progress: told.append(progress))
    assert told == [(1, 2, "words"), (2, 2, "scripted")]
    stream = engine.stream(ask())
    assert isinstance(await first(stream), Chunk)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_an_error_of_the_model_arrives_as_itself(begin: Begin) -> None:
    engine = await begin("wrong")
    with pytest.raises(PromptTooLong, match="too long by far") as caught:
        await read(engine)
    assert caught.value.hint == "shorten it"
    assert engine.restarts == 0


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        pytest.param("no/such/folder", SettingsError, "neither a kind nor a folder", id="no folder"),
        pytest.param(str(HERE), ModelFormatError, "config.json", id="no model"),
    ],
)
async def test_a_model_that_cannot_be_loaded_raises_what_it_would_here(
    kind: str, error: type[NpcError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await ProcessEngine.start(kind)


async def test_a_process_that_dies_while_it_loads_is_told(begin: Begin) -> None:
    with pytest.raises(EngineCrashed, match="exit code 7"):
        await begin("fatal")


async def test_a_cancel_ends_a_run_with_its_usage(begin: Begin) -> None:
    engine = await begin()
    stream = engine.stream(ask())
    await first(stream)
    engine.cancel("r")
    engine.cancel("nobody")
    rest = [item async for item in stream]
    assert isinstance(rest[-1], Generated)
    assert rest[-1].finish_reason == "cancelled"


async def test_a_cancel_reaches_a_run_whose_id_an_earlier_one_has_to_let_go_of(begin: Begin) -> None:
    engine = await begin()
    dropped = engine.stream(ask())
    await first(dropped)
    await dropped.aclose()  # type: ignore[attr-defined]
    stream = engine.stream(ask())
    item = asyncio.ensure_future(first(stream))
    await asyncio.sleep(0)
    engine.cancel("r")
    items = [await item, *[more async for more in stream]]
    assert isinstance(items[-1], Generated)
    assert items[-1].finish_reason == "cancelled"
    assert (await first(engine.stream(ask()))) is not None, "the next run of that id is none of its business"


async def test_an_id_is_taken_while_its_run_lives_and_free_as_soon_as_nobody_listens(begin: Begin) -> None:
    engine = await begin()
    for _ in range(3):
        stream = engine.stream(ask())
        await first(stream)
        with pytest.raises(DuplicateRequest):
            await first(engine.stream(ask()))
        await stream.aclose()  # type: ignore[attr-defined]
    assert not engine.has_runs


async def test_a_run_that_nobody_hears_ends_in_the_child_too(begin: Begin) -> None:
    engine = await begin()
    stream = engine.stream(ask())
    await first(stream)
    async with asyncio.timeout(PATIENCE_S):
        while not engine.stats().running:
            await asyncio.sleep(0.01)
        await stream.aclose()  # type: ignore[attr-defined]
        while engine.stats().running:
            await asyncio.sleep(0.01)


async def test_what_is_only_told_reaches_the_child_and_breaks_nothing(begin: Begin) -> None:
    engine = await begin("talkative")
    engine.note_frame(0.02)
    engine.forget((Segment("a"),), (Segment("b"),))
    assert (await engine.prefill(PrefillRequest("p", (Segment("a"),)))).prompt_tokens == 0
    assert (await read(engine))[1].finish_reason == "stop"


async def test_a_killed_process_ends_every_run_at_once_and_comes_back(begin: Begin) -> None:
    engine = await begin()
    streams = [engine.stream(ask(f"r{number}")) for number in range(5)]
    for stream in streams:
        await first(stream)
    before = engine.process_id
    kill(engine)
    for stream in streams:
        with pytest.raises(EngineCrashed, match=r"SIGKILL.*ask again in about"):
            await drain(stream)
    with pytest.raises(EngineCrashed, match="started anew"):
        await first(engine.stream(ask()))
    with pytest.raises(EngineCrashed):
        await engine.prefill(PrefillRequest("p", (Segment("a"),)))
    engine.forget((Segment("a"),))
    engine.note_frame(0.02)
    engine.cancel("r")
    await ready(engine)
    assert isinstance(await first(engine.stream(ask())), Chunk)
    assert (engine.restarts, engine.process_id == before) == (1, False)


@posix_only
async def test_a_process_that_stands_still_is_given_up(begin: Begin) -> None:
    engine = await begin(hang_s=2.0)
    kill(engine, signal.SIGSTOP)
    with pytest.raises(EngineCrashed, match="no sign of life"):
        await first(engine.stream(ask()))
    await ready(engine)
    assert isinstance(await first(engine.stream(ask())), Chunk)


async def test_a_model_whose_thread_has_died_gets_a_new_process(begin: Begin) -> None:
    engine = await begin("broken")
    with pytest.raises(EngineCrashed, match="is closed"):
        await read(engine)
    async with asyncio.timeout(PATIENCE_S):
        while not engine.restarts:
            await asyncio.sleep(0.01)


async def test_a_process_that_talks_nonsense_gets_a_successor(begin: Begin) -> None:
    engine = await begin("garbled")
    with pytest.raises(EngineCrashed, match="understand each other"):
        await drain(engine.stream(ask()))
    await ready(engine)
    assert engine.restarts == 1


async def test_the_model_is_not_handed_the_servers_token(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPC_SERVER_TOKEN", "s3cret")
    assert (await read(await begin("discreet")))[0] == "none"


async def test_after_loads_that_failed_nothing_is_tried_until_somebody_asks(begin: Begin, tmp_path: Path) -> None:
    file = tmp_path / "in the way"
    engine = await begin("moody", in_the_way=str(file))
    file.touch()
    kill(engine)
    async with asyncio.timeout(PATIENCE_S):
        while engine.state != "down":
            await asyncio.sleep(0.01)
    file.unlink()
    await asyncio.sleep(3 * QUICK.most_s)
    assert (engine.state, engine.restarts) == ("down", LOADS)
    with pytest.raises(EngineCrashed, match=f"{LOADS} times in a row: not today"):
        await read(engine)
    await ready(engine)
    assert (await read(engine))[0] == "Fine."


async def test_a_close_ends_the_process_and_the_runs(begin: Begin) -> None:
    engine = await begin()
    stream = engine.stream(ask())
    await first(stream)
    number = engine.process_id
    assert number is not None
    await engine.close()
    with pytest.raises(EngineCrashed, match="closed while it answered"):
        await drain(stream)
    with pytest.raises(EngineCrashed, match="is closed"):
        await first(engine.stream(ask()))
    await gone(number)
    await engine.close()
    assert len(asyncio.all_tasks()) == 1, "the test's own"


async def test_a_close_during_a_pause_or_a_load_leaves_nothing(begin: Begin) -> None:
    for pause_s in (30.0, 0.0):
        engine = await begin(backoff=Backoff(first_s=pause_s))
        kill(engine)
        async with asyncio.timeout(PATIENCE_S):
            while engine.state != ("backing_off" if pause_s else "loading"):
                await asyncio.sleep(0)
        await engine.close()
    assert len(asyncio.all_tasks()) == 1, "the test's own"


PARENT = """
import asyncio, os
from npc_sdk.engine.process.engine import ProcessEngine
async def main():
    engine = await ProcessEngine.start("scripted")
    print(engine.process_id, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


@posix_only
async def test_the_child_dies_with_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await parent.communicate()
    await gone(int(told))
