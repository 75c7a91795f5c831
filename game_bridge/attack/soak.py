"""B5: a million streamed words to 200 clients that are cut off at random: none lost, none doubled, none misrouted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from game_bridge.attack.verdict import Figure, Verdict
from game_bridge.soak.stream import CUT_SHARE, StreamReport, run_stream

_WHOLE, _SHORT = (1_000_000, 200), (40_000, 40)
_SEED = 5
_FLAT_MB = 20.0  # more than a warm server may still grow


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Raises: an ExceptionGroup of ConnectionLost where the server is mute."""
    events, clients = _WHOLE if is_whole else _SHORT
    report = asyncio.run(run_stream(events, clients, _SEED, say=say))
    notes = (
        f"{clients} clients; {CUT_SHARE:.0%} of the replies are cut off by the client's socket, half of these resumed",
        f"{report.score.asked} replies: {report.score.finished} whole, {report.score.abandoned} left by their client",
    )
    return Verdict("B5", "a soak with random disconnects", figures_of(report, is_whole), notes)


def figures_of(report: StreamReport, is_whole: bool) -> tuple[Figure, ...]:
    """A soak's report beside the limits. One too short to fill the server's caches is only told its growth."""
    score = report.score
    return (
        Figure("streamed words", score.events),
        Figure("lost", score.lost, limit=0),
        Figure("doubled", score.doubled, limit=0),
        Figure("misrouted", score.misrouted, limit=0),
        Figure("unexpected ends", score.broken.total(), limit=0),
        Figure("left in the server", report.left, limit=0),
        Figure("cuts", score.cuts),
        Figure("resumed", score.resumed),
        Figure("words a second", report.events_per_s, "/s"),
        Figure("memory, warm", report.before_mb, "MB"),
        Figure("memory, at the end", report.after_mb, "MB"),
        Figure(
            "growth of a warm server", report.after_mb - report.before_mb, "MB", limit=_FLAT_MB if is_whole else None
        ),
    )
