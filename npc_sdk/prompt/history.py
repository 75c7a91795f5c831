"""Which exchanges of a conversation get into a prompt: the newest that fit, the oldest go first.

What cannot get in is not even looked at, so that a long conversation costs no more than what the window holds of it.
Called by compile.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from npc_sdk.messages import Message
from npc_sdk.prompt.formats.interface import ChatFormat
from npc_sdk.prompt.pack import Budget
from npc_sdk.prompt.trace import Part
from npc_sdk.requests import Segment

Counter = Callable[[Sequence[Segment]], int]

TRIM_STEP = 4  # exchanges dropped together: a prefix that moves every turn could never be reused


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and how it is rendered, which is done once."""

    message: Message
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class _Exchange:
    turns: tuple[Turn, ...]
    tokens: int


class History:
    """Mutates: keeps what it has rendered and counted, as the same history may be chosen from several times."""

    def __init__(self, messages: Sequence[Message], chat_format: ChatFormat, count: Counter) -> None:
        self._messages = messages
        self._chat_format = chat_format
        self._count = count
        # cut before each of the player's turns; what stands before the first is an exchange of its own
        self._starts = [at for at, message in enumerate(messages) if message.role == "user" or not at]
        self._measured: list[_Exchange] = []  # the newest first

    def choose(self, budget: Budget) -> tuple[Turn, ...]:
        """The newest exchanges that fit; those that go, go TRIM_STEP at a time while any would be left.

        Mutates: budget.
        """
        total = len(self._starts)
        start = _stepped(total - self._fitting(budget.left), total)
        kept = list(reversed(self._measured[: total - start]))
        budget.parts += self._left_out(start, budget.left)
        for index, exchange in enumerate(kept, start):
            budget.parts.append(Part("history", _name(index), exchange.tokens, True, "recent"))
        budget.left -= sum(exchange.tokens for exchange in kept)
        return tuple(turn for exchange in kept for turn in exchange.turns)

    def _fitting(self, room: int) -> int:
        """How many of the newest exchanges fit."""
        for number in range(len(self._starts)):
            if number == len(self._measured):
                self._measured.append(self._measure(len(self._starts) - 1 - number))
            room -= self._measured[number].tokens
            if room < 0:
                return number
        return len(self._starts)

    def _left_out(self, start: int, room: int) -> Iterator[Part]:
        """The account of those that are out. Those before one that does not fit are not counted: they say 0."""
        for index in range(start):
            number = len(self._starts) - 1 - index
            is_measured = number < len(self._measured)
            tokens = self._measured[number].tokens if is_measured else 0
            why = f"oldest go first; {room} tokens left for history" + ("" if is_measured else "; not counted")
            yield Part("history", _name(index), tokens, False, why)

    def _measure(self, index: int) -> _Exchange:
        end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._messages)
        bare = [_bare(message) for message in self._messages[self._starts[index] : end]]
        turns = tuple(Turn(message, tuple(self._chat_format.turn(message))) for message in bare)
        return _Exchange(turns, self._count([segment for turn in turns for segment in turn.segments]))


def _bare(message: Message) -> Message:
    """Without what was there for its own turn only."""
    return dataclasses.replace(message, contexts=(), images=()) if message.contexts or message.images else message


def _stepped(first: int, total: int) -> int:
    """A whole number of steps in, unless that would leave none of what fits."""
    stepped = -(-first // TRIM_STEP) * TRIM_STEP
    return stepped if stepped < total else first


def _name(index: int) -> str:
    return f"exchange {index + 1}"
