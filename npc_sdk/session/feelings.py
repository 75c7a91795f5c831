"""How each NPC feels about each player, as it was moved by what happened. Owned by the world, read by every scene."""

from __future__ import annotations

from npc_sdk.persona.schema import Persona
from npc_sdk.persona.temper import Temper, faded, moved, start_temper

MAX_TEMPERS = 4096


class Feelings:
    """Tempers by NPC and player; whoever was never met has the one that the persona starts with."""

    def __init__(self) -> None:
        self._tempers: dict[tuple[str, str], Temper] = {}

    def of(self, npc_id: str, persona: Persona, player: str) -> Temper:
        """How the NPC feels about the player now."""
        return self._tempers.get((npc_id, player)) or start_temper(persona)

    def happen(self, npc_id: str, persona: Persona, player: str, happening: str) -> None:
        """A tool of the NPC was used, or an event of the world came about."""
        self._keep(npc_id, player, moved(persona, self.of(npc_id, persona, player), happening))

    def fade(self, npc_id: str, persona: Persona, player: str) -> None:
        """An exchange has passed."""
        self._keep(npc_id, player, faded(persona, self.of(npc_id, persona, player)))

    def _keep(self, npc_id: str, player: str, temper: Temper) -> None:
        """The oldest go where there are too many players to know."""
        self._tempers.pop((npc_id, player), None)
        self._tempers[(npc_id, player)] = temper
        while len(self._tempers) > MAX_TEMPERS:
            del self._tempers[next(iter(self._tempers))]
