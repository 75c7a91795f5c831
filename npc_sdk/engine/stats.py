"""What an engine did: figures of each request that ended, and of the engine as a whole.

Knows no torch. An engine's own thread writes the recorder; anyone may read a snapshot, also over the bridge.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from npc_sdk.events import Timings

End: TypeAlias = Literal["stop", "length", "cancelled", "failed"]
KEPT_REQUESTS = 64
KEPT_FRONTS = 16
KEPT_LAYERS = 256  # of each width; what was slow once is forgotten after some steps
NARROW_ROWS = 64  # in a step; more are a piece of a prompt


@dataclass(frozen=True, slots=True)
class RequestStats:
    """One request that ended. prefill_s counts the steps that its prompt was part of.

    forced_tokens were settled by the constraint and not drawn; mask_s went into keeping to it.

    Units: seconds, tokens. gap_s are the times between tokens; both are 0 for replies of fewer than two.
    """

    request_id: str
    end: End
    prompt_tokens: int
    reused_tokens: int
    new_tokens: int
    timings: Timings
    median_gap_s: float
    longest_gap_s: float
    forced_tokens: int = 0
    mask_s: float = 0.0

    @property
    def tokens_per_s(self) -> float:
        """Of the reply, after its first token; 0 where there was no second."""
        return (self.new_tokens - 1) / self.timings.decode_s if self.timings.decode_s else 0.0


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Units: bytes. used_bytes are held by running sequences, kept_bytes by prefixes for later prompts alone."""

    pool_bytes: int = 0
    used_bytes: int = 0
    kept_bytes: int = 0
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class GovernorStats:
    """How far the engine gives way to the game. share is the part of the time that it works, 1 unless throttled.

    threads is what it computes with, fewer while the game needs a core; 0 where nobody governs them.

    Units: frame_s is the game's frame time, smoothed; budget_s what it may take; chunk_tokens the most of a step.
    """

    is_throttling: bool = False
    frame_s: float = 0.0
    budget_s: float = 0.0
    share: float = 1.0
    chunk_tokens: int = 0
    threads: int = 0
    frames: int = 0
    late_frames: int = 0
    slowdowns: int = 0
    recoveries: int = 0


@dataclass(frozen=True, slots=True)
class LifeStats:
    """Signs of life from inside a step. progress grows with each layer; has_job: a front is copied between two steps.

    layer_s is the longest that a layer took lately, 0 where none was made, in steps as is_wide says of the one under
    way: a piece of a prompt takes many times what words of replies do.
    """

    progress: int = 0
    has_job: bool = False
    is_wide: bool = False
    layer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine so far. batch_sizes maps a number of sequences to the steps that had so many; requests are the last
    to have ended, the latest last: first prompts' fronts that were only computed, then replies. life is for who must
    tell a slow engine from a hung one.
    """

    running: int = 0
    waiting: int = 0
    cache: CacheStats = field(default_factory=CacheStats)
    governor: GovernorStats = field(default_factory=GovernorStats)
    steps: int = 0
    preemptions: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    batch_sizes: dict[int, int] = field(default_factory=dict)
    requests: tuple[RequestStats, ...] = ()
    life: LifeStats = field(default_factory=LifeStats)

    @property
    def mean_batch(self) -> float:
        """Sequences in a step, on average."""
        return sum(size * count for size, count in self.batch_sizes.items()) / self.steps if self.steps else 0.0


class Life:
    """What LifeStats tells, counted by the engine's own thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._progress = 0
        self._has_job = False
        self._is_wide = False
        self._since = 0.0
        self._layers_s: dict[bool, deque[float]] = {wide: deque(maxlen=KEPT_LAYERS) for wide in (False, True)}

    @contextmanager
    def step(self, rows: int) -> Iterator[None]:
        """One step of so many rows; others may run inside it."""
        around, self._is_wide = self._is_wide, rows > NARROW_ROWS
        self._since = self._clock()
        try:
            yield
            self.note_layer()  # the head
        finally:
            self._is_wide, self._since = around, self._clock()

    def note_layer(self) -> None:
        """A layer of the step under way is done."""
        now = self._clock()
        self._layers_s[self._is_wide].append(now - self._since)
        self._since = now
        self._progress += 1

    @contextmanager
    def job(self) -> Iterator[None]:
        """Work between two steps, which may take longer than any layer."""
        self._has_job = True
        try:
            yield
        finally:
            self._progress += 1
            self._has_job = False

    def snapshot(self) -> LifeStats:
        """The signs now."""
        is_wide = self._is_wide
        return LifeStats(self._progress, self._has_job, is_wide, max(tuple(self._layers_s[is_wide]), default=0.0))


@dataclass(slots=True)
class Recorder:
    """Counts while the engine runs. Readers on other threads copy a container in one call of the interpreter's."""

    steps: int = 0
    preemptions: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    life: Life = field(default_factory=Life)
    batch_sizes: dict[int, int] = field(default_factory=dict)
    replies: deque[RequestStats] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    fronts: deque[RequestStats] = field(default_factory=lambda: deque(maxlen=KEPT_FRONTS))  # typing makes many

    def note_step(self, members: int) -> None:
        """Counts a step of so many sequences."""
        self.steps += 1
        self.batch_sizes[members] = self.batch_sizes.get(members, 0) + 1

    def note_end(self, request: RequestStats, *, is_front: bool) -> None:
        """Keeps the figures of a request that ended."""
        (self.fronts if is_front else self.replies).append(request)

    def note_draft(self, drafted: int, accepted: int) -> None:
        """Counts guessed tokens that were in a step, and those of them that came true."""
        self.drafted_tokens += drafted
        self.accepted_tokens += accepted

    def snapshot(self, *, running: int, waiting: int, cache: CacheStats, governor: GovernorStats) -> EngineStats:
        """The figures now."""
        return EngineStats(
            running=running,
            waiting=waiting,
            cache=cache,
            governor=governor,
            steps=self.steps,
            preemptions=self.preemptions,
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
            batch_sizes=dict(self.batch_sizes),
            requests=(*tuple(self.fronts), *tuple(self.replies)),
            life=self.life.snapshot(),
        )


def gaps(times_s: list[float]) -> tuple[float, float]:
    """The median and the longest of the times between tokens."""
    return (statistics.median(times_s), max(times_s)) if times_s else (0.0, 0.0)
