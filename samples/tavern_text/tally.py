"""What an evening came to, counted from the events that the server sent; the summary at its end."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolSettled


@dataclass(slots=True)
class Tally:
    """Units: first_token_s and decode_s in seconds; decoded counts the tokens after each reply's first."""

    lines: int = 0
    rephrased: int = 0
    failed: int = 0
    npcs: Counter[str] = field(default_factory=Counter)
    calls: dict[str, Counter[str]] = field(default_factory=dict)
    first_token_s: list[float] = field(default_factory=list)
    decoded: int = 0
    decode_s: float = 0.0

    def said(self, npc_name: str) -> None:
        """Mutates: one more line of the player's, to this character."""
        self.lines += 1
        self.npcs[npc_name] += 1

    def saw(self, event: Event) -> None:
        """Mutates: what this event adds."""
        if isinstance(event, ToolSettled):
            self.calls.setdefault(event.result.status, Counter())[event.result.name] += 1
        elif isinstance(event, ReplyFailed):
            self.failed += 1
        elif isinstance(event, ReplyFinished) and event.usage.completion_tokens:
            self.first_token_s.append(event.timings.first_token_s)
            self.decoded += event.usage.completion_tokens - 1
            self.decode_s += event.timings.decode_s

    def tools(self, status: str) -> Counter[str]:
        """How often each tool ended so."""
        return self.calls.get(status, Counter())

    def summary(self, quests: dict[str, str]) -> list[tuple[str, str]]:
        """Titles and values, in the order they are shown."""
        rows = [
            ("lines", f"{self.lines} ({self.rephrased} of them rephrased)"),
            ("characters", _counted(self.npcs)),
            ("tools accepted", _counted(self.tools("accepted"))),
            ("tools refused", _counted(self.tools("refused"))),
        ]
        rows += [
            (f"tools {status}", _counted(self.tools(status))) for status in ("invalid", "timeout") if self.tools(status)
        ]
        rows += [("replies failed", str(self.failed))] if self.failed else []
        rows += [("quests", "; ".join(f"{name}: {status}" for name, status in quests.items()))]
        return [*rows, ("first token, median", self._median()), ("tokens a second", self._speed())]

    def _median(self) -> str:
        return f"{statistics.median(self.first_token_s):.2f} s" if self.first_token_s else "not measured"

    def _speed(self) -> str:
        return f"{self.decoded / self.decode_s:.1f}" if self.decode_s > 0 else "not measured"


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in names.items()) or "none"
