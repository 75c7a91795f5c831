"""The scripted engine behaves like a real one, without a model."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from npc_sdk.engine.interface import Chunk, Engine, EngineItem, Generated
from npc_sdk.engine.scripted import KEPT, ScriptedEngine
from npc_sdk.errors import DuplicateRequest, EngineCrashed, Overloaded, PromptTooLong, ReplyTimeout, SettingsError
from npc_sdk.messages import Message, ToolResult
from npc_sdk.requests import GenerateRequest, Sampling, Segment
from tests.own_time import in_own_time


def ask(text: str = "hello", name: str = "r", *, deadline_s: float | None = None, **sampling: Any) -> GenerateRequest:
    messages = (Message("system", "you are Mara"), Message("user", text))
    return GenerateRequest(name, (Segment(text),), messages, sampling=Sampling(**sampling), deadline_s=deadline_s)


async def listen(engine: Engine, request: GenerateRequest, said: list[EngineItem]) -> None:
    """Keeps what was said even where the stream ends in an error."""
    async for item in engine.stream(request):
        said.append(item)


async def collect(engine: Engine, request: GenerateRequest) -> tuple[str, Generated]:
    items = [item async for item in engine.stream(request)]
    end = items.pop()
    assert isinstance(end, Generated)
    assert all(isinstance(item, Chunk) for item in items)
    return "".join(item.text for item in items if isinstance(item, Chunk)), end


@pytest.mark.parametrize(
    "text",
    [
        "Well met.",
        " two  spaces\nand a line ",
        'I will. <toolcall> {"name": "give", "arguments": {"n": 2}} </toolcall>',
        "",
    ],
)
async def test_the_reply_comes_out_exactly(text: str) -> None:
    engine = ScriptedEngine(text)
    said, end = await collect(engine, ask())
    assert (said, end.finish_reason) == (text, "stop")
    assert end.usage.completion_tokens == engine.count_tokens([Segment(text)])
    assert isinstance(engine, Engine)


async def test_a_list_is_said_in_order_and_then_runs_out() -> None:
    engine = ScriptedEngine(["one", "two"])
    assert [(await collect(engine, ask()))[0] for _ in range(2)] == ["one", "two"]
    with pytest.raises(SettingsError, match="2 replies"):
        await collect(engine, ask())
    assert len(engine.requests) == 3


RULES = [("WORK", "There is."), (re.compile(r"give_item (refused|invalid)"), "Pity."), ("", "Hm.")]


@pytest.mark.parametrize(
    ("heard", "reply"), [("Any work for me?", "There is."), ("nice day", "Hm.")], ids=["substring", "all else"]
)
async def test_the_first_rule_that_fits_answers(heard: str, reply: str) -> None:
    assert (await collect(ScriptedEngine(RULES), ask(heard)))[0] == reply


async def test_rules_see_the_last_tool_result() -> None:
    result = ToolResult("c1", "give_item", "refused", "bag full")
    messages = (Message("user", "work?"), Message("assistant", "Here."), Message("tool", "", tool_result=result))
    request = GenerateRequest("r", (Segment("x"),), messages)
    assert (await collect(ScriptedEngine(RULES), request))[0] == "Pity."


async def test_rules_may_be_a_mapping_and_unmatched_words_are_an_error() -> None:
    engine = ScriptedEngine({"work": "Yes."})
    assert (await collect(engine, ask("work")))[0] == "Yes."
    with pytest.raises(SettingsError, match="'goodbye'"):
        await collect(engine, ask("goodbye"))


async def test_a_function_sees_the_request() -> None:
    engine = ScriptedEngine(lambda request: f"{request.request_id}, {len(request.messages)}")
    assert (await collect(engine, ask(name="q7")))[0] == "q7, 2"


@pytest.mark.parametrize("script", [[], ["a", ("b", "c")], {}], ids=["empty", "mixed", "empty mapping"])
def test_a_wrong_script_is_refused(script: Any) -> None:
    with pytest.raises(SettingsError, match="script"):
        ScriptedEngine(script)


async def test_stop_strings_and_limits_hold() -> None:
    engine = ScriptedEngine("one two three four")
    assert (await collect(engine, ask(stop=("three", "four"))))[0] == "one two "
    text, end = await collect(engine, ask(max_new_tokens=2))
    assert (text, end.finish_reason, end.usage.completion_tokens) == ("one two", "length", 2)
    with pytest.raises(PromptTooLong):
        await collect(ScriptedEngine("x", context_tokens=3), ask("one two three"))


@in_own_time
async def test_cancel_ends_between_words_even_in_a_long_pause() -> None:
    engine = ScriptedEngine("one two three", delay_s=30.0)
    asyncio.get_running_loop().call_later(0.02, engine.cancel, "r")
    before = time.perf_counter()
    text, end = await collect(engine, ask())
    assert (text, end.finish_reason) == ("", "cancelled")
    assert time.perf_counter() - before < 5
    engine.cancel("r")


@in_own_time
async def test_a_deadline_is_kept() -> None:
    engine = ScriptedEngine("one two three four", delay_s=0.04)
    said: list[EngineItem] = []
    with pytest.raises(ReplyTimeout, match=r"0\.1 s"):
        await listen(engine, ask(deadline_s=0.1), said)
    assert 1 <= len(said) <= 3


@pytest.mark.parametrize("fail_after", [0, 1, 2])
async def test_it_breaks_where_told(fail_after: int) -> None:
    said: list[EngineItem] = []
    with pytest.raises(EngineCrashed):
        await listen(ScriptedEngine("one two", fail_after=fail_after), ask(), said)
    assert len(said) == fail_after
    with pytest.raises(Overloaded):
        await collect(ScriptedEngine("one", fail_after=0, error=Overloaded("full")), ask())


@in_own_time
async def test_close_ends_open_streams_and_refuses_new_ones() -> None:
    engine = ScriptedEngine("one two", delay_s=30.0)
    task = asyncio.ensure_future(collect(engine, ask()))
    await asyncio.sleep(0.02)
    await engine.close()
    with pytest.raises(EngineCrashed):
        await task
    with pytest.raises(EngineCrashed):
        await collect(engine, ask())


async def test_streams_interleave_and_ids_are_unique_while_they_run() -> None:
    engine = ScriptedEngine("a b c")
    order: list[str] = []

    async def take_turn(name: str) -> None:
        async for item in engine.stream(ask(name=name)):
            order.append(name if isinstance(item, Chunk) else name.upper())

    await asyncio.gather(take_turn("x"), take_turn("y"))
    assert order == ["x", "y", "x", "y", "x", "X", "y", "Y"]
    results = await asyncio.gather(*(collect(engine, ask()) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in results] == [tuple, DuplicateRequest]


def test_it_needs_no_torch() -> None:
    modules = "npc_sdk.engine.scripted, npc_sdk.engine.create, npc_sdk.cli.models"
    code = f"import {modules}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_only_the_last_of_very_many_requests_are_kept() -> None:
    engine = ScriptedEngine("Yes.")
    for number in range(KEPT + 10):
        await collect(engine, ask(f"Hello {number}"))
    assert len(engine.requests) == KEPT
    assert engine.requests[-1].messages[-1].text == f"Hello {KEPT + 9}"
