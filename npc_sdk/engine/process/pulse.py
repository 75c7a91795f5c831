"""Whether the model's process still works, judged by its life signs. Pure: the caller tells it what came and when.

Two things can hang: its loop, which then sends no beat, and the model's thread, which then ends no layer though a step
is due. Used by supervisor.py.
"""

from __future__ import annotations

from npc_sdk.engine.stats import LifeStats

BEAT_S = 0.2  # between the child's life signs
GAP_S = 2 * BEAT_S  # between two beats, counts at most for so much: a child that is late had no core, nor had its model
FLOOR_S = 1.5  # with a beat and a look at them, a hang is told within 2 s
SILENCE_S = 5.0  # a process without a core is as silent as one that hangs
PATIENCE = 10.0  # times the longest layer of late
WARMUP_S = 60.0  # until the first reply has ended, and a layer of this width, nobody knows how slow this machine is
JOB_S = 60.0  # a front is copied at once, which pages of a disk may have to make room for
IDLE_S = 10.0  # nobody waits for an idle process
LOADING_S = 120.0  # between two parts of a load; a large one comes from a slow disk


class Pulse:
    """Judges one process after the other; what it learned of the machine's pace it keeps.

    hang_s is the longest that the model may make no progress, for one who knows; None lets it be ten times the longest
    layer of late. A limit that was too short would kill the same slow prompt again and again: each hang therefore
    doubles it.

    Units: seconds, now by any one clock.
    """

    def __init__(self, hang_s: float | None = None) -> None:
        self._hang_s = hang_s
        self._layers_s: dict[bool, float] = {}  # by whether the step is wide
        self._doublings = 0
        self._is_paced = False  # a reply has ended: what a first step has to wait for is there
        self._is_loaded = False
        self._heard_s = 0.0
        self._beat_s = self._beat_at_s = 0.0  # the last beat, by our clock and by the child's
        self._stuck_s = 0.0  # without progress, up to that beat
        self._life = LifeStats()
        self._is_busy = False

    @property
    def limit_s(self) -> float:
        """How long the step that is under way may show no progress."""
        return self._patience_s() * 2.0**self._doublings

    def begin(self, now: float) -> None:
        """A new process is loading."""
        self._is_loaded = self._is_busy = False
        self._heard_s = now
        self._life = LifeStats()

    def hear(self, now: float) -> None:
        """Any message came."""
        self._heard_s = now

    def note_loaded(self) -> None:
        """From now on replies are asked for."""
        self._is_loaded = True

    def note_end(self) -> None:
        """A reply ended well."""
        self._is_paced = True
        self._doublings = 0

    def note_hang(self) -> None:
        """The process was given up."""
        self._doublings += 1

    def beat(self, now: float, at_s: float, life: LifeStats, *, is_busy: bool) -> None:
        """The process told how far its model is; is_busy: a step is due. at_s is by its own clock."""
        is_still = is_busy and self._is_busy and life.progress == self._life.progress
        self._stuck_s = self._stuck_s + min(at_s - self._beat_at_s, GAP_S) if is_still else 0.0
        self._beat_s, self._beat_at_s = now, at_s
        self._life, self._is_busy = life, is_busy
        if life.layer_s:
            self._layers_s[life.is_wide] = life.layer_s

    def forgive(self, lost_s: float) -> None:
        """This process itself stood still for so long, and could hear nothing."""
        self._heard_s += lost_s

    def fault(self, now: float, *, has_runs: bool) -> str:
        """What hangs; "" where nothing does. has_runs: somebody waits for a reply."""
        silent_s = now - self._heard_s
        if not self._is_loaded:
            return f"it stopped loading {silent_s:.0f} s ago" if silent_s > max(LOADING_S, self._hang_s or 0) else ""
        if silent_s > max(SILENCE_S if has_runs else IDLE_S, self.limit_s):
            return f"it gave no sign of life for {silent_s:.1f} s"
        stuck_s = self._stuck_s + min(now - self._beat_s, GAP_S)
        if self._is_busy and has_runs and stuck_s > self.limit_s:
            return f"the model made no progress for {stuck_s:.1f} s"
        return ""

    def _patience_s(self) -> float:
        """The limit before any doubling."""
        if self._life.has_job:
            return max(JOB_S, self._hang_s or 0)
        if self._hang_s is not None:
            return self._hang_s
        layer_s = self._layers_s.get(self._life.is_wide)
        return WARMUP_S if layer_s is None or not self._is_paced else max(FLOOR_S, PATIENCE * layer_s)
