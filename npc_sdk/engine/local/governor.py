"""How far the engine gives way to the game beside it, decided from the game's own frame times.

Pure logic on a clock that is passed in: no threads of its own, no torch. note_frame() comes from the asyncio side, all
else from the model's thread, between two layers (pace.py) and between two steps (worker.py).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from npc_sdk.engine.stats import GovernorStats
from npc_sdk.requests import Priority
from npc_sdk.settings import GovernorSettings

SLOWER = 0.7  # times the share, for a late frame
FULL_AGAIN_S = 4.0  # from that back to the share that was too much, where no more frames are late
CURVE = (1 - SLOWER) / FULL_AGAIN_S**3
CORE_BACK_S = 8.0  # without a late frame, until a core is tried again; doubled each time that it was too soon
CORE_BACK_MOST_S = 64.0
SETTLE_S = 0.1  # late frames within so long of a slowdown began before it: they do not slow the engine again
SILENCE_S = 1.0  # a game that reports nothing for so long is paused or gone
QUIET_AFTER_S = 0.1  # since the last layer's end; one layer of a long prompt takes half of that
SMALLEST_REST_S = 0.001  # shorter sleeps cost more in waking than they give
LARGEST_REST_S = 0.05  # a player's words that come meanwhile wait for it
SMOOTHING = 1 / 16
# Whose work waits below which share; player-facing and nearby replies never do.
DEFERRED_BELOW = {Priority.AMBIENT: 0.5, Priority.BACKGROUND: 0.75}


@dataclass(slots=True)
class Share:
    """The part of the time that the engine works: down at once, up by time alone.

    Soon near what was too much, there for a while, then past it ever faster.
    Source: the window of TCP CUBIC, RFC 9438 section 4.2, its scale in proportion to the share.
    """

    least: float
    _low: float = 1.0  # right after the last slowdown
    _ceiling: float = 1.0  # what was too much
    _slowed_at: float = -math.inf

    def at(self, now: float) -> float:
        """The share by now."""
        if self._low >= 1:
            return 1.0
        plateau_s = math.cbrt((1 - self._low / self._ceiling) / CURVE)
        return min(1.0, self._ceiling * (1 + CURVE * (now - self._slowed_at - plateau_s) ** 3))

    def slow_down(self, now: float) -> None:
        """A step down, never below the least."""
        self._ceiling = self.at(now)
        self._low = max(min(self.least, self._ceiling), self._ceiling * SLOWER)
        self._slowed_at = now

    def reset(self) -> None:
        """Whole again at once."""
        self._low = self._ceiling = 1.0


@dataclass(slots=True)
class Cores:
    """Cores that the game got back: beside its busy thread another thread of ours gains nothing and makes it wait.

    Two cores, a game that works 6 ms a frame, the 4B shape's kernels: two threads 11.6 tokens/s and 1.6 % of frames
    late, one thread 11.3 and 0.2 %.
    """

    most: int  # that may be given
    given: int = 0
    _changed_at: float = -math.inf
    _back_s: float = CORE_BACK_S
    _is_retaken: bool = False

    def give(self, now: float) -> bool:
        """One more for the game; False where it has all that it gets."""
        if self._is_retaken and now - self._changed_at < self._back_s:
            self._back_s = min(CORE_BACK_MOST_S, 2 * self._back_s)
        self._is_retaken, self._changed_at = False, now
        if self.given == self.most:
            return False
        self.given += 1
        return True

    def retake(self, now: float) -> bool:
        """Takes one back once frames were in time for long enough; False where it does not."""
        if not self.given or now - self._changed_at < self._back_s:
            return False
        self.given -= 1
        self._is_retaken, self._changed_at = True, now
        return True

    def reset(self) -> None:
        """None given, and nothing learnt."""
        self.given, self._back_s, self._is_retaken = 0, CORE_BACK_S, False


class Governor:
    """With each late frame the engine takes a core less, then less of the time; both come back without one.

    A frame is late over budget and tolerance, or over what the game's frames take while the engine is silent, where
    that is more: a game that is slow by itself is not made faster by a slow NPC. Safe from two threads. threads is what
    the model has at most, 0 where their number is not to be touched.
    """

    def __init__(
        self, settings: GovernorSettings, threads: int, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.most_threads = threads
        self._lock = threading.Lock()
        self._share = Share(settings.min_share)
        self._cores = Cores(threads // 2)
        self._slowed_at = self._reported_at = self._worked_at = -math.inf
        self._debt_s = 0.0  # rest that is owed for work done
        self._frame_s = 0.0
        self._quiet_s = settings.frame_budget_s
        self._is_throttling = False
        self._chunk_tokens = 0
        self._frames = self._late_frames = self._slowdowns = self._recoveries = 0

    def note_frame(self, frame_s: float) -> None:
        """The game took so long for its last frame; nothing is made of one in which it stood still."""
        if not 0 < frame_s < SILENCE_S or not self._settings.is_on:
            return
        with self._lock:
            now = self._clock()
            self._update(now)
            self._reported_at = now
            self._frames += 1
            self._frame_s += (frame_s - self._frame_s) * (SMOOTHING if self._frame_s else 1.0)
            if now - self._worked_at > frame_s + QUIET_AFTER_S:
                # By no more than a hitch deserves.
                self._quiet_s += (min(frame_s, 2 * self._quiet_s) - self._quiet_s) * SMOOTHING
            elif frame_s > self._limit_s():
                self._late_frames += 1
                self._slow_down(now)

    def rest_s(self, worked_s: float) -> float:
        """How long the model's thread should sleep now, after work since its last rest; note_rest says how it went."""
        with self._lock:
            self._worked_at = now = self._clock()
            share = self._update(now)
            if share >= 1:
                self._debt_s = 0.0
                return 0.0
            self._debt_s = min(LARGEST_REST_S, self._debt_s + worked_s * (1 / share - 1))
            return self._debt_s if self._debt_s >= SMALLEST_REST_S else 0.0

    def note_rest(self, rested_s: float) -> None:
        """What was slept in truth, which systems round up. Mutates: the debt, down to one rest in hand."""
        with self._lock:
            self._debt_s = max(-LARGEST_REST_S, self._debt_s - rested_s)

    def chunk_tokens(self, wanted: int) -> int:
        """How much of a prompt the next step may take: nobody rests inside a layer, so layers must be short."""
        with self._lock:
            share = self._update(self._clock())
            self._chunk_tokens = max(min(wanted, self._settings.min_chunk_tokens), int(wanted * share))
            return self._chunk_tokens

    def threads(self) -> int:
        """How many threads the next step may take."""
        with self._lock:
            self._update(self._clock())
            return self.most_threads - self._cores.given

    def may_start(self, priority: Priority) -> bool:
        """Whether work of a class may step now; ask again later, as the share recovers by time alone."""
        with self._lock:
            return self._update(self._clock()) >= DEFERRED_BELOW.get(priority, 0.0)

    def stats(self) -> GovernorStats:
        """The figures now."""
        with self._lock:
            share = self._update(self._clock())
            return GovernorStats(
                is_throttling=self._is_throttling,
                frame_s=self._frame_s,
                budget_s=self._limit_s(),
                share=share,
                chunk_tokens=self._chunk_tokens,
                threads=self.most_threads - self._cores.given,
                frames=self._frames,
                late_frames=self._late_frames,
                slowdowns=self._slowdowns,
                recoveries=self._recoveries,
            )

    def _limit_s(self) -> float:
        """Above it a frame is late."""
        return self._settings.tolerance * max(self._settings.frame_budget_s, self._quiet_s)

    def _slow_down(self, now: float) -> None:
        """A late frame: first a core, then time. Mutates: both."""
        if now - self._slowed_at < SETTLE_S:
            return
        if not self._cores.give(now):
            self._share.slow_down(now)
        self._slowed_at = now
        self._slowdowns += 1
        self._is_throttling = True

    def _update(self, now: float) -> float:
        """The share by now. Mutates: what comes back by time, and all at once where the game has gone silent."""
        if self._is_throttling and now - self._reported_at > SILENCE_S:
            self._share.reset()
            self._cores.reset()
        share = self._share.at(now)
        if share >= 1:
            self._cores.retake(now)
            if self._is_throttling and not self._cores.given:
                self._is_throttling = False
                self._recoveries += 1
        return share
