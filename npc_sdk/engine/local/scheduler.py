"""Chooses which sequence takes the next step: the highest priority, and in turns among equals.

Pure bookkeeping: no model, no clock. At most max_running sequences hold a cache; a higher priority takes a lower
one's place. Called by worker.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.engine.local.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Schedule:
    """The sequence that steps, and one that must give up its cache for it."""

    sequence: Sequence
    preempted: Sequence | None = None


class Scheduler:
    """Every live sequence, in order of arrival."""

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._live: list[Sequence] = []
        self._turn = 0

    @property
    def live(self) -> tuple[Sequence, ...]:
        """Sequences that have not ended."""
        return tuple(self._live)

    def add(self, sequence: Sequence) -> None:
        """Takes a new sequence; it waits behind those of its priority that wait already. Mutates: its turn."""
        sequence.turn = self._turn
        self._live.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forgets a sequence that ended."""
        self._live.remove(sequence)

    def schedule(self) -> Schedule | None:
        """Who steps next; None where nobody is live. Mutates: the chosen one's turn."""
        if not self._live:
            return None
        holders = [one for one in self._live if one.cache is not None]
        chosen, preempted = min(self._live, key=_order), None
        if chosen.cache is None and len(holders) >= self._max_running:
            lowest = max(holders, key=_order)
            if chosen.request.priority < lowest.request.priority:
                preempted = lowest
            else:
                chosen = min(holders, key=_order)
        self._turn += 1
        chosen.turn = self._turn
        return Schedule(chosen, preempted)


def _order(sequence: Sequence) -> tuple[int, int]:
    """Priority first, then who stepped longest ago; min() keeps the earlier arrival among equals."""
    return int(sequence.request.priority), sequence.turn
