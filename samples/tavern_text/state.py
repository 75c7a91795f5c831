"""How the village stands at one moment, and the changes that can be made to it; each change makes a new state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from samples.tavern_text.naming import is_named
from samples.tavern_text.village import LYING_ABOUT, PLACES, QUESTS, START_COINS, START_PLACE, VILLAGERS, Exit

QuestStatus: TypeAlias = Literal["not given", "given", "finished"]


def _first_holders() -> dict[str, str]:
    held = {item: npc_id for npc_id, villager in VILLAGERS.items() for item in villager.holds}
    return {**held, **LYING_ABOUT}


@dataclass(frozen=True, slots=True)
class State:
    """holders says for every item who holds it: the player, a villager, or the place it lies in.

    named are the items that the player has spoken of to a villager since their talk began.
    """

    place_id: str = START_PLACE
    coins: int = START_COINS
    holders: Mapping[str, str] = field(default_factory=_first_holders)
    npc_places: Mapping[str, str] = field(default_factory=lambda: {n: v.place_id for n, v in VILLAGERS.items()})
    open_doors: frozenset[str] = frozenset()
    quests: Mapping[str, QuestStatus] = field(default_factory=lambda: dict.fromkeys(QUESTS, "not given"))
    followers: frozenset[str] = frozenset()
    named: frozenset[tuple[str, str]] = frozenset()

    def held_by(self, holder: str) -> tuple[str, ...]:
        """The items of the player, a villager or a place."""
        return tuple(item for item, owner in self.holders.items() if owner == holder)

    def people_at(self, place_id: str) -> tuple[str, ...]:
        """The villagers who are there."""
        return tuple(npc_id for npc_id, where in self.npc_places.items() if where == place_id)

    def is_near(self, npc_id: str) -> bool:
        """Whether the player stands where this villager is."""
        return self.npc_places[npc_id] == self.place_id

    def moved(self, item: str, holder: str) -> State:
        """The item changes hands."""
        return dataclasses.replace(self, holders={**self.holders, item: holder})

    def paid(self, coins: int) -> State:
        """The player gains coins, or loses them where the number is negative."""
        return dataclasses.replace(self, coins=self.coins + coins)

    def walked(self, place_id: str) -> State:
        """The player and all followers go there; what was spoken of is over."""
        places = {npc: place_id if npc in self.followers else where for npc, where in self.npc_places.items()}
        return dataclasses.replace(self, place_id=place_id, npc_places=places, named=frozenset())

    def opened(self, door: str) -> State:
        """The door stands open from now on."""
        return dataclasses.replace(self, open_doors=self.open_doors | {door})

    def with_quest(self, quest: str, status: QuestStatus) -> State:
        """The quest has come to this status."""
        return dataclasses.replace(self, quests={**self.quests, quest: status})

    def following(self, npc_id: str, *, follows: bool) -> State:
        """The villager walks with the player, or stays where they are."""
        rest = self.followers - {npc_id}
        return dataclasses.replace(self, followers=rest | {npc_id} if follows else rest)

    def heard(self, npc_id: str, words: str) -> State:
        """The villager has heard which items the player speaks of."""
        named = {(npc_id, item) for item in self.holders if is_named(item, words)}
        return dataclasses.replace(self, named=self.named | named)


@dataclass(frozen=True, slots=True)
class Route:
    """How far a walk gets: the places on the way, or the door that bars it."""

    places: tuple[str, ...] = ()
    barred_by: str | None = None


def route(state: State, goal: str) -> Route:
    """The shortest way from where the player stands, through open doors."""
    walk = _walk(state, goal, lambda way: not _is_barred(state, way))
    if walk is not None:
        return Route(tuple(way.place_id for way in walk))
    return Route(barred_by=next(way.door for way in _walk(state, goal, lambda _: True) or () if _is_barred(state, way)))


def _walk(state: State, goal: str, may_pass: Callable[[Exit], bool]) -> tuple[Exit, ...] | None:
    """The ways to take, breadth first; None where none leads there."""
    walks: dict[str, tuple[Exit, ...]] = {state.place_id: ()}
    queue = [state.place_id]
    for place_id in queue:
        for way in filter(may_pass, PLACES[place_id].exits.values()):
            if way.place_id not in walks:
                walks[way.place_id] = (*walks[place_id], way)
                queue.append(way.place_id)
    return walks.get(goal)


def _is_barred(state: State, way: Exit) -> bool:
    return way.door is not None and way.door not in state.open_doors
