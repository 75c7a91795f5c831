"""A game that does nothing but keep time: ``python -m npc_sdk.bench.runner.game SECONDS`` prints each frame's seconds.

Every frame computes for a while on one core and then sleeps until it is due, as a game does that waits for the screen.
"""

from __future__ import annotations

import sys
import time

FRAME_S = 1 / 60
WORK_S = 0.006  # of processor time in every frame
FIRST_FRAMES = 30  # not told: the process is still warming up


def play(length_s: float) -> None:
    """As many frames as fit into so many seconds; a game that is kept from them takes longer."""
    shown = time.perf_counter()
    for number in range(round(length_s / FRAME_S)):
        _work()
        time.sleep(max(0.0, shown + FRAME_S - time.perf_counter()))
        last, shown = shown, time.perf_counter()
        if number >= FIRST_FRAMES:
            sys.stdout.write(f"{shown - last:.6f}\n")
            sys.stdout.flush()


def _work() -> None:
    """Takes a fixed amount of processor time, however long that lasts beside others."""
    until = time.thread_time() + WORK_S
    while time.thread_time() < until:
        sum(range(200))


if __name__ == "__main__":
    play(float(sys.argv[1]))
