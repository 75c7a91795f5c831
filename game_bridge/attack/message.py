"""B1: messages of a client's made wrong, in-process by the million and over a real socket."""

from __future__ import annotations

from collections.abc import Callable

from game_bridge.attack import message_desk, message_line
from game_bridge.attack.child import found_by
from game_bridge.attack.verdict import Figure, Verdict

WHOLE, SHORT = 1_000_000, 30_000
WHOLE_LINE, SHORT_LINE = 100_000, 3_000
MAX_GROWTH_MB = 20.0


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """First in-process, then over sockets."""
    count, line_count = (WHOLE, WHOLE_LINE) if is_whole else (SHORT, SHORT_LINE)
    found, crash = found_by("game_bridge.attack.message_desk", count, say)
    desk = message_desk.Tally(**found)
    line = message_line.attack(line_count, 2, say)
    figures = (*_desk_figures(desk, count, crash), *_line_figures(line, line_count))
    codes = ", ".join(f"{code} {number}" for code, number in sorted(desk.refusals.items()))
    notes = (f"refusals in-process: {codes}", *desk.crashes[:3], *line.wrong[:3], *([crash] if crash else []))
    return Verdict("B1", "mutated messages, in-process and over a socket", figures, notes)


def _desk_figures(tally: message_desk.Tally, count: int, crash: str) -> tuple[Figure, ...]:
    refused = sum(tally.refusals.values())
    return (
        Figure("messages in-process", tally.sent, least=count),
        Figure("refused with a type", refused, least=1),
        Figure("answered otherwise", tally.answers - refused, least=1),
        Figure("crashes in-process", len(tally.crashes) + bool(crash), limit=0),
        Figure("over 100 ms in-process", tally.hangs, limit=0),
        Figure("slowest in-process", tally.slowest_ms, "ms", limit=message_desk.HANG_MS),
        Figure("slowest turn of the loop", tally.slowest_turn_ms, "ms", limit=message_desk.HANG_MS),
        Figure("slowest in-process by the clock", tally.slowest_clock_ms, "ms"),
        Figure("memory growth in-process", tally.growth_mb, "MB", limit=MAX_GROWTH_MB),
    )


def _line_figures(tally: message_line.LineTally, count: int) -> tuple[Figure, ...]:
    return (
        Figure("messages over sockets", tally.sent, least=count),
        Figure("refused over sockets", tally.refusals, least=1),
        Figure("answers that are none", len(tally.wrong), limit=0),
        Figure("batches without an answer", tally.unanswered, limit=0),
        Figure("server crashes", float(not tally.is_alive), limit=0),
        Figure("pings of an honest client lost", tally.lost_trips, limit=0),
        Figure("wait of an honest client, p99", tally.wait_ms(0.99), "ms", limit=message_line.MAX_WAIT_MS),
        Figure("wait of an honest client, longest", tally.wait_ms(1.0), "ms"),
        Figure("memory growth of the server", tally.growth_mb, "MB", limit=MAX_GROWTH_MB),
    )
