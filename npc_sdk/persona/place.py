"""The places of a world as world.yaml names them, and what is wrong with them among themselves.

Knows no state. Called by persona/world_file.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import Field

from npc_sdk.persona.authored import Authored, Reference, Short
from npc_sdk.persona.fault import Fault
from npc_sdk.persona.problem import name_hint


class WorldPlace(Authored):
    """Somewhere that can be named, and that knowledge can be bound to."""

    name: Short = Field(description='What people call it: "the forge".')
    aliases: tuple[Short, ...] = Field(default=(), max_length=16, description="Other names, which count as this one.")
    within: Reference | None = Field(default=None, description="The place that it is a part of.")


def place_faults(places: Mapping[str, WorldPlace]) -> Iterator[Fault]:
    """Places inside unknown ones or inside themselves, and names that two of them have."""
    named: dict[str, str] = {}
    for place_id, place in places.items():
        if place.within is not None and place.within not in places:
            hint = name_hint(place.within, places, "places", place_titles(places))
            yield Fault((place_id, "within"), f"there is no place {place.within!r}", hint)
        elif place_id in around(place_id, places):
            yield Fault((place_id, "within"), f"{place_id!r} would lie within itself")
        for where, name in _names(place_id, place):
            first = named.setdefault(name.casefold(), place_id)
            if first != place_id:
                yield Fault((place_id, *where), f"{name!r} is a name of the place {first!r} too")


def around(place_id: str, places: Mapping[str, WorldPlace]) -> frozenset[str]:
    """The places that one lies in, near and far."""
    found: set[str] = set()
    outer = places[place_id].within if place_id in places else None
    while outer is not None and outer in places and outer not in found:
        found.add(outer)
        outer = places[outer].within
    return frozenset(found)


def with_inner(place_ids: Iterable[str], places: Mapping[str, WorldPlace]) -> frozenset[str]:
    """These places and all that lie in them."""
    wanted = frozenset(place_ids)
    return wanted | {place_id for place_id in places if around(place_id, places) & wanted}


def place_called(name: str, places: Mapping[str, WorldPlace]) -> str:
    """The id of the place that a game means by an id, a name or an alias, in any case; empty where there is none."""
    meant = " ".join(name.casefold().split())
    for place_id, place in places.items():
        if meant in {one.casefold() for _, one in _names(place_id, place)}:
            return place_id
    return ""


def place_titles(places: Mapping[str, WorldPlace]) -> dict[str, str]:
    """The ids of places by all that they can be called."""
    return {name: place_id for place_id, place in places.items() for _, name in _names(place_id, place)}


def _names(place_id: str, place: WorldPlace) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield (), place_id
    yield ("name",), place.name
    yield from ((("aliases", index), alias) for index, alias in enumerate(place.aliases))
