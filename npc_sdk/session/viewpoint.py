"""What the world looks like to one NPC while a player speaks to it: the variables of templates and conditions, and
who it is to the lore.

Knows no conversation. Made by the world, one an NPC; used by its scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from npc_sdk.lore.scan import Viewer
from npc_sdk.messages import JsonValue
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.temper import Temper, variables
from npc_sdk.session.feelings import Feelings
from npc_sdk.session.learned import Learned
from npc_sdk.session.state import GameState


@dataclass(frozen=True, slots=True)
class View:
    """One moment. today_told is the date as people say it, empty where the world has none."""

    player: str
    variables: Mapping[str, JsonValue]
    viewer: Viewer
    temper: Temper
    today_told: str = ""


@dataclass(frozen=True)
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
        temper = self.feelings.of(self.npc_id, self.persona, player)
        known: dict[str, JsonValue] = {**variables(temper), **self.state.seen_by(self.npc_id), **(extra or {})}
        today, told = self._today(known.get("date"))
        if today is not None and self.world.calendar is not None:
            known["date"] = self.world.calendar.parts(today)
        viewer = Viewer(
            npc_id=self.npc_id,
            factions=frozenset(self.persona.factions),
            place=self._place(known.get("place")),
            today=today,
            variables={**known, "player": player},
            learned=frozenset(self.learned.revealed(self.npc_id)),
        )
        return View(player, known, viewer, temper, told)

    def happen(self, happening: str, player: str) -> None:
        """A tool of the NPC was used, or an event of the world came about. Mutates: how it feels about the player."""
        self.feelings.happen(self.npc_id, self.persona, player, happening)

    def pass_by(self, player: str) -> None:
        """An exchange with the player has passed. Mutates: how the NPC feels about them."""
        self.feelings.fade(self.npc_id, self.persona, player)

    def _today(self, date: JsonValue) -> tuple[int | None, str]:
        """The day, and how it is told; a date that the calendar cannot read leaves the world's own."""
        calendar = self.world.calendar
        if calendar is None:
            return None, ""
        day = calendar.start
        if date is not None:
            try:
                day = calendar.read(date)
            except ValueError:
                day = calendar.start
        return (None, "") if day is None else (day, calendar.tell(day))

    def _place(self, place: JsonValue) -> str:
        """The id of the place where the NPC is: what the game says, by any of its names, or else its home."""
        if not isinstance(place, str):
            return self.persona.home
        return self._places.get(place.casefold(), place)

    @cached_property
    def _places(self) -> Mapping[str, str]:
        return dict(self._place_names())

    def _place_names(self) -> Iterator[tuple[str, str]]:
        for place_id, place in self.world.places.items():
            for name in (place_id, place.name, *place.aliases):
                yield name.casefold(), place_id
