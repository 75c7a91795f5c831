"""An NPC whose model is away says one of its barks, and nobody remembers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from npc_sdk.cli.terminal import Terminal
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import (
    DeadlineMissed,
    EngineCrashed,
    EngineError,
    NpcError,
    Overloaded,
    PromptTooLong,
    ReplyTimeout,
    RequestError,
)
from npc_sdk.events import ReplyFailed
from npc_sdk.lore.content import WorldContent
from npc_sdk.session.bark import Barks
from npc_sdk.world import World

from .stage import MARA, PIP, WORLD, end_of, failure_of, hear

LINES = ("Not now.", "Hm.", "Leave me be.")


def world_of(engine: ScriptedEngine, lines: Sequence[str] = LINES) -> World:
    mara = MARA.model_copy(update={"barks": tuple(lines)})
    return World(WorldContent(WORLD, {"mara": mara, "pip": PIP}, (), Path()), engine)


def failing(error: NpcError, *, after: int = 0) -> ScriptedEngine:
    return ScriptedEngine("One two three.", fail_after=after, error=error)


@pytest.mark.parametrize("error", [EngineCrashed("x"), EngineError("x"), Overloaded("x"), ReplyTimeout("x")])
async def test_a_reply_that_fails_for_want_of_a_model_brings_a_bark(error: NpcError) -> None:
    session = world_of(failing(error)).talk("mara")
    end = failure_of(await hear(session))
    assert end.bark in LINES
    assert end.error is error
    assert len(session.history) == 1, "the greeting"


@pytest.mark.parametrize("error", [RequestError("x"), PromptTooLong("x"), DeadlineMissed("x")])
async def test_a_callers_mistake_and_a_late_reply_bring_none(error: NpcError) -> None:
    assert failure_of(await hear(world_of(failing(error)).talk("mara"))).bark == ""


async def test_who_has_spoken_already_does_not_bark() -> None:
    end = failure_of(await hear(world_of(failing(EngineCrashed("x"), after=2)).talk("mara")))
    assert end.text == "One two"
    assert end.bark == ""


async def test_a_value_that_nobody_hears_is_not_replaced() -> None:
    session = world_of(failing(EngineCrashed("x"))).talk("mara")
    assert failure_of(await hear(session, json_schema={"type": "string"})).bark == ""


async def test_who_has_no_barks_stays_silent() -> None:
    assert failure_of(await hear(world_of(failing(EngineCrashed("x"))).talk("pip"))).bark == ""


async def test_barks_take_turns_over_all_sessions_of_an_npc_and_an_edit() -> None:
    world = world_of(failing(EngineCrashed("x")))
    told: list[str] = []
    for number in range(7):
        told.append(failure_of(await hear(world.talk("mara", player=f"P{number}"))).bark)
        if number == 3:
            edited = world.content.personas["mara"].model_copy(update={"goals": ("Rest.",)})
            personas = {**world.content.personas, "mara": edited}
            world.adopt(world.prepare(dataclasses.replace(world.content, personas=personas)))
    assert set(told) == set(LINES)
    assert all(before != after for before, after in pairwise(told))


async def test_a_cancelled_reply_barks_at_nobody() -> None:
    session = world_of(failing(EngineCrashed("x"))).talk("mara")
    stream = session.say("Hello", request_id="r1")
    session.cancel("r1")
    assert end_of([event async for event in stream]).finish_reason == "cancelled"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        pytest.param((), {""}, id="none"),
        pytest.param(("a",), {"a"}, id="one"),
        pytest.param(("a", "a", "b"), {"a", "b"}, id="twice the same"),
    ],
)
def test_any_number_of_lines_will_do(lines: tuple[str, ...], wanted: set[str]) -> None:
    barks = Barks()
    told = [barks.next("mara", lines) for _ in range(6)]
    assert set(told) == wanted
    assert len(wanted) == 1 or all(before != after for before, after in pairwise(told))


def test_those_who_share_their_lines_do_not_bark_in_chorus() -> None:
    lines = tuple("abcdefgh")
    assert len({Barks().next(f"villager-{number}", lines) for number in range(20)}) > 1


def test_the_terminal_shows_a_bark_as_the_npcs_line(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal("Mara", Console(highlight=False)).show(ReplyFailed("r1", EngineCrashed("gone"), "", "Not now."))
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["Mara: Not now.", "  gone"]
