"""Idle cores read from files that look like the system's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from npc_sdk.engine.local.idle_cores import LEAST_S, IdleCores


class Cores:
    """Two cores of ours and one that we may not use; time passes when told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2}, raising=False)
        self.now_s = 10.0
        self.path = folder / "stat"
        self.idle = [0, 0, 0]
        self.work = [0, 0, 0]
        self.write()

    def write(self) -> None:
        rows = [f"cpu{n} {self.work[n]} 0 0 {self.idle[n]} 0 0 0 0 0 0" for n in range(3)]
        self.path.write_text("\n".join([f"cpu  {sum(self.work)} 0 0 {sum(self.idle)} 0 0 0 0 0 0", *rows, "intr 5 0"]))

    def spend(self, seconds: float, idle: tuple[float, float, float]) -> None:
        """A while in which each core was idle for a share of the time."""
        self.now_s += seconds
        for core, share in enumerate(idle):
            self.idle[core] += round(100 * seconds * share)
            self.work[core] += round(100 * seconds * (1 - share))
        self.write()


@pytest.fixture
def cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cores:
    return Cores(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("idle", "expected"),
    [((1, 1, 1), 2.0), ((1, 0, 0), 1.0), ((0, 1, 0), 0.0), ((0.5, 1, 0.25), 0.75)],
    ids=["all", "one of ours", "only another's", "partly"],
)
def test_only_cores_that_we_may_use_count(cores: Cores, idle: tuple[float, float, float], expected: float) -> None:
    reader = IdleCores(cores.path, lambda: cores.now_s)
    cores.spend(1.0, idle)
    assert reader.now() == pytest.approx(expected)


def test_each_answer_is_about_the_time_since_the_last_one(cores: Cores) -> None:
    reader = IdleCores(cores.path, lambda: cores.now_s)
    cores.spend(1.0, (1, 1, 1))
    reader.now()
    cores.spend(1.0, (0, 0, 0))
    assert reader.now() == pytest.approx(0.0)


def test_a_moment_too_short_for_the_systems_clock_keeps_the_answer(cores: Cores) -> None:
    reader = IdleCores(cores.path, lambda: cores.now_s)
    assert reader.now() is None
    cores.spend(1.0, (1, 0, 1))
    reader.now()
    cores.spend(LEAST_S / 2, (0, 0, 0))
    assert reader.now() == pytest.approx(2.0)


def test_a_system_that_does_not_tell_is_no_error(tmp_path: Path) -> None:
    assert IdleCores(tmp_path / "absent").now() is None
