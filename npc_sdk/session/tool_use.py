"""When each tool of one NPC last reached the game, so that quotas and cooldowns hold across sessions.

Knows no rules. Kept by the scene, written by the call desk, read by the toolbelt. Units: seconds of a clock that never
goes back.
"""

from __future__ import annotations

from collections import deque

MINUTE_S = 60.0


class ToolUse:
    """One NPC's. Mutates: note adds a call, and forgets what is older than a minute but for the last."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def note(self, name: str, now_s: float) -> None:
        """A call of this tool has reached the game."""
        times = self._times.setdefault(name, deque())
        times.append(now_s)
        while now_s - times[0] >= MINUTE_S:
            times.popleft()

    def within_minute(self, name: str, now_s: float) -> int:
        """How many calls came in the last minute."""
        return sum(now_s - time_s < MINUTE_S for time_s in self._times.get(name, ()))

    def idle_s(self, name: str, now_s: float) -> float | None:
        """The time since the last call; None where there was none."""
        times = self._times.get(name)
        return now_s - times[-1] if times else None
