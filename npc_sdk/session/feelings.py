"""How each NPC feels about each player, as it was moved by what happened. Owned by the world, read by every scene.

Only what was moved is kept: what a persona starts with may be edited while the game runs.
"""

from __future__ import annotations

import logging
from types import MappingProxyType

from npc_sdk.persona.schema import Persona
from npc_sdk.persona.temper import Temper, faded, moved, start_temper

MAX_TEMPERS = 4096

log = logging.getLogger(__name__)


class Feelings:
    """What was moved, by NPC and player."""

    def __init__(self) -> None:
        self._moved: dict[tuple[str, str], Temper] = {}

    def of(self, npc_id: str, persona: Persona, player: str) -> Temper:
        """How the NPC feels about the player now."""
        start, own = start_temper(persona), self._moved.get((npc_id, player))
        if own is None:
            return start
        relation = {other: own.relation.get(other, level) for other, level in start.relation.items()}
        return Temper(own.mood or start.mood, own.mood_age, MappingProxyType(relation))

    def happen(self, npc_id: str, persona: Persona, player: str, happening: str) -> None:
        """A tool of the NPC was used, or an event of the world came about."""
        self._keep(npc_id, persona, player, moved(persona, self.of(npc_id, persona, player), happening))

    def fade(self, npc_id: str, persona: Persona, player: str, messages: int) -> None:
        """So many messages have passed between them."""
        self._keep(npc_id, persona, player, faded(persona, self.of(npc_id, persona, player), messages))

    def _keep(self, npc_id: str, persona: Persona, player: str, temper: Temper) -> None:
        """The oldest go where there are too many players to know."""
        start = start_temper(persona)
        relation = {other: level for other, level in temper.relation.items() if level != start.relation.get(other)}
        mood = temper.mood if temper.mood != start.mood else ""
        self._moved.pop((npc_id, player), None)
        if mood or relation:
            self._moved[(npc_id, player)] = Temper(mood, temper.mood_age, MappingProxyType(relation))
        if len(self._moved) > MAX_TEMPERS:
            oldest = next(iter(self._moved))
            log.warning("%s no longer knows what to think of %r: %d players are remembered", *oldest, MAX_TEMPERS)
            del self._moved[oldest]
