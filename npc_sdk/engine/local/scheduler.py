"""Chooses who is in the next step: the most urgent class, all its replies together and one of its prompts.

Pure bookkeeping: no model, no clock of its own. At most max_running sequences hold blocks; a more urgent class takes
a lower one's place, and the whole model between two layers of a lower one's step. Called by worker.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.requests import Priority

# Of a prompt in one step. Restoring the int4 weights costs as much as 100 rows, so a player's prompt that delays nobody
# gets many; 192, beside replies or of a lower class, is how long these or a player's next words wait.
CHUNK_TOKENS = 512
BUSY_CHUNK_TOKENS = 192
AGEING_S = 5.0  # a request climbs one class for every so many seconds since it arrived


def always(_priority: Priority) -> bool:
    """Nobody is deferred."""
    return True


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: replies that get a token, the prompt that gets a chunk, those who must give up their blocks first.

    urgency is the class of all its members; 0 is the most urgent.
    """

    decoding: tuple[Sequence, ...] = ()
    prefill: Sequence | None = None
    chunk_tokens: int = CHUNK_TOKENS
    preempted: tuple[Sequence, ...] = ()
    urgency: int = 0

    @property
    def members(self) -> tuple[Sequence, ...]:
        """Everyone in the step, replies first."""
        return self.decoding if self.prefill is None else (*self.decoding, self.prefill)


@dataclass(slots=True)
class Scheduler:
    """Every live sequence. Equals share each step.

    Of those that wait, whose first word is due soonest comes first, then whose NPC was served least, then who came
    first.
    """

    max_running: int
    chunk_tokens: int = CHUNK_TOKENS
    busy_chunk_tokens: int = BUSY_CHUNK_TOKENS
    ageing_s: float = AGEING_S
    _live: list[Sequence] = field(default_factory=list)
    _arrivals: int = 0
    _served: dict[str, int] = field(default_factory=dict)  # tokens, by NPC, of those that have somebody live
    _held: list[Sequence] = field(default_factory=list)

    @property
    def live(self) -> tuple[Sequence, ...]:
        """Sequences that have not ended."""
        return tuple(self._live)

    @property
    def free(self) -> tuple[Sequence, ...]:
        """Live sequences that are not in the middle of a step."""
        return tuple(one for one in self._live if one not in self._held)

    def add(self, sequence: Sequence) -> None:
        """Takes a new sequence. Mutates: its arrival."""
        self._arrivals += 1
        sequence.arrival = self._arrivals
        # An NPC that was silent starts level with the least served: it is owed nothing for its silence.
        self._served.setdefault(sequence.request.npc_id, min(self._served.values(), default=0))
        self._live.append(sequence)

    def note_served(self, sequence: Sequence, tokens: int) -> None:
        """Counts what an NPC got of a step."""
        self._served[sequence.request.npc_id] += tokens

    @contextmanager
    def hold(self, members: Collection[Sequence]) -> Iterator[None]:
        """Keeps the members of a step out of every plan until it is over."""
        self._held.extend(members)
        try:
            yield
        finally:
            del self._held[len(self._held) - len(members) :]

    def remove(self, sequence: Sequence) -> None:
        """Forgets a sequence that ended."""
        self._live.remove(sequence)
        npc_id = sequence.request.npc_id
        if all(one.request.npc_id != npc_id for one in self._live):
            del self._served[npc_id]

    def plan(self, now: float, above: int | None = None, may_step: Callable[[Priority], bool] = always) -> Plan | None:
        """Who steps next; None where nobody is live, may step, or is of a more urgent class than above.

        Units: now in seconds of time.perf_counter.
        """
        if above is not None:  # those in the middle of a step age too
            above = min((above, *(self._class(one, now) for one in self._held)))
        ranked = [one for one in self._ranked(now) if one not in self._held and may_step(one.request.priority)]
        if not ranked or (above is not None and self._class(ranked[0], now) >= above):
            return None
        running, waiting = ranked[: self.max_running], ranked[self.max_running :]
        best = self._class(ranked[0], now)
        members = [one for one in running if self._class(one, now) == best]
        decoding = tuple(one for one in members if one.is_decoding)
        prefill = next((one for one in members if not one.is_decoding), None)
        return Plan(
            decoding,
            prefill,
            chunk_tokens=self._chunk(prefill, is_alone=not decoding),
            preempted=tuple(one for one in waiting if one.lease is not None),
            urgency=best,
        )

    def victim(self, sequence: Sequence, spared: Collection[Sequence], now: float) -> Sequence | None:
        """The least urgent holder of blocks that ranks behind a sequence and is not spared; None where none does."""
        ranked = self._ranked(now)
        behind = ranked[ranked.index(sequence) + 1 :]
        kept = (*spared, *self._held)
        return next((one for one in reversed(behind) if one.lease is not None and one not in kept), None)

    def _ranked(self, now: float) -> list[Sequence]:
        """The most urgent first.

        Age brings a share of the steps; a place among those that run goes to the higher priority all the same, and
        among equals to who has it.
        """
        return sorted(
            self._live,
            key=lambda one: (
                self._class(one, now),
                one.request.priority,
                one.lease is None,
                one.start_by,
                self._served[one.request.npc_id],
                one.arrival,
            ),
        )

    def _chunk(self, prefill: Sequence | None, *, is_alone: bool) -> int:
        """Tokens that a prompt gets: many only where no reply and no player waits for the step to end."""
        is_player = prefill is not None and prefill.request.priority == Priority.PLAYER
        return self.chunk_tokens if is_alone and is_player else min(self.chunk_tokens, self.busy_chunk_tokens)

    def _class(self, sequence: Sequence, now: float) -> int:
        """A priority with its age taken off; 0 is the most urgent."""
        if sequence.is_prefill and sequence.request.priority == Priority.BACKGROUND:
            return int(Priority.BACKGROUND)  # a guess: nobody waits for it
        climbed = int((now - sequence.clock.arrived) / self.ageing_s)
        return max(0, int(sequence.request.priority) - climbed)
