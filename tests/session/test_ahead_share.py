"""Guesses ahead take a share of the loop and no more, however often they are asked for and by however many."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.events import Usage
from npc_sdk.requests import PrefillRequest, Priority, Segment
from npc_sdk.session.ahead import MAX_PASSING, RESTS, Ahead, Guess
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
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
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
async def test_a_few_guesses_after_a_pause_come_at_once() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=3 * COSTS_S * (1 + RESTS))
    for owner in "abcde":
        ahead.expect(owner, CostlyGuess(owner, engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    assert [text for _, text in made] == ["a", "b", "c", "d"]
    await asyncio.sleep(COSTS_S * (1 + RESTS))
    assert [text for _, text in made] == ["a", "b", "c", "d", "e"]
    await ahead.close()


@in_own_time
async def test_everybody_has_their_turn_and_of_each_the_newest_guess_counts() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
    for text in ("a1", "b1", "a2", "c1", "a3", "b2"):
        ahead.expect(text[0], CostlyGuess(text, engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    assert [text for _, text in made] == ["a1"], "the first at once"
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [text for _, text in made] == ["a1", "b2", "a3", "c1"]
    gaps = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(made)]
    assert gaps == pytest.approx([COSTS_S * (1 + RESTS)] * 3, rel=0.1)
    await ahead.close()


@in_own_time
async def test_a_guest_with_many_conversations_has_one_turn_in_two() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
    for number in range(32):
        owner, guess = f"b{number}", CostlyGuess(f"b{number}", engine, made)
        ahead.expect(owner, guess, Priority.NEARBY, guest="bad")  # type: ignore[arg-type]
    for owner in ("g1", "g2"):
        ahead.expect(owner, CostlyGuess(owner, engine, made), Priority.BACKGROUND, guest="good")  # type: ignore[arg-type]
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [text for _, text in made][:6] == ["b0", "b1", "g1", "b2", "g2", "b3"]
    await ahead.close()


@in_own_time
async def test_of_a_guests_guesses_the_higher_class_comes_first() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
    for owner in ("now", "read1", "read2", "typed1", "typed2"):
        priority = Priority.NEARBY if owner.startswith("typed") else Priority.BACKGROUND
        ahead.expect(owner, CostlyGuess(owner, engine, made), priority)  # type: ignore[arg-type]
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [text for _, text in made] == ["now", "typed1", "typed2", "read1", "read2"]
    await ahead.close()


@in_own_time
async def test_a_flood_of_approaches_silences_nobody_elses() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)

    def approach(name: str, guest: str) -> None:
        guess = CostlyGuess(name, engine, made)
        ahead.expect(name, guess, Priority.NEARBY, guest=guest, is_passing=True)  # type: ignore[arg-type]

    for number in range(20):
        for flood in range(200):
            approach(f"bad {number} {flood}", "bad")
        approach(f"good {number}", "good")
        await asyncio.sleep(3 * COSTS_S * (1 + RESTS))
        assert len(list(ahead._wishes)) <= MAX_PASSING
    assert sum(text.startswith("good") for _, text in made) == 20
    await asyncio.sleep(2 * MAX_PASSING * COSTS_S * (1 + RESTS))
    assert not ahead._runs, "what nobody will stop is not kept"
    await ahead.close()


class StandingEngine(ScriptedEngine):
    """Never has a front computed."""

    cancelled = 0

    async def prefill(self, request: PrefillRequest) -> Usage:
        self.prefills.append(request)
        await asyncio.Event().wait()
        return Usage()

    def cancel(self, request_id: str) -> None:
        self.cancelled += 1
        super().cancel(request_id)


@in_own_time
async def test_a_guest_that_walks_past_many_has_the_newest_few_under_way_and_none_once_it_is_gone() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = StandingEngine("Fine."), Ahead(saved_s=0.0)
    for number in range(2 * MAX_PASSING):
        guess = CostlyGuess(f"{number}", engine, made)
        ahead.expect(f"{number}", guess, Priority.NEARBY, guest="one", is_passing=True)  # type: ignore[arg-type]
        await asyncio.sleep(2 * COSTS_S * (1 + RESTS))
    assert len(engine.prefills) == 2 * MAX_PASSING
    assert engine.cancelled == MAX_PASSING
    ahead.expect("other", CostlyGuess("other", engine, made), Priority.NEARBY, guest="two")  # type: ignore[arg-type]
    ahead.expect("late", CostlyGuess("late", engine, made), Priority.NEARBY, guest="one")  # type: ignore[arg-type]
    ahead.depart("one")
    await asyncio.sleep(2 * COSTS_S * (1 + RESTS))
    assert engine.cancelled == 2 * MAX_PASSING
    assert made[-1][1] == "other"
    await ahead.close()


@in_own_time
async def test_who_stops_waits_no_more_and_a_close_leaves_nothing() -> None:
    made: list[tuple[float, str]] = []
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
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
    engine, ahead = ScriptedEngine("Fine."), Ahead(saved_s=0.0)
    ahead.expect("a", CostlyGuess("same", engine, made), Priority.NEARBY)  # type: ignore[arg-type]
    ahead.expect("a", CostlyGuess("old", engine, made), Priority.NEARBY, is_new=True)  # type: ignore[arg-type]
    ahead.expect("a", CostlyGuess("same", engine, made), Priority.BACKGROUND)  # type: ignore[arg-type]
    await asyncio.sleep(10 * COSTS_S * (1 + RESTS))
    assert [request.priority for request in engine.prefills] == [Priority.NEARBY] * 2
    await ahead.close()


def test_a_world_that_goes_on_in_another_loop_guesses_on() -> None:
    engine = ScriptedEngine("Fine.")
    world = make_world(engine, reads_ahead=False)
    world._ahead._saved_s = 0.0  # so that the second waits

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
        ahead = Ahead(saved_s=0.0)
        before_s = time.perf_counter()
        ahead.expect("a", Guess(scene, "Robin", Past()), Priority.NEARBY)
        took_s = time.perf_counter() - before_s
        assert 0 < ahead._rested_s - before_s <= (1 + RESTS) * took_s
        await ahead.close()
        await world.close()

    asyncio.run(hint())
