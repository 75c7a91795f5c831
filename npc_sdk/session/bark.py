"""What an NPC says when no model answers for it: one of its persona's barks, each in its turn.

Knows no model and no conversation: a bark is in no history and no memory. Owned by the cast, asked by replies.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from npc_sdk.errors import EngineError, NpcError, ReplyTimeout


class Barks:
    """Which bark each NPC had last, in all its conversations; an edit of its persona goes on from there."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def next(self, npc_id: str, lines: Sequence[str]) -> str:
        """The line after the last one; "" where there is none. Never the same twice in a row, of two or more.

        NPCs begin at different lines, so that those who share a kind's barks do not speak in chorus.
        """
        choice = tuple(dict.fromkeys(lines))
        if not choice:
            return ""
        last = self._last.get(npc_id)
        index = choice.index(last) + 1 if last in choice else zlib.crc32(npc_id.encode())
        self._last[npc_id] = choice[index % len(choice)]
        return self._last[npc_id]


def is_barked_at(error: NpcError) -> bool:
    """Whether a reply failed for want of a model: not where the caller asked wrongly, or words would come too late."""
    return isinstance(error, EngineError | ReplyTimeout)
