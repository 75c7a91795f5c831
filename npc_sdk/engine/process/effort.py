"""What the threads of this process do beside those that carry messages: a model at rest is told from one that is slow.

Processor time everywhere; on Linux, where the model's thread alone has a lower priority, also whether a thread waits
for a core or a disk. Knows no engine. Used by child.py.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from npc_sdk.engine.process.pulse import EFFORT_S

TASKS = Path("/proc/self/task")
_WAITING = ("R", "D")  # runnable, and in the middle of a disk's work


class Effort:
    """Grows while anything is done. A device of its own works while every thread here may rest: there it always does.

    Units: seconds.
    """

    def __init__(self) -> None:
        self._aside_s: dict[int, float] = {}  # by thread
        self._took_s = self._waited_s = 0.0

    def set_aside(self) -> None:
        """What the calling thread has done until now is none, nor that it waits."""
        self._aside_s[threading.get_native_id()] = time.thread_time()

    def now_s(self, device: str, *, is_due: bool) -> float:
        """The effort until now; is_due: somebody waits for it, so that it is worth a closer look."""
        if device != "cpu":
            return time.monotonic()
        process_s = time.process_time()  # first: what the calling thread does meanwhile is no effort either
        self.set_aside()
        took_s = process_s - sum(tuple(self._aside_s.values()))
        if is_due and took_s - self._took_s < EFFORT_S and self._is_waiting():
            self._waited_s += EFFORT_S
        self._took_s = took_s
        return took_s + self._waited_s

    def _is_waiting(self) -> bool:
        """Whether a thread would go on if it could."""
        aside = {str(thread) for thread in tuple(self._aside_s)}
        try:
            threads = [folder for folder in TASKS.iterdir() if folder.name not in aside]
        except OSError:  # no Linux
            return False
        return any(_state(folder) in _WAITING for folder in threads)


def _state(thread: Path) -> str:
    """A letter; "" for a thread that has ended meanwhile."""
    try:
        stat = (thread / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].strip()[:1]
