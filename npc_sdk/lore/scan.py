"""What a search goes by: who asks, what was said, and what earlier turns left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from npc_sdk.lore.entry import NO_TIMERS, Timers
from npc_sdk.messages import JsonValue


@dataclass(frozen=True, slots=True)
class Viewer:
    """The character that may know an entry. variables are the game's state as it sees it; place is a place's id.

    learned holds the ids of entries that it came to know in play, whatever their scope. today is a day of the
    calendar, None where the world has none.
    """

    npc_id: str
    factions: frozenset[str] = frozenset()
    place: str = ""
    today: int | None = None
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    learned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scan:
    """messages are those of the conversation, oldest first; the last are the player's words of this turn.

    earlier counts messages before these that are no longer at hand. chance is what draws are made from: the same for a
    guess ahead of the player and for the reply itself. query is what words and meaning are searched for where that is
    not the player's words; keys, rules and timers go by the messages all the same.
    """

    viewer: Viewer
    messages: tuple[str, ...]
    timers: Timers = NO_TIMERS
    chance: str = ""
    earlier: int = 0
    query: str = ""

    @property
    def chat_length(self) -> int:
        """How many messages there have been, these included."""
        return self.earlier + len(self.messages)

    @property
    def words(self) -> str:
        """The player's words."""
        return self.messages[-1] if self.messages else ""
