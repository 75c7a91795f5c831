"""What the game asks of a reply: to call, to call one tool, not to call; and what of it cannot be."""

from __future__ import annotations

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import RequestError
from npc_sdk.requests import Constraint

from .acting import TOOLS, make_market, meet
from .stage import call, end_of, failure_of, hear, make_session, settled

TAKE, WAVE = call("take_item", item="egg"), call("wave", to="Robin")


def named(constraint: Constraint | None) -> tuple[str, ...]:
    assert constraint is not None
    return tuple(spec.name for spec in constraint.tools)


@pytest.mark.parametrize(
    ("choice", "mode", "tools"),
    [
        ("auto", "auto", TOOLS),
        ("required", "required", TOOLS),
        ("take_item", "required", ("take_item",)),
        ("none", "none", ()),
    ],
)
async def test_the_choice_binds_the_first_round(choice: str, mode: str, tools: tuple[str, ...]) -> None:
    session, engine = meet([TAKE, "Fine."])
    events = await hear(session, tool_choice=choice)
    first = engine.requests[0].constraint
    assert first is not None
    assert (first.mode, named(first)) == (mode, tools)
    assert settled(events) == [("take_item", "invalid" if choice == "none" else "accepted")]
    if choice != "none":
        second = engine.requests[1].constraint
        assert second is not None
        assert (second.mode, named(second)) == ("auto", TOOLS)
        assert engine.requests[0].segments[:4] == engine.requests[1].segments[:4]


async def test_an_unconstrained_model_may_call_only_what_is_asked_for() -> None:
    session, _ = meet([WAVE, TAKE + WAVE, WAVE, "Fine."])
    events = await hear(session, tool_choice="take_item")
    assert settled(events)[0] == ("wave", "invalid")
    assert "only take_item" in str(events)


async def test_without_calls_a_reply_is_whole() -> None:
    session, engine = meet([f"No. {TAKE} Later."])
    events = await hear(session, tool_choice="none")
    assert (end_of(events).text, end_of(events).finish_reason) == ("No. Later.", "stop")
    assert len(engine.requests) == 1


async def test_a_choice_that_cannot_be_is_a_typed_failure() -> None:
    engine = ScriptedEngine("Never said.")
    world = make_market(engine)
    world.set_state({"holds": []}, "ilse")
    session = world.talk("ilse")
    for choice, words in (
        ("sing", "cannot call a tool 'sing'"),
        ("fly", "cannot call a tool 'fly'"),
        ("give_item", "cannot call 'give_item' now"),
        ("", "cannot call a tool ''"),
    ):
        failure = failure_of(await hear(session, tool_choice=choice))
        assert type(failure.error) is RequestError
        assert words in str(failure.error)
    assert not engine.requests
    assert "holds" in str(failure_of(await hear(session, tool_choice="give_item")).error)


@pytest.mark.parametrize("choice", ["required", "give_item"])
async def test_a_session_without_rounds_of_calls_cannot_be_asked_for_one(choice: str) -> None:
    session, _ = make_session("Never said.", tool_rounds=0)
    assert "tool_rounds is 0" in str(failure_of(await hear(session, tool_choice=choice)).error)


async def test_nobody_can_be_asked_to_call_without_a_tool() -> None:
    world = make_market(ScriptedEngine("Never said."))
    session = world.talk("ilse")
    scene = session._scene
    object.__setattr__(scene, "belt", type(scene.belt)(scene.persona.model_copy(update={"tools": ()}), scene.world))
    assert "cannot call any tool" in str(failure_of(await hear(session, tool_choice="required")).error)
    object.__setattr__(scene.engine, "_answer", lambda _request: "Fine.")
    assert end_of(await hear(session)).text == "Fine."
