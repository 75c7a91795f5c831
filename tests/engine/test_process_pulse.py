"""A hang is told within two seconds, also a launch's first; a machine that is slow hangs not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from npc_sdk.engine.process.pulse import (
    BEAT_S,
    EFFORT_S,
    FLOOR_S,
    GRACE_S,
    IDLE_S,
    JOB_S,
    LOADING_S,
    PATIENCE,
    WARMUP_S,
    Pulse,
    counted_s,
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
        self.is_busy = self.has_work = True
        self.cores = 1.0  # that its layers take; 0 for one that stands still
        self._effort_s = 0.0
        self._next_s = BEAT_S

    def wait(self, for_s: float, *, is_starved: bool = False) -> str:
        """Time passes, with beats unless the process has no core; the first fault on the way, or ""."""
        until_s = self.clock.now + for_s
        while self.clock.now < until_s - 1e-9:
            now = min(until_s, self._next_s)
            self._effort_s += (now - self.clock.now) * self.cores
            self.clock.now = now
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
        life, has_work = self.life.snapshot(), self.has_work
        self.pulse.beat(now, now, life, is_busy=self.is_busy, has_work=has_work, effort_s=self._effort_s)

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
    assert pulse.fault(now + FLOOR_S + 0.1, has_runs=False) == ""
    assert "no sign of life" in pulse.fault(now + FLOOR_S + 0.1, has_runs=True)
    assert "no sign of life" in pulse.fault(now + IDLE_S + 0.1, has_runs=False)
    assert pulse.is_final(now + IDLE_S + 0.1, has_runs=False), "nobody is there to be told"


def test_silence_before_the_first_reply_is_told_as_soon_as_any() -> None:
    assert "no sign of life" in loaded().fault(FLOOR_S + 0.1, has_runs=True)


def test_who_waits_is_told_long_before_a_process_is_given_up() -> None:
    pulse = loaded()
    assert pulse.fault(TOLD_S, has_runs=True)
    pulse.note_told()
    assert not pulse.is_final(FLOOR_S + GRACE_S - 0.1, has_runs=False)
    assert pulse.is_final(FLOOR_S + GRACE_S + 0.1, has_runs=False)


@pytest.mark.parametrize("rows", [1, NARROW_ROWS + 1], ids=["words", "a piece of a prompt"])
@pytest.mark.parametrize("is_first", [True, False], ids=["of a launch", "later"])
def test_a_model_that_stands_still_is_told_within_two_seconds_though_its_process_beats(
    rows: int, is_first: bool
) -> None:
    model = Model(loaded()) if is_first else practised()
    model.cores = 0.0
    began = model.clock.now
    with model.life.step(rows):
        assert "made no progress" in model.wait(10.0)
        assert model.clock.now - began < TOLD_S
        assert model.pulse.fault(model.clock.now, has_runs=False) == ""


@pytest.mark.parametrize("rows", [1, NARROW_ROWS + 1], ids=["words", "a piece of a prompt"])
def test_a_model_that_computes_without_end_is_told_within_two_seconds_once_its_pace_is_known(rows: int) -> None:
    model = practised()
    began = model.clock.now
    with model.life.step(rows):
        assert "made no progress" in model.wait(10.0)
        assert model.clock.now - began < TOLD_S


def test_a_first_step_may_compute_for_long_without_a_layer_done_however_little_the_game_leaves_it() -> None:
    for cores in (1.0, 2 * EFFORT_S / FLOOR_S):
        model = Model(loaded())
        model.cores = cores
        assert model.step(512, 20.0) == "", "20 s inside one kernel"


def test_a_step_that_has_hardly_a_core_is_judged_by_what_it_got_of_it() -> None:
    model = practised()
    model.cores = 0.05
    with model.life.step(1):
        assert model.wait(3 * FLOOR_S) == ""
        assert "made no progress" in model.wait(3 * FLOOR_S), "at last"


def test_a_fault_that_was_told_stands_until_the_model_goes_on_though_nobody_waits_for_it() -> None:
    model = practised()
    model.cores = 0.0
    with model.life.step(1):
        assert model.wait(10.0)
        model.pulse.note_told()
        model.is_busy = False  # who asked has left
        for _ in range(3):
            assert model.wait(BEAT_S)
        model.life.note_layer()
        model.beat()
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
def test_a_process_without_a_core_for_some_seconds_is_told_and_not_given_up(is_busy: bool) -> None:
    model = practised()
    model.is_busy = is_busy
    with model.life.step(1):
        for _ in range(3):
            assert "no sign of life" in model.wait(TOLD_S, is_starved=True)
            for _ in range(round((GRACE_S - 0.5) / BEAT_S)):
                assert "no sign of life" in model.wait(BEAT_S, is_starved=True)
                assert not model.pulse.is_final(model.clock.now, has_runs=True)
            model.beat()  # at last, and the model had no core either
            assert model.pulse.fault(model.clock.now, has_runs=True) == ""


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


def test_until_the_first_reply_has_ended_a_layer_may_compute_for_long_but_not_for_ever() -> None:
    model = Model(loaded())
    with model.life.step(1):
        assert model.wait(WARMUP_S - 1) == ""
        assert model.wait(3.0)


def test_a_slow_machine_gets_the_time_that_its_layers_take() -> None:
    model = practised(narrow_s=0.8, wide_s=8.0)
    assert 7.9 < model.pulse.limit_s < 8.1


def give_up(model: Model) -> None:
    """A step hangs until it costs its process, and another process begins."""
    with model.life.step(1):
        assert model.wait(1_000.0)
        model.pulse.note_told()
        while not model.pulse.is_final(model.clock.now, has_runs=False):
            model.wait(BEAT_S)
        model.pulse.note_given_up(model.clock.now, has_runs=False)
    model.pulse.begin(model.clock.now)
    model.pulse.note_loaded()


def test_a_step_that_computed_too_long_doubles_the_patience_until_a_reply_ends() -> None:
    model = Model(loaded(2.0))
    give_up(model)
    give_up(model)
    assert model.pulse.limit_s == 8.0
    model.pulse.note_end()
    assert model.pulse.limit_s == 2.0


def test_a_step_at_rest_teaches_no_patience() -> None:
    model = Model(loaded())
    model.cores = 0.0
    give_up(model)
    assert model.pulse.limit_s == WARMUP_S


def test_what_went_on_after_hangs_counts_once() -> None:
    pulse = loaded(2.0)
    for _ in range(100):
        pulse.note_recovery()
    assert pulse.limit_s == 4.0


@pytest.mark.parametrize("is_over", ["given up", "goes on"])
def test_a_dead_process_is_given_up_as_soon_after_other_hangs_as_after_none(is_over: str) -> None:
    pulse = loaded()
    for _ in range(10):
        assert "no sign of life" in pulse.fault(TOLD_S, has_runs=True)
        assert not pulse.is_final(GRACE_S, has_runs=True)
        assert pulse.is_final(TOLD_S + GRACE_S, has_runs=True)
        if is_over == "goes on":
            pulse.note_recovery()
        else:
            pulse.note_given_up(TOLD_S + GRACE_S, has_runs=True)


def test_a_model_that_let_go_of_what_it_was_asked_for_goes_on_though_it_has_nothing_to_do() -> None:
    model = practised()
    model.cores = 0.0
    with model.life.step(1):
        assert "made no progress" in model.wait(10.0)
    model.life = Life(model.clock)  # no layer will tell of it
    model.pulse.note_told()
    model.is_busy = model.has_work = False
    model.beat()
    assert model.wait(10 * GRACE_S) == ""


@pytest.mark.parametrize(
    ("passed_s", "counts_s"),
    [
        pytest.param(0.05, 0.05, id="early"),
        pytest.param(0.2, 0.2, id="in time"),
        pytest.param(0.3, 0.2, id="a little late"),
        pytest.param(0.4, 0.1, id="late"),
        pytest.param(60.0, 0.04, id="from a machine that slept"),
    ],
)
def test_time_counts_by_whether_there_was_a_core(passed_s: float, counts_s: float) -> None:
    assert counted_s(passed_s, 0.2) == pytest.approx(counts_s)


def test_a_hang_is_told_at_last_however_late_the_beats_are() -> None:
    pulse = loaded()
    for number in range(200):
        now = float(number)
        pulse.hear(now)
        pulse.beat(now, now, LifeStats(), is_busy=True)
    assert "made no progress" in pulse.fault(now, has_runs=True)


def test_what_is_learned_outlives_the_process() -> None:
    model = practised(narrow_s=0.5)
    model.pulse.begin(100.0)
    model.pulse.note_loaded()
    assert model.pulse.limit_s == pytest.approx(5.0)


def test_the_own_standstill_is_forgiven() -> None:
    pulse = loaded()
    now = beats(pulse, [1, 2], is_busy=False) + 30.0
    pulse.forgive(now, 30.0)
    assert pulse.fault(now + 0.5, has_runs=True) == ""
    assert pulse.fault(now + TOLD_S, has_runs=True)


def test_a_standstill_from_before_the_last_word_is_not_forgiven() -> None:
    pulse = loaded()
    pulse.hear(30.0)
    pulse.forgive(30.0, 30.0)
    assert pulse.fault(30.0 + TOLD_S, has_runs=True), "nor later, as if the process had to be heard until 60"


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
