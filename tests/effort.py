"""How much of a core something may take, whatever else the machine or this process has to do."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

PROBE_S = 0.008  # of a core as that on which the limits were set


@contextmanager
def effort_below(limit_s: float) -> Iterator[None]:
    """Fails where the block takes the calling thread more processor time than so much of such a core.

    A slower core gets more, by a probe before and after. Other threads, other processes, a pause and the garbage that
    other tests left do not count.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        before = _probe_s()
        started = time.thread_time()
        yield
        took_s = time.thread_time() - started
        slowness = max(1.0, before / PROBE_S, _probe_s() / PROBE_S)
    finally:
        if was_on:
            gc.enable()
    assert took_s < limit_s * slowness, f"{took_s:.2f} s on a core that is {slowness:.1f} times slower"


def _probe_s() -> float:
    """What a fixed piece of work takes this core now."""
    started, total = time.thread_time(), 0
    for number in range(300_000):
        total += number & 7
    assert total
    return time.thread_time() - started
