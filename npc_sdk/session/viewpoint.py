"""What the world looks like to one NPC while a player speaks to it: the variables of templates and conditions, and
who it is to the lore.

Knows no conversation. Made by the world, one an NPC; used by its scene.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from npc_sdk.lore.scan import Viewer
from npc_sdk.messages import JsonValue
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.temper import Temper, variables
from npc_sdk.session.feelings import Feelings
from npc_sdk.session.learned import Learned
from npc_sdk.session.state import GameState
from npc_sdk.session.state_check import overlaid, quest_faults


@dataclass(frozen=True, slots=True)
class View:
    """One moment. today_told is the date as people say it, empty where the world has none.

    faults tell what of the game's state could not be understood: nothing that hangs on it is known meanwhile.
    """

    player: str
    variables: Mapping[str, JsonValue]
    viewer: Viewer
    temper: Temper
    today_told: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Holds state, feelings and what was learned by reference: a view sees what they are at that moment.

    names are those of the whole cast, by npc_id.
    """

    npc_id: str
    persona: Persona
    world: WorldFile
    state: GameState
    feelings: Feelings
    learned: Learned
    names: Mapping[str, str]

    def view(self, player: str, extra: Mapping[str, JsonValue] | None = None) -> View:
        """The moment as it is for a player; extra is laid over what the game has set."""
        faults: list[str] = []
        told_by_game = {**self.state.seen_by(self.npc_id), **(extra or {})}
        faults += quest_faults(told_by_game.get("quests"), self.world.quests)
        temper = overlaid(self.feelings.of(self.npc_id, self.persona, player), told_by_game, faults)
        known: dict[str, JsonValue] = {**told_by_game, **variables(temper)}
        today = self._today(known.get("date"), faults)
        if today is not None and self.world.calendar is not None:
            known["date"] = self.world.calendar.parts(today)
            told = self.world.calendar.tell(today)
        else:
            told = ""
        viewer = Viewer(
            npc_id=self.npc_id,
            factions=frozenset(self.persona.factions),
            place=self._place(known.get("place"), faults),
            today=today,
            variables={**known, "player": player},
            learned=frozenset(self.learned.revealed(self.npc_id)),
        )
        return View(player, known, viewer, temper, told, tuple(faults))

    def happen(self, happening: str, player: str) -> None:
        """A tool of the NPC was used, or an event of the world came about. Mutates: how it feels about the player."""
        self.feelings.happen(self.npc_id, self.persona, player, happening)

    def pass_by(self, player: str, messages: int) -> None:
        """So many messages were exchanged with the player. Mutates: how the NPC feels about them."""
        self.feelings.fade(self.npc_id, self.persona, player, messages)

    def _today(self, date: JsonValue, faults: list[str]) -> int | None:
        """The day of the game's state, or else the world's own. Mutates: faults."""
        calendar = self.world.calendar
        if calendar is None or date is None:
            return calendar.start if calendar else None
        try:
            return calendar.read(date)
        except ValueError as exc:
            faults.append(f"date: {exc}")
            return None

    def _place(self, place: JsonValue, faults: list[str]) -> str:
        """The id of the place where the NPC is: what the game says, by any of its names, or else its home.

        Mutates: faults.
        """
        if place is None:
            return self.persona.home
        found = self.world.place_id(place) if isinstance(place, str) else ""
        if not found and self.world.places:
            faults.append(f"place: {place!r} is no place of the world")
        return found
