"""Steps at a pace: threads set when they change, rests measured, and what a step teaches."""

from __future__ import annotations

from npc_sdk.engine.local.governor import Governor
from npc_sdk.engine.local.pace import Pace
from npc_sdk.settings import GovernorSettings


class Bench:
    """A clock, a governor and a pace over both; what was set and slept is kept."""

    def __init__(self, threads: int) -> None:
        self.now = 50.0
        self.set: list[int] = []
        self.slept: list[float] = []
        self.governor = Governor(GovernorSettings(), threads, clock=lambda: self.now)
        self.pace = Pace(
            self.governor,
            set_threads=self.set.append,
            clock=lambda: self.now,
            sleep=self._sleep,
            idle_cores=lambda: None,
        )

    def step(self, took_s: float, rows: int = 1) -> None:
        with self.pace.step(rows):
            self.now += took_s
            self.pace.between_layers()

    def late_frame(self) -> None:
        """A late frame, long enough after the last to count."""
        self.now += 0.11
        self.governor.rest_s(0.0)
        self.governor.note_frame(0.04)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_threads_are_set_once_and_when_they_change() -> None:
    bench = Bench(2)
    for _ in range(3):
        bench.step(0.01)
    assert bench.set == [2]
    bench.late_frame()
    for _ in range(3):
        bench.step(0.01)
    assert bench.set == [2, 1]


def test_a_core_is_given_in_the_middle_of_a_long_step() -> None:
    bench = Bench(2)
    with bench.pace.step(512):
        bench.now += 0.05
        bench.pace.between_layers()
        assert bench.set == [2]
        bench.governor.note_frame(0.04)
        bench.pace.between_layers()
        assert bench.set == [2, 1]


def test_a_faster_count_is_found_by_the_steps_themselves() -> None:
    bench = Bench(2)
    for _ in range(40):
        bench.step(0.003 if (bench.set or [2])[-1] == 2 else 0.001)
    assert bench.set[:2] == [2, 1]
    assert bench.set.count(1) >= bench.set.count(2) - 1


def test_threads_that_are_nobodys_to_change_are_left_alone() -> None:
    bench = Bench(0)
    for _ in range(40):
        bench.late_frame()
        bench.step(0.003)
    assert bench.set == []
    assert bench.slept, "it gives time instead"


def test_time_outside_steps_is_no_work_to_rest_from() -> None:
    bench = Bench(1)
    bench.late_frame()
    bench.now += 0.5
    bench.step(0.004)
    assert sum(bench.slept) < 0.003


def test_a_step_with_another_in_it_teaches_nothing() -> None:
    bench = Bench(2)
    for _ in range(40):
        with bench.pace.step(1):
            bench.now += 0.003 if bench.set[-1] == 2 else 0.001
            with bench.pace.step(7):
                bench.now += 1.0
    bench.step(0.003)
    assert bench.set[-1] == 2


def test_a_step_with_a_rest_in_it_teaches_nothing() -> None:
    bench = Bench(2)
    for _ in range(6):
        bench.late_frame()
    before = len(bench.set)
    for _ in range(40):
        bench.now += 0.02
        bench.governor.note_frame(1 / 60)
        bench.step(0.02)
    assert len(bench.slept) >= 40
    assert set(bench.set[before:]) == {1}
