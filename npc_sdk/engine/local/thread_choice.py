"""How many threads the model's steps should take now, from how long they take.

A small model's kernels are over before a second thread has woken (hearth on two quiet cores: 1,360 steps/s with one
thread, 380 with two), and beside a busy core threads wait for the slowest. Pure logic; a model whose results depend on
the count must be left alone. Used by pace.py.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

SAMPLES = 5  # a trial's steps, and those it is compared with
TRIAL_STEPS = 32  # with the present count, until another is tried; doubled each time that none was better
LAST_TRIAL_STEPS = 2048
LAST_TRIAL_BELOW_MOST = 128  # while more could be taken: a trial is cheap
IDLE_CORES = 0.6  # so much of a core must have nothing to do before another thread is tried, where that is known
GAIN = 0.95  # of the present time is worth a change
LOSS = 1.3  # of the usual time calls for a trial at once
EXACT_ROWS = 16  # up to here steps of so many rows are a kind of their own; above, times a row are compared


@dataclass(slots=True)
class Kind:
    """Steps that can be compared. kept is the count in use, tried another while it is on trial."""

    kept: int
    tried: int | None = None
    times_s: list[float] = field(default_factory=list)  # the last, all with the same count
    usual_s: float = 0.0  # with the count that is kept
    steps: int = 0  # since the last trial
    wait_steps: int = TRIAL_STEPS
    wait_idle: int = SAMPLES  # steps beside an idle core until it is tried; doubled each time that it did not help
    direction: int = -1  # fewer first
    is_cold: bool = True  # the first step with a count starts or ends threads

    @property
    def threads(self) -> int:
        """What the next step takes."""
        return self.kept if self.tried is None else self.tried

    def note(self, took_s: float, most: int, idle: float | None) -> None:
        """A step took so long while so many cores had nothing to do. Mutates: perhaps the count."""
        if self.is_cold:
            self.is_cold = False
            return
        self.times_s = [*self.times_s[1 - SAMPLES :], took_s]
        self.steps += 1
        is_full = len(self.times_s) == SAMPLES
        if self.tried is not None:
            if is_full or (len(self.times_s) > 1 and min(self.times_s) > LOSS * self.usual_s):
                self._judge(self.tried, most)
        elif is_full and self._is_due(most, idle):
            self._try(most)

    def _is_due(self, most: int, idle: float | None) -> bool:
        """Whether it is time for a trial, or steps have become slow. Mutates: where a trial goes.

        Where it is known that a core is idle, it is tried at once; where none is, only fewer threads are.
        """
        if idle is not None and self.kept < most:
            if idle >= IDLE_CORES:
                self.direction = 1
                return self.steps >= self.wait_idle
            self.wait_idle, self.direction = SAMPLES, -1
            if self.kept == 1:
                return False
        now_s = statistics.median(self.times_s)
        self.usual_s = min(self.usual_s or now_s, now_s)
        return self.steps >= self.wait_steps or (self.steps >= 2 * SAMPLES and now_s > LOSS * self.usual_s)

    def _try(self, most: int) -> None:
        """Puts a neighbour of the count on trial."""
        if not 1 <= self.kept + self.direction <= most:
            self.direction = -self.direction
        self.usual_s = statistics.median(self.times_s)
        self._start(self.kept + self.direction)

    def _judge(self, tried: int, most: int) -> None:
        """Ends a trial. The faster count stays; after a vain trial the next comes later and goes the other way."""
        tried_s = statistics.median(self.times_s)
        if tried_s < GAIN * self.usual_s:
            self.kept, self.usual_s, self.wait_steps = tried, tried_s, TRIAL_STEPS
        else:
            self.direction = -self.direction
            last_steps = LAST_TRIAL_STEPS if self.kept == most else LAST_TRIAL_BELOW_MOST
            self.wait_steps = min(last_steps, 2 * self.wait_steps)
            if tried > self.kept:
                self.wait_idle = min(LAST_TRIAL_BELOW_MOST, 2 * self.wait_idle)
        self.steps = 0
        self._start(None)

    def _start(self, tried: int | None) -> None:
        self.is_cold = self.threads != (self.kept if tried is None else tried)
        self.tried = tried
        self.times_s = []


class ThreadChoice:
    """Keeps, for each kind of step, the faster of the present count and its neighbours. most 1 chooses nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kinds: dict[int, Kind] = {}

    def threads(self, rows: int, limit: int) -> int:
        """What a step of so many rows should take, within a limit that the governor may set."""
        return max(1, min(limit, self._kind(rows).threads))

    def note(self, rows: int, threads: int, took_s: float, idle: float | None = None) -> None:
        """A step took so long with so many threads. One that took others than wanted, or rested, teaches nothing.

        Units: idle in cores that had nothing to do; None where nobody knows.
        """
        kind = self._kind(rows)
        if self._most > 1 and threads == kind.threads:
            kind.note(took_s if rows <= EXACT_ROWS else took_s / rows, self._most, idle)

    def _kind(self, rows: int) -> Kind:
        """The kind of a step; a new one begins with what the nearest kind has found, as it is likely the same."""
        name = rows if rows <= EXACT_ROWS else EXACT_ROWS + rows.bit_length()
        if name not in self._kinds:
            nearest = min(self._kinds, key=lambda other: abs(other - name), default=None)
            kept = self._most if nearest is None else self._kinds[nearest].kept
            self._kinds[name] = Kind(kept)
        return self._kinds[name]
