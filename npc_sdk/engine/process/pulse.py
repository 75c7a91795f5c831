"""Whether the model's process still works, judged by its life signs. Pure: the caller tells it what came and when.

Two things can hang: its loop, which then sends no beat, and the model's thread, which then makes no step though one is
due. Used by supervisor.py.
"""

from __future__ import annotations

BEAT_S = 0.2  # between the child's life signs
FLOOR_S = 1.5  # with a beat and a look at them, a hang is told within 2 s
PATIENCE = 10.0  # steps of one model differ: a piece of a prompt takes many times what a word of the reply does
WARMUP_S = 60.0  # until the first reply has ended nobody knows how slow this machine is
IDLE_S = 10.0  # nobody waits for an idle process
LOADING_S = 120.0  # between two parts of a load; a large one comes from a slow disk


class Pulse:
    """Judges one process after the other; what it learned of the machine's pace it keeps.

    hang_s is the longest that a step may take, for one who knows; None lets it be ten times the longest so far. A limit
    that was too short would kill the same slow prompt again and again: each hang therefore doubles it.

    Units: seconds, now by any one clock.
    """

    def __init__(self, hang_s: float | None = None) -> None:
        self._hang_s = hang_s
        self._longest_s = 0.0
        self._doublings = 0
        self._is_paced = False  # a reply has ended: what the machine's steps take is known
        self._is_loaded = False
        self._heard_s = self._moved_s = 0.0
        self._moved_at_s = 0.0  # the same by the child's clock
        self._steps = 0
        self._is_busy = False

    @property
    def limit_s(self) -> float:
        """How long a step that is due may take now."""
        least = FLOOR_S if self._is_paced else WARMUP_S
        patience = max(least, PATIENCE * self._longest_s) if self._hang_s is None else self._hang_s
        return patience * 2.0**self._doublings

    def begin(self, now: float) -> None:
        """A new process is loading."""
        self._is_loaded = self._is_busy = False
        self._heard_s = self._moved_s = now
        self._steps = 0

    def hear(self, now: float) -> None:
        """Any message came."""
        self._heard_s = now

    def note_loaded(self, now: float) -> None:
        """From now on replies are asked for."""
        self._is_loaded = True
        self._moved_s = now

    def note_end(self) -> None:
        """A reply ended well."""
        self._is_paced = True
        self._doublings = 0

    def note_hang(self) -> None:
        """The process was given up."""
        self._doublings += 1

    def beat(self, now: float, at_s: float, steps: int, *, is_busy: bool) -> None:
        """The process counted so many steps since its start; is_busy: a step is due. at_s is by its own clock."""
        made = steps - self._steps
        if made and self._is_busy:
            took_s = at_s - self._moved_at_s
            self._longest_s = max(self._longest_s, took_s / made, took_s - BEAT_S)
        if made or not is_busy or not self._is_busy:
            self._moved_s, self._moved_at_s = now, at_s
        self._steps, self._is_busy = steps, is_busy

    def forgive(self, lost_s: float) -> None:
        """This process itself stood still for so long, and could hear nothing."""
        self._heard_s += lost_s
        self._moved_s += lost_s

    def fault(self, now: float, *, has_runs: bool) -> str:
        """What hangs; "" where nothing does. has_runs: somebody waits for a reply."""
        silent_s, stuck_s = now - self._heard_s, now - self._moved_s
        if not self._is_loaded:
            return f"it stopped loading {silent_s:.0f} s ago" if silent_s > max(LOADING_S, self._hang_s or 0) else ""
        if silent_s > (self.limit_s if has_runs else max(IDLE_S, self.limit_s)):
            return f"it gave no sign of life for {silent_s:.1f} s"
        if self._is_busy and has_runs and stuck_s > self.limit_s:
            return f"the model made no step for {stuck_s:.1f} s"
        return ""
