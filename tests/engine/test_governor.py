"""The governor on a clock of its own, beside a game that is made late by an engine that works too much."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from npc_sdk.engine.local.governor import CORE_BACK_S, LARGEST_REST_S, Governor
from npc_sdk.engine.local.pace import Pace
from npc_sdk.requests import Priority
from npc_sdk.settings import GovernorSettings

FRAME_S = 1 / 60


@dataclass
class Clock:
    """Time that passes when told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Evening:
    """A game at 60 frames a second beside an engine that always has a layer to compute.

    is_late says of an engine's share of a frame, with so many threads, whether it makes the frame late.
    """

    is_late: Callable[[float, int], bool]
    threads: int = 2
    layer_s: float = 0.0017
    settings: GovernorSettings = field(default_factory=GovernorSettings)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.governor = Governor(self.settings, self.threads, clock=self.clock)
        self.worked_s = 0.0
        self.frames: list[float] = []
        self._pace = Pace(self.governor, set_threads=lambda _count: None, clock=self.clock, sleep=self.clock.sleep)

    def play(self, seconds: float) -> float:
        """Runs both; the part of that time that the engine worked."""
        end, worked_before = self.clock.now + seconds, self.worked_s
        while self.clock.now < end:
            self._frame()
        return (self.worked_s - worked_before) / seconds

    def _frame(self) -> None:
        begin, worked = self.clock.now, 0.0
        threads = self.governor.threads()
        with self._pace.step(1):
            while self.clock.now - begin < FRAME_S:
                self.clock.now += self.layer_s
                worked += self.layer_s
                self._pace.between_layers()
        self.worked_s += worked
        share = worked / (self.clock.now - begin)
        self.frames.append(0.03 if self.is_late(share, threads) else FRAME_S)
        self.governor.note_frame(self.frames[-1])

    def late_share(self, last: int) -> float:
        """The part of the last frames that was late."""
        return sum(frame > 0.02 for frame in self.frames[-last:]) / last


def test_without_reports_nothing_is_held_back() -> None:
    governor = Governor(GovernorSettings(), 2, clock=Clock())
    assert governor.rest_s(0.05) == 0
    assert governor.chunk_tokens(192) == 192
    assert governor.threads() == 2
    assert all(governor.may_start(priority) for priority in Priority)
    assert not governor.stats().is_throttling


def test_a_game_in_time_is_given_nothing() -> None:
    evening = Evening(lambda _share, _threads: False)
    assert evening.play(5) > 0.95
    assert (evening.governor.stats().slowdowns, evening.governor.stats().threads) == (0, 2)


def test_a_core_is_given_before_time_is() -> None:
    evening = Evening(lambda _share, threads: threads > 1)
    worked = evening.play(60)
    stats = evening.governor.stats()
    assert (stats.share, stats.threads, stats.is_throttling) == (1.0, 1, True)
    assert worked > 0.95
    assert evening.late_share(3600) < 0.01


@pytest.mark.parametrize("bearable", [0.4, 0.5, 0.65, 0.8, 0.9])
def test_late_frames_stay_under_one_percent_at_most_of_the_bearable_speed(bearable: float) -> None:
    evening = Evening(lambda share, _threads: share > bearable, threads=1)
    evening.play(10)
    worked = evening.play(60)
    assert evening.late_share(3600) < 0.01
    assert worked > 0.75 * bearable


def test_a_reply_keeps_its_least_share_however_late_frames_are() -> None:
    settings = GovernorSettings(min_share=0.4)
    evening = Evening(lambda _share, _threads: True, settings=settings)
    evening.play(5)
    assert evening.play(30) == pytest.approx(0.4, abs=0.06)
    assert evening.governor.stats().share >= 0.4


def test_recovers_within_seconds_once_frames_are_in_time() -> None:
    is_heavy = True
    evening = Evening(lambda _share, _threads: is_heavy)
    evening.play(5)
    assert evening.governor.stats().share < 0.4
    is_heavy = False
    evening.play(15)
    assert evening.governor.stats().share == 1
    evening.play(CORE_BACK_S + 1)
    stats = evening.governor.stats()
    assert (stats.is_throttling, stats.threads, stats.recoveries) == (False, 2, 1)


def test_a_core_that_was_missed_at_once_is_tried_again_ever_later() -> None:
    evening = Evening(lambda _share, threads: threads > 1)
    retaken_at = []
    for _ in range(60 * 100):
        before = evening.governor.stats().threads
        evening.play(FRAME_S)
        if evening.governor.stats().threads > before:
            retaken_at.append(evening.clock.now)
    waits = [later - sooner for sooner, later in itertools.pairwise(retaken_at)]
    assert len(waits) >= 2
    assert all(later > 1.5 * sooner for sooner, later in itertools.pairwise(waits))


def test_a_game_that_falls_silent_gets_nothing_kept_back() -> None:
    evening = Evening(lambda _share, _threads: True)
    evening.play(3)
    governor = evening.governor
    assert governor.rest_s(0.01) > 0
    evening.clock.now += 1.1
    assert governor.rest_s(0.01) == 0
    assert governor.threads() == 2
    assert governor.may_start(Priority.BACKGROUND)
    assert not governor.stats().is_throttling


def test_background_waits_first_then_ambient_and_a_players_reply_never() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(), 1, clock=clock)
    seen = []
    for _ in range(4):
        seen.append(tuple(governor.may_start(priority) for priority in Priority))
        governor.rest_s(0.01)
        governor.note_frame(0.04)
        clock.now += 0.15
    assert seen == [(True,) * 4, (True, True, True, False), (True, True, True, False), (True, True, False, False)]


def test_chunks_shrink_with_the_share_but_not_below_the_least() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(min_chunk_tokens=64), 1, clock=clock)
    sizes = []
    for _ in range(12):
        sizes.append(governor.chunk_tokens(192))
        governor.rest_s(0.01)
        governor.note_frame(0.04)
        clock.now += 0.15
    assert sizes[0] == 192
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 64 == governor.stats().chunk_tokens
    assert governor.chunk_tokens(10) == 10


def test_frames_that_are_late_without_the_engine_are_not_its_fault() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(), 1, clock=clock)
    for _ in range(200):  # a game of 30 frames a second, the engine silent
        clock.now += 1 / 30
        governor.note_frame(1 / 30)
    assert governor.stats().late_frames == 0
    for _ in range(30):
        governor.rest_s(0.03)
        clock.now += 1 / 30
        governor.note_frame(1 / 30)
    assert governor.stats().late_frames == 0
    governor.rest_s(0.03)
    governor.note_frame(0.05)
    assert governor.stats().late_frames == 1


def test_one_long_hitch_of_a_silent_engine_hardly_moves_what_counts_as_late() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(), 1, clock=clock)
    before = governor.stats().budget_s
    governor.note_frame(0.9)
    assert governor.stats().budget_s < 1.1 * before


@pytest.mark.parametrize("frame_s", [0.0, -1.0, float("nan"), float("inf"), 30.0])
def test_a_frame_that_says_nothing_is_not_counted(frame_s: float) -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(), 1, clock=clock)
    governor.rest_s(0.01)
    governor.note_frame(frame_s)
    assert governor.stats().frames == 0
    assert governor.rest_s(0.01) == 0


def test_switched_off_it_does_nothing() -> None:
    evening = Evening(lambda _share, _threads: True, settings=GovernorSettings(is_on=False))
    assert evening.play(3) > 0.95
    assert evening.governor.stats().frames == 0


def test_sleeps_that_systems_round_up_are_set_off_against_later_ones() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(min_share=0.5), 1, clock=clock)
    pace = Pace(governor, clock=clock, sleep=lambda seconds: clock.sleep(max(seconds, 0.0156)))  # an old Windows
    governor.rest_s(0.001)
    started, worked = clock.now, 0.0
    for step in range(3000):
        clock.now += 0.001
        worked += 0.001
        pace.between_layers()
        if step % 20 == 0:
            governor.note_frame(0.05)
    assert worked / (clock.now - started) == pytest.approx(0.5, abs=0.05)


def test_no_rest_is_longer_than_a_player_would_wait() -> None:
    clock = Clock()
    governor = Governor(GovernorSettings(min_share=0.05), 1, clock=clock)
    for _ in range(20):
        governor.rest_s(0.5)
        governor.note_frame(0.05)
        clock.now += 0.15
    assert governor.rest_s(0.5) == LARGEST_REST_S


def test_frames_may_be_reported_while_the_model_works() -> None:
    governor = Governor(GovernorSettings(), 2)
    stop = threading.Event()

    def game() -> None:
        while not stop.is_set():
            governor.note_frame(0.03)

    thread = threading.Thread(target=game)
    thread.start()
    shares = []
    for _ in range(2000):
        assert 0 <= governor.rest_s(0.001) <= LARGEST_REST_S
        governor.note_rest(0.001)
        shares.append(governor.stats().share)
    stop.set()
    thread.join()
    stats = governor.stats()
    assert stats.late_frames <= stats.frames
    assert all(0.25 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    "values", [{"min_share": 0}, {"min_share": 1.1}, {"frame_budget_s": 0}, {"tolerance": 0.9}, {"min_chunk_tokens": 0}]
)
def test_bounds_are_checked(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GovernorSettings.model_validate(values)
