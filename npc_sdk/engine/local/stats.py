"""What the engine did: figures of each request that ended, and of the engine as a whole.

Knows no torch. The worker's thread writes the recorder; anyone may read a snapshot.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from npc_sdk.events import Timings

End: TypeAlias = Literal["stop", "length", "cancelled", "failed"]
KEPT_REQUESTS = 64


@dataclass(frozen=True, slots=True)
class RequestStats:
    """One request that ended. prefill_s counts the steps that its prompt was part of.

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
class EngineStats:
    """The engine so far. batch_sizes maps a number of sequences to the steps that had so many; requests are the last
    to have ended, the latest last.
    """

    running: int
    waiting: int
    cache: CacheStats
    steps: int
    preemptions: int
    batch_sizes: dict[int, int]
    requests: tuple[RequestStats, ...]

    @property
    def mean_batch(self) -> float:
        """Sequences in a step, on average."""
        return sum(size * count for size, count in self.batch_sizes.items()) / self.steps if self.steps else 0.0


@dataclass(slots=True)
class Recorder:
    """Counts while the engine runs. Readers on other threads copy a container in one call of the interpreter's."""

    steps: int = 0
    preemptions: int = 0
    batch_sizes: dict[int, int] = field(default_factory=dict)
    requests: deque[RequestStats] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))

    def note_step(self, members: int) -> None:
        """Counts a step of so many sequences."""
        self.steps += 1
        self.batch_sizes[members] = self.batch_sizes.get(members, 0) + 1

    def snapshot(self, *, running: int, waiting: int, cache: CacheStats) -> EngineStats:
        """The figures now."""
        sizes, requests = dict(self.batch_sizes), tuple(self.requests)
        return EngineStats(running, waiting, cache, self.steps, self.preemptions, sizes, requests)


def gaps(times_s: list[float]) -> tuple[float, float]:
    """The median and the longest of the times between tokens."""
    return (statistics.median(times_s), max(times_s)) if times_s else (0.0, 0.0)
