"""A process at rest makes no effort; one that computes, or would if it had a core, does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from npc_sdk.engine.process import effort
from npc_sdk.engine.process.effort import Effort

REST = """
import threading, time
from npc_sdk.engine.process.effort import Effort
from npc_sdk.engine.process.pulse import EFFORT_S
{before}
threading.Thread(target={target}, daemon=True).start()
effort = Effort()
grown, before = 0, effort.now_s({device!r}, is_due=True)
for _ in range(200):
    sum(range(10_000))  # what the loop computes itself is none
    time.sleep(0.01)
    now = effort.now_s({device!r}, is_due=True)
    grown, before = grown + (now - before >= EFFORT_S), now
print(grown > 100)  # a thread that starts takes some
"""
ASIDE = """
import hashlib
def read():
    while True:
        hashlib.pbkdf2_hmac('sha256', b'a', b'b', 500)
        effort.set_aside()
"""
COMPUTE = "import hashlib\ndef compute():\n    while True: hashlib.pbkdf2_hmac('sha256', b'a', b'b', 100_000)"


@pytest.mark.parametrize(
    ("target", "before", "device", "does_grow"),
    [
        pytest.param("threading.Event().wait", "", "cpu", False, id="at rest"),
        pytest.param("compute", COMPUTE, "cpu", True, id="computing"),
        pytest.param("read", ASIDE, "cpu", False, id="reading what the parent says"),
        pytest.param("threading.Event().wait", "", "cuda", True, id="a device of its own"),
    ],
)
def test_effort_is_what_is_done_beside_the_loop(target: str, before: str, device: str, does_grow: bool) -> None:
    program = REST.format(target=target, before=before, device=device)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)
    assert (done.stdout, done.stderr) == (f"{does_grow}\n", "")


@pytest.mark.parametrize(("state", "does_grow"), [("R", True), ("D", True), ("S", False), ("T", False)])
def test_a_thread_that_waits_for_a_core_or_a_disk_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, does_grow: bool
) -> None:
    monkeypatch.setattr(effort, "TASKS", tmp_path)
    monkeypatch.setattr(effort.time, "process_time", lambda: 1.0)
    monkeypatch.setattr(effort.time, "thread_time", lambda: 1.0)
    (tmp_path / "1000000007").mkdir()
    (tmp_path / "1000000007" / "stat").write_text(f"1000000007 (a (b) c) {state} 1 1", encoding="ascii")
    (tmp_path / "gone").mkdir()
    one = Effort()
    before = one.now_s("cpu", is_due=False)
    assert one.now_s("cpu", is_due=False) == before, "nobody waits"
    assert (one.now_s("cpu", is_due=True) > before) is does_grow


def test_a_system_that_does_not_tell_of_threads_has_processor_time_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(effort, "TASKS", tmp_path / "none")
    assert Effort().now_s("cpu", is_due=True) >= 0
