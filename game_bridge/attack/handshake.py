"""B2: malformed ZMTP from a process of its own, while an honest client pings and the server's memory is watched.

malformed.py has the bytes. The honest client's round trips are compared with those before the attack.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from game_bridge import message as wire
from game_bridge.attack.verdict import Figure, Verdict
from game_bridge.attack.victim import Probe, Victim, open_client, percentile, trip
from game_bridge.credential import TOKEN_VARIABLE
from npc_sdk.errors import ConnectionLost, EngineError

_ROOT = Path(__file__).parents[2]
MEMORY_LIMIT_MB = 256.0
SLOWER_LIMIT = 2.0
_SHARE = 0.99
_BASELINE_S, _ASSAULT_S = 10.0, 6.0
_SHORT_BASELINE_S, _SHORT_ASSAULT_S = 1.0, 0.2
_WARM_UP_S = 0.5  # the first round trips are slower
_END_S = 60.0


@dataclass(slots=True)
class Course:
    """What happened. trips_ms are the honest client's, by assault."""

    baseline_ms: list[float] = field(default_factory=list)
    trips_ms: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    start_mb: float = 0.0
    most_mb: float = 0.0
    errors: int = 0
    crashes: int = 0


def attack(victim: Victim, baseline_s: float, assault_s: float, say: Callable[[str], None]) -> Course:
    """Raises: EngineError where the attacker itself fails."""
    course = Course()
    with Probe(victim) as probe:
        time.sleep(_WARM_UP_S)
        start = probe.mark()
        while not course.baseline_ms:
            time.sleep(baseline_s)
            course.baseline_ms = _trips_ms(probe, start)
        course.start_mb = victim.memory_mb()
        with _attacker(victim, assault_s) as lines:
            for line in lines:
                word, name, *steps = line.split()
                if word == "begin":
                    say(f"{name.replace('_', ' ')} …")
                    start = probe.mark()
                else:
                    course.trips_ms[name] = _trips_ms(probe, start)
                    course.steps += int(steps[0])
        course.errors = probe.errors
    course.most_mb = victim.peak_mb()
    course.crashes = int(not victim.is_alive or not _serves(victim))
    return course


def _trips_ms(probe: Probe, start: int) -> list[float]:
    return [trip_s * 1_000 for trip_s in probe.trips_s[start:]]


@contextmanager
def _attacker(victim: Victim, assault_s: float) -> Iterator[Iterator[str]]:
    """What it prints. Raises: EngineError where it could not go on, as when the server takes nobody any more."""
    host, port = victim.host_and_port
    command = [sys.executable, "-m", "game_bridge.attack.malformed", host, str(port), str(assault_s)]
    environment = {**os.environ, TOKEN_VARIABLE: victim.token}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    assert process.stdout is not None
    try:
        with process.stdout as output:
            yield iter(output)
        if process.wait(_END_S):
            raise EngineError("the attack could not go on", hint="see what it printed")
    finally:
        process.kill()
        process.wait()


def _serves(victim: Victim) -> bool:
    """Whether a new client is let in and answered."""
    with zmq.Context() as context, open_client(context, victim) as socket:
        try:
            trip(socket, wire.Hello(ref=1, protocol=wire.PROTOCOL, client="after"))
        except ConnectionLost:
            return False
    return True


def figures_of(course: Course) -> tuple[Figure, ...]:
    """What was seen beside the limits."""
    before_ms = percentile(course.baseline_ms, _SHARE)
    during = [trip_ms for trips_ms in course.trips_ms.values() for trip_ms in trips_ms]
    worst = max((percentile(trips_ms, _SHARE), name) for name, trips_ms in course.trips_ms.items() if trips_ms)
    return (
        Figure("steps of the attack", course.steps),
        Figure("memory above the start, at most", course.most_mb - course.start_mb, "MB", limit=MEMORY_LIMIT_MB),
        Figure("round trips before", len(course.baseline_ms)),
        Figure("their p99", before_ms, "ms"),
        Figure("round trips during", len(during)),
        Figure("their p99, all", percentile(during, _SHARE), "ms"),
        Figure("how many times the p99 before", percentile(during, _SHARE) / before_ms, "x", limit=SLOWER_LIMIT),
        Figure(f"p99 of the worst assault ({worst[1].replace('_', ' ')})", worst[0], "ms"),
        Figure("round trips that did not come back", course.errors, limit=0),
        Figure("crashes", course.crashes, limit=0),
    )


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Raises: EngineError where the attack could not be carried out."""
    times = (_BASELINE_S, _ASSAULT_S) if is_whole else (_SHORT_BASELINE_S, _SHORT_ASSAULT_S)
    with Victim() as victim:
        course = attack(victim, *times, say)
    notes = (
        "the attacker is a process of its own with low priority (nice 10)",
        *(
            f"{name.replace('_', ' ')}: p99 {percentile(trips_ms, _SHARE):.2f} ms of {len(trips_ms)} round trips"
            for name, trips_ms in course.trips_ms.items()
        ),
    )
    return Verdict("B2", "malformed ZMTP", figures_of(course), notes)
