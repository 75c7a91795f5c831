"""Tools that a game declares in Python, from the declaration to the act: only what the game reported can be named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

from npc_sdk import Refuse, ReplyFinished, Toolbox, ToolCall, ToolSettled, World, tool
from npc_sdk.engine.scripted import ScriptedEngine

GIVE = '<toolcall> {"name": "give", "arguments": {"item": "%s"}} </toolcall>'


@tool
async def give(item: Annotated[str, {"from": "state.holds"}]) -> str:
    """Hand over an item you hold."""
    if item == "axe":
        raise Refuse("You need the axe.")
    return f"gave the {item}"


@pytest.fixture
def personas(tmp_path: Path) -> Path:
    for folder in ("world", "ada"):
        (tmp_path / folder).mkdir()
    (tmp_path / "world/world.yaml").write_text("name: W\n", encoding="utf-8")
    persona = "name: Ada\nrole: the miller\nvoice: {style: calm}\ntools: [give]\n"
    (tmp_path / "ada/persona.yaml").write_text(persona, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("item", "settled"),
    [
        pytest.param("loaf", ("accepted", "gave the loaf"), id="held"),
        pytest.param("axe", ("refused", "You need the axe."), id="held, refused by the game"),
        pytest.param("crown", ("invalid", "you cannot give 'crown' now; item can be: loaf, axe"), id="not held"),
    ],
)
async def test_a_function_is_declared_called_and_answered(personas: Path, item: str, settled: tuple[str, str]) -> None:
    box, engine = Toolbox(give), ScriptedEngine([GIVE % item, "So be it."])
    world = World.load(personas, engine, tools=box.specs)
    world.set_state({"holds": ["loaf", "axe"]}, "ada")
    ada, events = world.talk("ada"), []
    async for event in ada.say("Give me that."):
        events.append(event)
        if isinstance(event, ToolCall):
            await box.answer(ada, event.call)
    assert [(e.result.status, e.result.content) for e in events if isinstance(e, ToolSettled)] == [settled]
    assert isinstance(events[-1], ReplyFinished)
    assert events[-1].text.strip() == "So be it."
    assert engine.requests[0].tools[0].parameters["properties"] == {"item": {"type": "string"}}
    await world.close()
