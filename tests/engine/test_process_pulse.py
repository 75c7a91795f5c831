"""A process is given up when it hangs, and not because its machine is slow."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from npc_sdk.engine.process.pulse import (
    BEAT_S,
    FLOOR_S,
    IDLE_S,
    JOB_S,
    LOADING_S,
    PATIENCE,
    SILENCE_S,
    WARMUP_S,
    Pulse,
)
from npc_sdk.engine.process.supervisor import Backoff
from npc_sdk.engine.stats import KEPT_LAYERS, NARROW_ROWS, Life, LifeStats

LAYERS = 5
TOLD_S = 2.0  # for a hang to be told


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Model:
    """A child whose layers take what they are told to, and the pulse that hears its beats."""

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.clock = Clock()
        self.life = Life(self.clock)
        self.is_busy = True
        self._next_s = BEAT_S

    def wait(self, for_s: float, *, is_starved: bool = False) -> str:
        """Time passes, with beats unless the process has no core; the first fault on the way, or ""."""
        until_s = self.clock.now + for_s
        while self.clock.now < until_s - 1e-9:
            now = self.clock.now = min(until_s, self._next_s)
            if now == self._next_s:
                self._next_s += BEAT_S
                if not is_starved:
                    self.beat()
            if fault := self.pulse.fault(now, has_runs=True):
                return fault
        return ""

    def beat(self) -> None:
        now = self.clock.now
        self.pulse.hear(now)
        self.pulse.beat(now, now, self.life.snapshot(), is_busy=self.is_busy)

    def step(self, rows: int, layer_s: float) -> str:
        """One step, layer by layer; the first fault on the way, or ""."""
        with self.life.step(rows):
            for _ in range(LAYERS):
                if fault := self.wait(layer_s):
                    return fault
                self.life.note_layer()
        return ""


def loaded(hang_s: float | None = None) -> Pulse:
    pulse = Pulse(hang_s)
    pulse.begin(0.0)
    pulse.note_loaded()
    return pulse


def practised(*, narrow_s: float = 0.01, wide_s: float = 0.02) -> Model:
    """A model that has made a whole reply."""
    model = Model(loaded())
    faults = [model.step(NARROW_ROWS + 1, wide_s) for _ in range(20)] + [model.step(1, narrow_s) for _ in range(20)]
    model.beat()
    assert not any(faults)
    model.pulse.note_end()
    return model


def beats(
    pulse: Pulse, progress: Iterable[int], *, start: float = 0.0, is_busy: bool = True, job: bool = False
) -> float:
    """One beat after the other with so much progress each; when the last came."""
    now = start
    for count in progress:
        now += BEAT_S
        pulse.hear(now)
        pulse.beat(now, now, LifeStats(count, job, layer_s=0.001), is_busy=is_busy)
    return now


def test_a_working_process_is_left_alone() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, range(0, 1000, 5))
    assert pulse.fault(now + BEAT_S, has_runs=True) == ""
    assert pulse.limit_s == FLOOR_S


def test_silence_is_a_hang_sooner_where_somebody_waits() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [1, 2, 3], is_busy=False)
    assert pulse.fault(now + SILENCE_S + 0.1, has_runs=False) == ""
    assert "no sign of life" in pulse.fault(now + SILENCE_S + 0.1, has_runs=True)
    assert "no sign of life" in pulse.fault(now + IDLE_S + 0.1, has_runs=False)


@pytest.mark.parametrize("rows", [1, NARROW_ROWS + 1], ids=["words", "a piece of a prompt"])
def test_a_model_that_hangs_is_told_within_two_seconds_though_its_process_beats(rows: int) -> None:
    model = practised()
    began = model.clock.now
    with model.life.step(rows):
        assert "made no progress" in model.wait(10.0)
        assert model.clock.now - began < TOLD_S
        assert model.pulse.fault(model.clock.now, has_runs=False) == ""


def test_a_model_that_has_nothing_due_may_rest() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [5, 10, 15])
    assert pulse.fault(beats(pulse, [15] * 100, start=now, is_busy=False), has_runs=True) == ""


def test_a_rest_counts_for_no_step() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [1] * 100, is_busy=False)
    assert pulse.fault(beats(pulse, [1], start=now), has_runs=True) == ""


def test_a_long_step_shows_life_layer_by_layer() -> None:
    model = practised(wide_s=0.3)
    assert model.step(512, 2.5) == ""  # 12.5 s, of which no other step of it took a tenth


def test_the_first_piece_of_a_prompt_may_take_long_where_only_words_were_made() -> None:
    model = Model(loaded())
    assert not any(model.step(1, 0.02) for _ in range(40))
    model.pulse.note_end()
    model.beat()
    assert model.pulse.limit_s == FLOOR_S
    assert [model.step(512, 10.2 / LAYERS) for _ in range(3)] == [""] * 3  # 50 tokens a second


def test_a_slow_piece_of_a_prompt_makes_nobody_wait_longer_for_a_hung_word() -> None:
    model = practised(wide_s=2.0)
    assert model.pulse.limit_s == FLOOR_S
    with model.life.step(512):
        model.beat()
        assert model.pulse.limit_s == pytest.approx(PATIENCE * 2.0)


def test_what_was_slow_once_is_forgotten() -> None:
    model = practised()
    assert model.step(1, 1.2) == ""
    assert model.step(1, 10.0) == ""
    model.beat()
    assert model.pulse.limit_s == pytest.approx(PATIENCE * 10.0)
    assert not any(model.step(1, 0.01) for _ in range(KEPT_LAYERS))
    model.beat()
    assert model.pulse.limit_s == FLOOR_S


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_process_without_a_core_for_some_seconds_is_left_alone(is_busy: bool) -> None:
    model = practised()
    model.is_busy = is_busy
    with model.life.step(1):
        for _ in range(3):
            assert model.wait(SILENCE_S - 0.5, is_starved=True) == ""
            model.beat()  # at last, and the model had no core either


def test_a_job_between_steps_is_work_but_not_for_ever() -> None:
    model = practised()
    with model.life.job():
        assert model.wait(JOB_S - 1) == ""
        assert "made no progress" in model.wait(3.0)


def test_a_job_teaches_no_patience_with_layers() -> None:
    model = practised()
    with model.life.job():
        model.wait(20.0)
    assert model.step(1, 0.01) == ""
    model.beat()
    assert model.pulse.limit_s == FLOOR_S


def test_until_the_first_reply_has_ended_a_layer_may_take_long() -> None:
    pulse = loaded()
    now = beats(pulse, [0] * round((WARMUP_S - 1) / BEAT_S))
    assert pulse.fault(now, has_runs=True) == ""
    assert pulse.fault(beats(pulse, [0] * 20, start=now), has_runs=True)


def test_a_slow_machine_gets_the_time_that_its_layers_take() -> None:
    model = practised(narrow_s=0.8, wide_s=8.0)
    assert 7.9 < model.pulse.limit_s < 8.1


def test_a_hang_doubles_the_patience_until_a_reply_ends() -> None:
    pulse = loaded(2.0)
    pulse.note_hang()
    pulse.note_hang()
    assert pulse.limit_s == 8.0
    pulse.note_end()
    assert pulse.limit_s == 2.0


def test_what_is_learned_outlives_the_process() -> None:
    model = practised(narrow_s=0.5)
    model.pulse.begin(100.0)
    model.pulse.note_loaded()
    assert model.pulse.limit_s == pytest.approx(5.0)


def test_the_own_standstill_is_forgiven() -> None:
    pulse = loaded(SILENCE_S)
    now = beats(pulse, [1, 2], is_busy=False)
    pulse.forgive(30.0)
    assert pulse.fault(now + 30.5, has_runs=True) == ""
    assert pulse.fault(now + 30.5 + SILENCE_S, has_runs=True)


def test_a_load_may_be_silent_for_long_but_not_for_ever() -> None:
    pulse = Pulse()
    pulse.begin(0.0)
    assert pulse.fault(LOADING_S - 1, has_runs=True) == ""
    pulse.hear(60.0)
    assert pulse.fault(LOADING_S + 1, has_runs=True) == ""
    assert "loading" in pulse.fault(LOADING_S + 61, has_runs=True)


@pytest.mark.parametrize(("ends", "pause_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (1000, 30.0)])
def test_the_pause_before_a_start_doubles_up_to_a_limit(ends: int, pause_s: float) -> None:
    assert Backoff().pause_s(ends) == pause_s
