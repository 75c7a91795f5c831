"""Guesses ahead take a share of the loop and no more, however often they are asked for and by however many."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.requests import PrefillRequest, Priority, Segment
from npc_sdk.session.ahead import RESTS, Ahead, Guess
from npc_sdk.session.past import Past
from tests.own_time import in_own_time

from .stage import make_world

COSTS_S = 0.02
HINT_S = 0.001  # as often as the bridge lets anybody send


@dataclass(frozen=True)
class CostlyGuess:
    """Takes the loop for a while of the test's own time."""

    text: str
    engine: ScriptedEngine
    made: list[tuple[float, str]]

    @property
    def scene(self) -> SimpleNamespace:
        return SimpleNamespace(engine=self.engine)

    def request(self, request_id: str, priority: Priority) -> PrefillRequest:
        loop = asyncio.get_running_loop()
        loop._own.skipped_s += COSTS_S  # type: ignore[attr-defined]
        self.made.append((loop.time(), self.text))
        return PrefillRequest(request_id, (Segment(self.text),), priority, 0)


@in_own_time
async def test_a_flood_of_hints_takes_a_share_of_the_loop() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead()
    loop = asyncio.get_running_loop()
    started_s, number = loop.time(), 0
    while loop.time() < started_s + 2.0:
        for owner in range(32):
            number += 1
            ahead.expect(f"s{owner}", CostlyGuess(f"{number}", engine, made), Priority.NEARBY)  # type: ignore[arg-type]
        await asyncio.sleep(HINT_S)
    took_s = loop.time() - started_s
    assert len(made) * COSTS_S <= took_s / (1 + RESTS) + COSTS_S
    assert len(made) * COSTS_S >= 0.9 * took_s / (1 + RESTS), "what was rested from is done"
    await ahead.close()


@in_own_time
async def test_everybody_has_their_turn_and_of_each_the_newest_guess_counts() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead()
    for text in ("a1", "b1", "a2", "c1", "a3", "b2"):
        ahead.expect(text[0], CostlyGuess(text, engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    assert [text for _, text in made] == ["a1"], "the first at once"
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [text for _, text in made] == ["a1", "b2", "a3", "c1"]
    gaps = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(made)]
    assert gaps == pytest.approx([COSTS_S * (1 + RESTS)] * 3, rel=0.1)
    await ahead.close()


@in_own_time
async def test_who_stops_waits_no_more_and_a_close_leaves_nothing() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead()
    for owner in ("a", "b", "c"):
        ahead.expect(owner, CostlyGuess(owner, engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    ahead.stop("b")
    await asyncio.sleep(COSTS_S * RESTS * 1.1)
    assert [text for _, text in made] == ["a", "c"]
    ahead.expect("d", CostlyGuess("d", engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    await ahead.close()
    await asyncio.sleep(1.0)
    assert [text for _, text in made] == ["a", "c"]


@in_own_time
async def test_a_higher_class_and_a_new_approach_outlast_the_hint_that_replaces_them() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead()
    ahead.expect("a", CostlyGuess("same", engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    ahead.expect("a", CostlyGuess("old", engine, made), Priority.NEARBY, is_new=True)  # type: ignore[arg-type]
    ahead.expect("a", CostlyGuess("same", engine, made), Priority.BACKGROUND)  # type: ignore[arg-type]
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [request.priority for request in engine.prefills] == [Priority.NEARBY] * 2
    await ahead.close()


def test_a_world_that_goes_on_in_another_loop_guesses_on() -> None:
    engine = ScriptedEngine("Fine.")
    world = make_world(engine, reads_ahead=False)

    async def hint(player: str) -> None:
        world.approach("mara", player=player)
        world.approach("pip", player=player)
        while world._ahead._wishes:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)

    async def leave_one_waiting() -> None:
        world.approach("mara")
        world.approach("pip")

    asyncio.run(leave_one_waiting())
    before = len(engine.prefills)
    asyncio.run(hint("Robin"))
    assert len(engine.prefills) >= before + 2
    asyncio.run(world.close())


def test_time_is_what_a_guess_takes() -> None:
    """A real one is made up at once, and by the same clock as the loop's."""
    engine = ScriptedEngine("Fine.")
    world = make_world(engine, reads_ahead=False)

    async def hint() -> None:
        scene = world._scene("mara")
        ahead = Ahead()
        before_s = time.perf_counter()
        ahead.expect("a", Guess(scene, "Robin", Past()), Priority.NEARBY)
        took_s = time.perf_counter() - before_s
        assert 0 < ahead._rested_s - before_s <= (1 + RESTS) * took_s
        await ahead.close()
        await world.close()

    asyncio.run(hint())
