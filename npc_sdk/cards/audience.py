"""Whom a foreign entry is for: SillyTavern's filter by characters, held against the cast that is imported into.

What cannot be held against it is switched off rather than told to everybody. Called by cards/entry.py.
Source: SillyTavern, public/scripts/world-info.js (`characterFilter`: names, tags, isExclude).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from npc_sdk.cards.field import Fields
from npc_sdk.cards.passage import slug

FILTER = "character_filter"
MAX_NPCS = 64  # whom one entry of ours can name
_OFF = "switched off (enabled: false); write npcs and switch it on"


@dataclass(frozen=True, slots=True)
class Audience:
    """names gives for each npc_id what it is called. owner is whose own lore is being written, "" for the world's."""

    names: Mapping[str, Iterable[str]] = field(default_factory=dict)
    owner: str = ""

    def called(self, name: str) -> frozenset[str]:
        """The characters that a name or an id means."""
        told = _spellings(name)
        return frozenset(
            npc_id for npc_id, names in self.names.items() if any(told & _spellings(one) for one in (npc_id, *names))
        )


def filter_rules(extensions: Fields, audience: Audience) -> dict[str, Any]:
    """The attributes that stand for the filter. Mutates: the report."""
    given = extensions.child(FILTER)
    names, tags = given.texts("names"), given.texts("tags")
    if not names and not tags:
        return {}
    meant = {name: audience.called(name) for name in names}
    is_exclude, is_known = bool(given.flag("isExclude")), all(meant.values()) and not tags
    named = frozenset[str]().union(*meant.values())
    if tags or not named or (is_exclude and not is_known):
        unknown = [name for name, npc_ids in meant.items() if not npc_ids]
        told = "tags mean nothing here" if tags else f"nobody here is called {', '.join(map(repr, unknown))[:120]}"
        given.report.left(given.place, FILTER, f"{told}: {_OFF}")
        return {"enabled": False}
    for name, npc_ids in meant.items():
        if not npc_ids:
            given.report.left(given.place, name[:40], "nobody here is called so; the filter's others know the entry")
    wanted = frozenset(audience.names) - named if is_exclude else named
    return _for_owner(given, audience, wanted) if audience.owner else _for_world(given, wanted, is_exclude=is_exclude)


def _for_owner(given: Fields, audience: Audience, wanted: frozenset[str]) -> dict[str, Any]:
    """Lore of one character's own is for nobody else."""
    if audience.owner in wanted:
        given.report.mapped(given.place, FILTER, "the character's own lore")
        return {}
    given.report.left(given.place, FILTER, f"it is not for {audience.owner!r}: {_OFF}")
    return {"enabled": False}


def _for_world(given: Fields, wanted: frozenset[str], *, is_exclude: bool) -> dict[str, Any]:
    if not 0 < len(wanted) <= MAX_NPCS:
        given.report.left(given.place, FILTER, f"it names {len(wanted):,} characters: {_OFF}")
        return {"enabled": False}
    if is_exclude:
        given.report.approximated(given.place, FILTER, "read as npcs: all others that are here today")
    else:
        given.report.mapped(given.place, FILTER, "read as npcs")
    return {"npcs": sorted(wanted)}


def _spellings(name: str) -> frozenset[str]:
    """How a name is compared: without capitals, and as the id that would be made of it."""
    return frozenset(filter(None, (name.strip().casefold(), slug(name, "_", 100))))
