"""Whether the model's process still works, judged by its life signs. Pure: the caller tells it what came and when.

Three things can hang: the whole process, which then sends no beat; the model's thread at rest, which makes no
effort though a step is due; and one that computes without end, which only its own pace can tell from a slow one.
Used by supervisor.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.engine.stats import LifeStats

BEAT_S = 0.2  # between the child's life signs
SLACK = 0.5  # of the time between two signs, or two looks at them, that any machine may be late by
LEAST = 0.2  # of it counts however late they are, so that a hang is told at last
FLOOR_S = 1.5  # with a beat and a look at them, a hang is told within 2 s
EFFORT_S = 0.001  # of a processor within that; less is none
GRACE_S = 4.5  # from the end of its replies to that of the process: one that was only starved goes on
PATIENCE = 10.0  # times the longest layer of late
WARMUP_S = 60.0  # for a step that computes, until a reply has ended and a layer of this width: its pace is not known
JOB_S = 60.0  # a front is copied at once, which pages of a disk may have to make room for
IDLE_S = 10.0  # nobody waits for an idle process
LOADING_S = 120.0  # between two parts of a load; a large one comes from a slow disk
MOST_DOUBLINGS = 4


def counted_s(passed_s: float, due_s: float) -> float:
    """What counts of the time since the last sign, or look, where the next was due after due_s.

    Never more than that: who is late had no core, and nor had others. Much too late, and there was none before either.
    """
    late_s = max(0.0, passed_s - (1 + SLACK) * due_s)
    return min(passed_s, max(LEAST * due_s, due_s - late_s))


@dataclass(frozen=True, slots=True)
class _Hang:
    """What hangs, for how long beyond its limit, and how far beyond it may go before the process is given up."""

    words: str
    over_s: float
    grace_s: float = 0.0
    is_slow: bool = False  # perhaps; it computes, and its pace alone says that it hangs


class Pulse:
    """Judges one process after the other; what it learned of the machine's pace it keeps.

    hang_s is the longest that the process may be silent or the model make no progress, for one who knows; None lets it
    be FLOOR_S for what is silent or makes no effort, and ten times the longest layer of late for what computes.
    A limit that was too short would give the same slow prompt up again and again: what a step that computes may take is
    therefore doubled each time that it cost a process, and once where all went on after a hang, until a reply ends.
    No other limit is, nor the grace: what is silent or at rest is no slow prompt.

    Units: seconds, now by any one clock.
    """

    def __init__(self, hang_s: float | None = None) -> None:
        self._hang_s = hang_s
        self._layers_s: dict[bool, float] = {}  # by whether the step is wide
        self._doublings = 0
        self._is_paced = False  # a reply has ended: what a first step has to wait for is there
        self._is_loaded = False
        self._is_told = False
        self._heard_s = 0.0
        self._beat_s = self._beat_at_s = 0.0  # the last beat, by our clock and by the child's
        self._stuck_s = 0.0  # of work without progress, up to that beat
        self._idle_s = 0.0  # without either
        self._effort_s = self._effort_at_s = 0.0  # at the last beat, and when it last was more
        self._life = LifeStats()
        self._is_busy = False
        self._has_work = True

    @property
    def limit_s(self) -> float:
        """How long the step that is under way may compute and show no progress."""
        return self._patience_s() * 2.0**self._doublings

    def begin(self, now: float) -> None:
        """A new process is loading."""
        self._is_loaded = self._is_busy = self._is_told = False
        self._heard_s = now
        self._stuck_s = self._idle_s = self._effort_s = self._effort_at_s = 0.0
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

    def note_told(self) -> None:
        """All replies were ended for a fault, which from now on is judged as if somebody waited still."""
        self._is_told = True

    def note_recovery(self) -> None:
        """The fault is over: the process goes on after all."""
        self._is_told = False
        self._doublings = max(1, self._doublings)

    def beat(
        self,
        now: float,
        at_s: float,
        life: LifeStats,
        *,
        is_busy: bool,
        has_work: bool = True,
        effort_s: float = 0.0,
    ) -> None:
        """The process told how far its model is, and its effort so far. at_s is its clock; is_busy: a step is due.

        has_work: the model has not let go of all that it was asked for. It does so itself, and does not hang then.
        """
        is_due = (is_busy and self._is_busy) or (self._is_told and has_work)  # who were told wait no more, nor ask
        is_still = is_due and life.progress == self._life.progress
        passed_s = counted_s(at_s - self._beat_at_s, BEAT_S)
        worked_s = passed_s if life.has_job else max(LEAST * passed_s, min(passed_s, effort_s - self._effort_s))
        self._stuck_s = self._stuck_s + worked_s if is_still else 0.0
        if not is_still or life.has_job or effort_s - self._effort_at_s >= EFFORT_S:
            self._idle_s, self._effort_at_s = 0.0, effort_s
        else:
            self._idle_s += passed_s
        self._effort_s = effort_s
        self._beat_s, self._beat_at_s = now, at_s
        self._life, self._is_busy, self._has_work = life, is_busy, has_work
        if life.layer_s:
            self._layers_s[life.is_wide] = life.layer_s

    def forgive(self, now: float, lost_s: float) -> None:
        """This process itself stood still for so long, and could hear nothing."""
        self._heard_s = min(now, self._heard_s + lost_s)

    def fault(self, now: float, *, has_runs: bool) -> str:
        """What hangs; "" where nothing does. has_runs: somebody waits for a reply."""
        hang = self._hang(now, has_runs or self._is_told)
        return hang.words if hang else ""

    def is_final(self, now: float, *, has_runs: bool) -> bool:
        """Whether what hangs has done so beyond its grace too."""
        hang = self._hang(now, has_runs or self._is_told)
        return hang is not None and hang.over_s > hang.grace_s

    def note_given_up(self, now: float, *, has_runs: bool) -> None:
        """What hangs is ended with its process."""
        hang = self._hang(now, has_runs or self._is_told)
        if hang is not None and hang.is_slow:
            self._doublings = min(MOST_DOUBLINGS, self._doublings + 1)
        self._is_told = False

    def _hang(self, now: float, is_awaited: bool) -> _Hang | None:
        """The worse of silence and standstill, where either is beyond its limit."""
        worse = max(self._silence(now, is_awaited), self._standstill(now, is_awaited), key=lambda one: one.over_s)
        return worse if worse.over_s > 0 else None

    def _silence(self, now: float, is_awaited: bool) -> _Hang:
        silent_s, known_s = now - self._heard_s, self._hang_s or 0.0
        if not self._is_loaded:
            return _Hang(f"it stopped loading {silent_s:.0f} s ago", silent_s - max(LOADING_S, known_s))
        words = f"it gave no sign of life for {silent_s:.1f} s"
        if not is_awaited:
            return _Hang(words, silent_s - max(IDLE_S, known_s))
        return _Hang(words, silent_s - max(FLOOR_S, known_s), GRACE_S)

    def _standstill(self, now: float, is_awaited: bool) -> _Hang:
        since_s = min(now - self._beat_s, BEAT_S)
        is_due = is_awaited and self._is_loaded and (self._is_busy or (self._is_told and self._has_work))
        idle_s, stuck_s = (self._idle_s + since_s, self._stuck_s + since_s) if is_due else (0.0, 0.0)
        idle_limit_s = self.limit_s if self._life.has_job else max(FLOOR_S, self._hang_s or 0.0)
        over_s = max(idle_s - idle_limit_s, stuck_s - self.limit_s)
        words = f"the model made no progress for {max(idle_s, stuck_s):.1f} s"
        return _Hang(words, over_s, GRACE_S, is_slow=stuck_s > self.limit_s)

    def _patience_s(self) -> float:
        """The limit before any doubling."""
        if self._life.has_job:
            return max(JOB_S, self._hang_s or 0)
        if self._hang_s is not None:
            return self._hang_s
        layer_s = self._layers_s.get(self._life.is_wide)
        return WARMUP_S if layer_s is None or not self._is_paced else max(FLOOR_S, PATIENCE * layer_s)
