"""The count of valid calls must find what is wrong, or it proves nothing; and random weights must leave it nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from npc_sdk.bench.shape import find_shape
from npc_sdk.bench.store import Store
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.evals.validity.check import faults, spoken_json
from npc_sdk.evals.validity.run import MODES, draw_constraint, run
from npc_sdk.evals.validity.tool_set import ToolSet, invented
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small int4 checkpoint of random weights, with the bundled model's vocabulary."""
    return Store(tmp_path_factory.mktemp("random"), find_shape("tiny"), lambda _what: None).int4()


ITEM = {"type": "object", "properties": {"item": {"enum": ["sword"]}}, "required": ["item"]}
TOOLS = ToolSet("set", (ToolSpec("give", "", ITEM), ToolSpec("burn", "", {"type": "object"})), frozenset({"give"}))
AUTO = Constraint(TOOLS.live)


def call(name: str, **arguments: object) -> str:
    return f"<toolcall> {json.dumps({'name': name, 'arguments': arguments})} </toolcall>"


FAULTS = {
    "nothing": ("Take it. " + call("give", item="sword"), AUTO, 1, ""),
    "not allowed": (call("burn"), AUTO, 1, "not allowed"),
    "unknown": (call("fly"), AUTO, 1, "not allowed"),
    "not a live value": (call("give", item="crown"), AUTO, 1, "crown"),
    "an argument missing": (call("give"), AUTO, 1, "required"),
    "a broken call": ('<toolcall> {"name": </toolcall>', AUTO, 0, "malformed"),
    "an unclosed call": (call("give", item="sword")[:30], AUTO, 0, "malformed"),
    "a call where only speech is wanted": (call("give", item="sword"), Constraint(mode="none"), 1, "only speech"),
    "no call where one is wanted": ("No.", Constraint(TOOLS.live, "required"), 0, "required"),
    "a list spoken": ("I have [1, 2] here.", AUTO, 0, "spoke JSON"),
    "no value": ("No.", Constraint(json_schema=ITEM), 0, "no JSON"),
    "a wrong value": ('{"item": "crown"}', Constraint(json_schema=ITEM), 0, "crown"),
    "a right value": ('{"item": "sword"}', Constraint(json_schema=ITEM), 0, ""),
}


@pytest.mark.parametrize(("text", "constraint", "calls", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_each_kind_of_fault_is_found(text: str, constraint: Constraint, calls: int, fault: str) -> None:
    count, found = faults(text, TOOLS, constraint, tool_format("nemotron"))
    assert count == calls
    assert len(found) == bool(fault)
    assert fault in "".join(found)


@pytest.mark.parametrize(
    ("speech", "spoken"),
    [("He {sighs} and [nods].", None), ('Look: {"a": 1}!', '{"a": 1}'), ("[3]", "[3]"), ("", None)],
    ids=["tags", "object", "list", "silence"],
)
def test_spoken_json_is_told_from_tags(speech: str, spoken: str | None) -> None:
    assert spoken_json(speech) == spoken


def test_tool_sets_are_many_and_repeat() -> None:
    sets = [invented(number) for number in range(80)]
    assert sets == [invented(number) for number in range(80)]
    assert len({repr(one.tools) for one in sets}) == 80
    assert any(one.allowed < {tool.name for tool in one.tools} for one in sets)


def test_every_kind_of_constraint_is_drawn() -> None:
    drawn = [draw_constraint(invented(number), random.Random(number)) for number in range(100)]
    assert {one.mode for one in drawn} == {"auto", "required", "none"}
    assert any(one.json_schema for one in drawn)
    assert any(len(one.tools) == 1 and one.mode == "required" for one in drawn)
    assert any(one.speaks_after for one in drawn)
    assert any(one.chained for one in drawn)
    assert set(MODES) == {"auto", "required", "named", "none", "json"}


@pytest.mark.parametrize("dialect", ["nemotron", "hermes", "llama3", "mistral"])
async def test_random_weights_write_nothing_but_speech_and_valid_calls(dialect: str, random_model: Path) -> None:
    engine = LocalEngine.load(random_model, device="cpu", dtype="float32", tool_format=dialect)
    done: list[None] = []
    try:
        tally = await run(engine, [invented(n) for n in range(30)], 60, seed=4, on_done=lambda: done.append(None))
    finally:
        await engine.close()
    assert tally.faults == []
    assert tally.generations == len(done) == 60
    assert tally.calls > 20
