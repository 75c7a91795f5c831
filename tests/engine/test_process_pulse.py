"""A process is given up when it hangs, and not because its machine is slow."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from npc_sdk.engine.process.pulse import BEAT_S, FLOOR_S, IDLE_S, LOADING_S, WARMUP_S, Pulse
from npc_sdk.engine.process.supervisor import Backoff


def loaded(hang_s: float | None = None) -> Pulse:
    pulse = Pulse(hang_s)
    pulse.begin(0.0)
    pulse.note_loaded(0.0)
    return pulse


def beats(pulse: Pulse, steps: Iterable[int], *, start: float = 0.0, is_busy: bool = True) -> float:
    """One beat after the other with so many steps each; when the last came."""
    now = start
    for count in steps:
        now += BEAT_S
        pulse.hear(now)
        pulse.beat(now, now, count, is_busy=is_busy)
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


def test_a_model_that_makes_no_step_hangs_though_its_process_beats() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [5, 10, 15])
    stuck = beats(pulse, [15] * 9, start=now)
    assert "made no step" in pulse.fault(stuck, has_runs=True)
    assert pulse.fault(stuck, has_runs=False) == ""


def test_a_model_that_has_nothing_due_may_rest() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [5, 10, 15])
    assert pulse.fault(beats(pulse, [15] * 100, start=now, is_busy=False), has_runs=True) == ""


def test_a_rest_counts_for_no_step() -> None:
    pulse = loaded()
    pulse.note_end()
    now = beats(pulse, [1] * 100, is_busy=False)
    now = beats(pulse, [10, 20, 30], start=now)
    assert pulse.limit_s == FLOOR_S
    assert pulse.fault(now, has_runs=True) == ""


def test_until_the_first_reply_has_ended_a_step_may_take_long() -> None:
    pulse = loaded()
    now = beats(pulse, [0] * round((WARMUP_S - 1) / BEAT_S))
    assert pulse.fault(now, has_runs=True) == ""
    assert pulse.fault(beats(pulse, [0] * 20, start=now), has_runs=True)


def test_a_slow_machine_gets_the_time_that_its_steps_take() -> None:
    pulse = loaded()
    now = 0.0
    for number in range(1, 4):  # steps of eight seconds
        now = beats(pulse, [number - 1] * 39 + [number], start=now)
        assert pulse.fault(now, has_runs=True) == ""
    pulse.note_end()
    assert 70 < pulse.limit_s < 90


def test_a_hang_doubles_the_patience_until_a_reply_ends() -> None:
    pulse = loaded(2.0)
    pulse.note_hang()
    pulse.note_hang()
    assert pulse.limit_s == 8.0
    pulse.note_end()
    assert pulse.limit_s == 2.0


def test_what_is_learned_outlives_the_process() -> None:
    pulse = loaded()
    beats(pulse, [0] * 30 + [1])
    pulse.note_end()
    limit = pulse.limit_s
    pulse.begin(100.0)
    pulse.note_loaded(101.0)
    assert pulse.limit_s == limit > FLOOR_S


def test_the_own_standstill_is_forgiven() -> None:
    pulse = loaded(1.0)
    now = beats(pulse, [1, 2])
    pulse.forgive(30.0)
    assert pulse.fault(now + 30.5, has_runs=True) == ""
    assert pulse.fault(now + 31.5, has_runs=True)


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
