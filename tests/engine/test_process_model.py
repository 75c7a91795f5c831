"""A real model in its own process says what it would say here, and the server's process stays free of torch."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npc_sdk.cli.assembly import open_isolated_engine, open_isolated_world
from npc_sdk.engine.interface import Chunk, Engine, Generated
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.process.counter import token_counter
from npc_sdk.engine.process.engine import ProcessEngine
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import PromptTooLong, RequestError, SettingsError
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint, GenerateRequest, PrefillRequest, Sampling, Segment
from npc_sdk.settings import EngineSettings, Settings, bundled_personas, model_folder

from .conftest import Zoo
from .streams import PROMPT, Start

SEGMENTS = (Segment(PROMPT, is_trusted=True),)
TOOL = ToolSpec("nod", "Nod.", {"type": "object", "properties": {"how": {"enum": ["deeply", "twice"]}}})
REQUESTS = {
    "greedy": GenerateRequest("r", SEGMENTS, sampling=Sampling(temperature=0, max_new_tokens=24)),
    "seeded": GenerateRequest("r", SEGMENTS, sampling=Sampling(temperature=1.0, max_new_tokens=24, seed=7)),
    "constrained": GenerateRequest(
        "r", SEGMENTS, sampling=Sampling(max_new_tokens=60, seed=3), constraint=Constraint((TOOL,), "required")
    ),
    "a value": GenerateRequest(
        "r",
        SEGMENTS,
        sampling=Sampling(max_new_tokens=60, seed=3),
        constraint=Constraint(json_schema={"type": "object", "properties": {"a": {"type": "boolean"}}}),
    ),
}


async def said(engine: Engine, request: GenerateRequest) -> tuple[str, Any, Any]:
    items = [item async for item in engine.stream(request)]
    end = items[-1]
    assert isinstance(end, Generated)
    text = "".join(item.text for item in items if isinstance(item, Chunk))
    return text, end.finish_reason, (end.usage.prompt_tokens, end.usage.completion_tokens)


async def test_the_child_says_keeps_and_refuses_what_the_model_would_here(
    zoo: Zoo, start: Start, tmp_path: Path
) -> None:
    folder = zoo.int4("nemotron")[0]
    here = start("nemotron")
    there = await ProcessEngine.start(str(folder), device="cpu", dtype="float32", threads=1, hang_s=60.0)
    try:
        assert there.info == here.info
        for request in REQUESTS.values():
            assert await said(there, request) == await said(here, request)
        long = GenerateRequest("long", (Segment("hello " * 4000),))
        with pytest.raises(PromptTooLong):
            await said(there, long)
        with pytest.raises(RequestError, match="half a character"):
            await said(there, GenerateRequest("half", (Segment("\ud83d"),)))
        front = PrefillRequest("f", (Segment(PROMPT * 3, is_trusted=True),), snapshot=tmp_path / "a" / "mara.front")
        usage = await there.prefill(front)
        assert usage.prompt_tokens > 0
        assert front.snapshot is not None
        assert front.snapshot.is_file()
        while not there.stats().steps:  # its next beat tells
            await asyncio.sleep(0.01)
    finally:
        await there.close()


async def test_a_model_shows_life_with_every_layer_and_while_it_does_a_job(start: Start) -> None:
    engine = start("nemotron")
    await said(engine, REQUESTS["greedy"])
    stats = engine.stats()
    layers = engine.prefix_cache._pool.shape.layers
    assert stats.life.progress >= stats.steps * layers > 0
    assert stats.life.layer_s > 0
    is_working, may_end = threading.Event(), threading.Event()

    def work(_runner: object) -> None:
        is_working.set()
        may_end.wait(60)

    job = engine._worker.call(work)
    assert await asyncio.to_thread(is_working.wait, 60)
    assert engine.stats().life.has_job
    may_end.set()
    await asyncio.wrap_future(job)
    await asyncio.wrap_future(engine._worker.call(lambda _: None))
    assert engine.stats().life.progress > stats.life.progress


@pytest.fixture(scope="module")
def counts() -> Iterator[tuple[Callable[[list[Segment]], int], LocalEngine]]:
    """The parent's count, and the model's own."""
    engine = LocalEngine.load(model_folder("hearth"), device="cpu")
    yield token_counter("hearth"), engine
    asyncio.run(engine.close())


TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(["<extra_id_1>", "<toolcall>", "  ", "\n\n", "Grüße", "🙂", "<|im_end|>", "a\u0301"]),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.builds(Segment, TEXTS, st.booleans()), max_size=6))
def test_the_parent_counts_as_the_model_does(
    counts: tuple[Callable[[list[Segment]], int], LocalEngine], segments: list[Segment]
) -> None:
    parent, engine = counts
    assert parent(segments) == engine.count_tokens(segments)


async def test_models_go_into_processes_unless_the_settings_keep_them_here(zoo: Zoo) -> None:
    folder = str(zoo.int4("nemotron")[0])
    cases = ((True, folder, ProcessEngine), (False, folder, LocalEngine), (True, "scripted", ScriptedEngine))
    for isolated, model, kind in cases:
        chosen = Settings(engine=EngineSettings(model=model, isolated=isolated, threads=1))
        engine = await open_isolated_engine(chosen, model=model)
        await engine.close()
        assert type(engine) is kind


async def test_a_second_model_that_cannot_be_loaded_leaves_no_process(zoo: Zoo, tmp_path: Path) -> None:
    personas = tmp_path / "personas"
    shutil.copytree(bundled_personas(), personas)
    with (personas / "pip" / "persona.yaml").open("a", encoding="utf-8") as file:
        file.write("model: other\n")
    chosen = Settings(
        engine=EngineSettings(model=str(tmp_path / "none"), threads=1),
        models={"other": str(zoo.int4("nemotron")[0])},
        personas=personas,
    )
    told: list[str] = []
    with pytest.raises(SettingsError, match="neither a kind nor a folder"):
        await open_isolated_world(chosen, lambda _done, _total, what: told.append(what), seed=None)
    assert "head" in told, "the other model was loaded"
    assert len(asyncio.all_tasks()) == 1, "the test's own"


FREE = """
import asyncio, sys
from npc_sdk.cli.assembly import open_isolated_world, read_settings
async def main():
    world = await open_isolated_world(read_settings(None, engine="hearth"), seed=1)
    text = ""
    async for event in world.talk("pip").say("Hello."):
        text = getattr(event, "text", "")
    await world.close()
    assert text, event
    print(sorted({"torch", "transformers"} & set(sys.modules)))
asyncio.run(main())
"""


def test_a_served_world_loads_no_torch_in_its_own_process() -> None:
    done = subprocess.run([sys.executable, "-c", FREE], capture_output=True, text=True, check=False, timeout=100)
    assert (done.stdout, done.stderr) == ("[]\n", "")
