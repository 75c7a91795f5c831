"""How the model's steps are taken: with how many threads, and with which rests between layers.

Does what the governor says and what step times teach. Knows no requests. Owned by the worker's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from npc_sdk.engine.local.governor import Governor
from npc_sdk.engine.local.idle_cores import IdleCores
from npc_sdk.engine.local.thread_choice import ThreadChoice


class Pace:
    """Wraps every step. Where the governor has no threads to govern, their number stays as it is."""

    def __init__(
        self,
        governor: Governor,
        *,
        set_threads: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        idle_cores: Callable[[], float | None] | None = None,
    ) -> None:
        self._governor = governor
        self._choice = ThreadChoice(governor.most_threads)
        self._set_threads = set_threads
        self._clock = clock
        self._sleep = sleep
        self._idle_cores = IdleCores().now if idle_cores is None else idle_cores
        self._since = clock()  # the end of the last rest
        self._events = 0  # steps begun, rests taken, cores given
        self._depth = 0
        self._threads = 0  # as last set; OpenMP keeps a count for each thread, so the first step must set it

    @contextmanager
    def step(self, rows: int) -> Iterator[None]:
        """One step of so many rows; others may run inside it. Mutates: torch's thread count for the calling thread."""
        self._events += 1
        events, before = self._events, self._threads
        threads = self._take_threads(rows)
        self._since = started = self._clock()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth and before != self._threads:
                self._set(before)  # the step around it goes on with what it chose
        if events == self._events:  # nobody else's step and no rest were in it
            self._choice.note(rows, threads, self._clock() - started, self._idle_cores())

    def between_layers(self) -> None:
        """Gives a core at once, as a step may take seconds, and sleeps once what was done is worth a rest.

        Mutates: torch's thread count for the calling thread.
        """
        if self._governor.threads() < self._threads:
            self._events += 1
            self._set(self._governor.threads())
        done = self._clock()
        rest_s = self._governor.rest_s(done - self._since)
        self._since = done
        if rest_s:
            self._events += 1
            self._sleep(rest_s)
            self._since = self._clock()
            self._governor.note_rest(self._since - done)

    def _take_threads(self, rows: int) -> int:
        """The count for a step, set where it differs from the last."""
        if not self._governor.most_threads:
            return 0
        threads = self._choice.threads(rows, self._governor.threads())
        if threads != self._threads:
            self._set(threads)
        return threads

    def _set(self, threads: int) -> None:
        self._set_threads(threads)
        self._threads = threads
