"""Cores, priority and OpenMP's waiting, on threads and processes made for the purpose."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.engine.create import create_engine
from npc_sdk.engine.local import cores
from npc_sdk.engine.local.cores import CoreUse, calm_openmp, physical_cores, settle, usable_cores
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.errors import SettingsError

from .conftest import Zoo

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="affinity and threads' priorities are Linux's")


def on_a_thread(function: Callable[[], Any]) -> Any:
    """What a function gives on a thread of its own, which takes its priority with it when it ends."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def standing() -> tuple[int, set[int]]:
    """The calling thread's niceness and cores."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), os.sched_getaffinity(0)


@linux_only
def test_a_settled_thread_and_those_that_it_starts_stand_back_and_no_others() -> None:
    before = standing()
    core = max(before[1])

    def run() -> tuple[Any, Any]:
        settle(CoreUse(cores=frozenset({core}), priority="low"))
        return standing(), on_a_thread(standing)

    own, inherited = on_a_thread(run)
    assert own == inherited == (19, {core})
    assert standing() == before


@linux_only
@pytest.mark.parametrize(("priority", "least"), [("normal", 0), ("below_normal", 10), ("low", 19)])
def test_priority_is_only_ever_lowered(priority: Any, least: int) -> None:
    def run() -> list[int]:
        seen = []
        for wanted in (priority, "normal"):
            settle(CoreUse(priority=wanted))
            seen.append(standing()[0])
        return seen

    started = standing()[0]
    assert on_a_thread(run) == [max(started, least)] * 2


@linux_only
def test_an_engine_stands_back_and_its_caller_does_not(zoo: Zoo) -> None:
    before = standing()
    core, others = min(before[1]), set(threading.enumerate())
    engine = create_engine(zoo.int4("nemotron")[0], device="cpu", threads=1, cores=(core,), priority="low")
    assert isinstance(engine, LocalEngine)
    (model,) = [thread for thread in set(threading.enumerate()) - others if thread.name == "npc-engine"]
    assert os.getpriority(os.PRIO_PROCESS, model.native_id or 0) == 19
    assert os.sched_getaffinity(model.native_id or 0) == {core}
    assert standing() == before
    asyncio.run(engine.close())


def test_a_count_of_cores_takes_whole_ones_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: frozenset(range(8)))
    monkeypatch.setattr(cores, "physical_cores", lambda among: [core for core in (0, 1, 2, 3) if core in among])
    assert CoreUse.of(cores=2) == CoreUse(2, frozenset({2, 3}))
    assert CoreUse.of(cores=5) == CoreUse(4, frozenset({0, 1, 2, 3, 7}))
    assert CoreUse.of(cores=(1, 5)).cores == {1, 5}
    assert CoreUse.of(threads=3, cores=2).threads == 3
    assert CoreUse.of() == CoreUse()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cores": 0}, "engine.cores is 0"),
        ({"cores": 5000}, "engine.cores is 5000"),
        ({"cores": (5000,)}, r"engine.cores is \[5000\]"),
        ({"cores": ()}, r"engine.cores is \[\]"),
        ({"threads": 0}, "engine.threads is 0"),
        ({"priority": "high"}, "engine.priority is 'high'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(options: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        CoreUse.of(**options)
    assert caught.value.hint


def test_where_affinity_cannot_be_set_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pytest.raises(SettingsError, match="only Linux"):
        CoreUse.of(cores=1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert len(usable_cores()) == os.cpu_count()


def test_physical_cores_are_one_of_each_pair(tmp_path: Path) -> None:
    for core, pair in enumerate(("0,4", "1,5", "2-2", "3", "0,4", "1,5")):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(pair + "\n")
    assert physical_cores(range(6), tmp_path) == [0, 1, 2, 3]
    assert physical_cores({4, 5}, tmp_path) == [4, 5]
    assert physical_cores({7, 9}, tmp_path) == [7, 9]


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_a_wait_policy_of_ones_own_is_kept(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "7")
    assert calm_openmp()
    assert [os.environ.get(other) for other in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")].count(None) == 1


def test_torch_that_loaded_first_is_told_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    assert "torch" in sys.modules
    assert not calm_openmp()
    assert "OMP_WAIT_POLICY=passive" in caplog.text
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_new_process_waits_asleep() -> None:
    code = "import os; from npc_sdk.engine.create import calm_openmp as c; print(c(), os.environ['OMP_WAIT_POLICY'])"
    env = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "passive"]
