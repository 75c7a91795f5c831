"""Which cores the model may take and how it stands back behind the game: affinity, priority, OpenMP's way of waiting.

Imports no torch: what OpenMP reads must be set before torch loads. settle() must be the first thing on the thread that
runs the model, as OpenMP's threads inherit from it. Called by create.py and by the worker's thread.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.errors import SettingsError
from npc_sdk.settings import ProcessPriority

log = logging.getLogger(__name__)

SPIN_TURNS = "1000"
CPU_FOLDER = Path("/sys/devices/system/cpu")
# Beside a game at 0, 10 gives a tenth of a contested core: enough to go on, too little to be felt.
NICE: dict[ProcessPriority, int] = {"normal": 0, "below_normal": 10, "low": 19}
WINDOWS_CLASS: dict[ProcessPriority, int] = {"normal": 0x20, "below_normal": 0x4000, "low": 0x40}  # winbase.h


@dataclass(frozen=True, slots=True)
class CoreUse:
    """What the model may take. threads None: torch's choice, the physical cores; cores None: any."""

    threads: int | None = None
    cores: frozenset[int] | None = None
    priority: ProcessPriority = "normal"

    @classmethod
    def of(
        cls,
        threads: int | None = None,
        cores: int | tuple[int, ...] | None = None,
        priority: ProcessPriority = "normal",
    ) -> CoreUse:
        """Settings made definite: a number of cores becomes these, the last of the machine's. Raises: SettingsError."""
        if threads is not None and threads < 1:
            raise SettingsError(f"engine.threads is {threads!r}", hint="1 or more; leave it out for the physical cores")
        if priority not in NICE:
            raise SettingsError(f"engine.priority is {priority!r}", hint=f"choose {', '.join(NICE)}")
        chosen = None if cores is None else _chosen(cores)
        if threads is None and chosen is not None:
            threads = len(physical_cores(chosen))  # a second thread on a core waits for the same memory
        return cls(threads, chosen, priority)


def calm_openmp() -> bool:
    """Makes OpenMP threads fall asleep soon after a kernel: beside a busy game, spinning on costs them their turns.

    With torch's kernels, the 4B shape on two cores, tokens/s quiet and with one core taken by another process: asleep
    at once 16.6 and 9.8, after 1,000 turns of libgomp 19.0 and 8.4 (10.5 with the one thread that ThreadChoice
    then finds), after 20,000 20.1 and 3.0. The compiled kernels have threads of their own (native/crew.c).

    False, with a word in the log, where torch has loaded already: it has read its environment by then.
    Mutates: os.environ, where it has no setting of its own.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return True
    if "torch" in sys.modules:
        log.warning(
            "torch was loaded before the engine, with threads that spin while they wait: beside a busy game a kernel "
            "may take ten times as long. Set OMP_WAIT_POLICY=passive, or make the engine before torch is imported"
        )
        return False
    os.environ["OMP_WAIT_POLICY"] = "passive"  # what other libraries than libgomp understand
    os.environ["GOMP_SPINCOUNT"] = SPIN_TURNS
    return True


def settle(use: CoreUse) -> None:
    """Gives the calling thread, and those that it starts from now on, the cores and the priority of the settings.

    Priority is only ever lowered. On Windows and macOS it is the whole process's; Windows never ran it here.
    """
    if use.cores is not None:
        os.sched_setaffinity(0, use.cores)
    if sys.platform == "win32":
        _settle_windows(use.priority)
        return
    thread_id = threading.get_native_id() if sys.platform == "linux" else 0
    wanted = NICE[use.priority]
    if wanted > os.getpriority(os.PRIO_PROCESS, thread_id):
        os.setpriority(os.PRIO_PROCESS, thread_id, wanted)


def usable_cores() -> frozenset[int]:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def physical_cores(among: Iterable[int], folder: Path = CPU_FOLDER) -> list[int]:
    """One logical core for each physical one, ascending; each counts as its own where the system does not tell."""
    first_of: dict[str, int] = {}
    for core in sorted(among):
        siblings = folder / f"cpu{core}" / "topology" / "thread_siblings_list"
        name = siblings.read_text(encoding="ascii").strip() if siblings.exists() else str(core)
        first_of.setdefault(name, core)
    return list(first_of.values())


def _settle_windows(priority: ProcessPriority) -> None:
    """SetPriorityClass for the process: OpenMP's threads there do not inherit a thread's own priority."""
    if sys.platform != "win32" or priority == "normal":
        return
    kernel = ctypes.windll.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.SetPriorityClass.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    if not kernel.SetPriorityClass(kernel.GetCurrentProcess(), WINDOWS_CLASS[priority]):
        log.warning("the priority stays as it is: SetPriorityClass failed with error %d", kernel.GetLastError())


def _chosen(cores: int | tuple[int, ...]) -> frozenset[int]:
    """The cores of a setting. Raises: SettingsError for more or others than there are."""
    if not hasattr(os, "sched_setaffinity"):
        raise SettingsError(f"engine.cores is {cores!r}", hint="only Linux lets it be chosen; set engine.threads")
    usable = usable_cores()
    if isinstance(cores, tuple):
        missing = sorted(set(cores) - usable)
        if missing or not cores:
            raise SettingsError(f"engine.cores is {list(cores)!r}", hint=f"choose among {sorted(usable)}")
        return frozenset(cores)
    physical = physical_cores(usable)
    ranked = [*sorted(usable - set(physical)), *physical]  # whole cores last: these are taken first
    if not 1 <= cores <= len(ranked):
        raise SettingsError(f"engine.cores is {cores!r}", hint=f"this process may use 1 to {len(ranked)}")
    return frozenset(ranked[-cores:])  # a game's main thread tends to sit on the first
