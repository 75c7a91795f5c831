"""Holds a persona against its world and the rest of the cast: factions, places, moves, relationships, conditions.

Works on valid personas; what is wrong with a file in itself persona/load.py has told. Called by lore/content.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.persona.fault import Fault
from npc_sdk.persona.load import Reading
from npc_sdk.persona.offer import offers
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.secret import Secret
from npc_sdk.persona.temper import PLAYER
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.when import Asked, condition_faults
from npc_sdk.persona.yaml_reader import FieldPath


def cast_problems(
    npc_id: str, found: Reading[Persona], world: WorldFile, npc_ids: Collection[str] | None
) -> list[ContentError]:
    """What the world or the cast does not know. npc_ids are those of the cast, None where it is not at hand."""
    persona, document = found.value, found.document
    if persona is None or document is None:
        return []
    faults = [*_name_faults(persona, world), *_move_faults(persona, world), *_secret_faults(persona, world)]
    if npc_ids is not None:
        faults += _relationship_faults(npc_id, persona, npc_ids)
    return [problem_at(document, fault.where, fault.message, fault.hint) for fault in faults]


def asked(personas: Iterable[Persona], world: WorldFile) -> Asked:
    """What a condition can ask for, where one of these is asked."""
    cast = tuple(personas)
    date: dict[str, tuple[str, ...]] = {}
    if world.calendar is not None:
        names = {"month": tuple(world.calendar.months), "weekday": world.calendar.weekdays}
        date = {"day": (), "year": (), **{part: told for part, told in names.items() if told}}
    return Asked(
        quests=world.quests,
        relations=frozenset(other for persona in cast for other in persona.relationships),
        places=frozenset(world.place_titles),
        moods=frozenset(name for persona in cast if persona.mood for name in persona.mood.names),
        date=date,
    )


def _name_faults(persona: Persona, world: WorldFile) -> Iterator[Fault]:
    for index, faction in enumerate(persona.factions):
        if faction not in world.factions:
            hint = name_hint(faction, world.factions, "factions", world.faction_titles)
            yield Fault(("factions", index), f"the world has no faction {faction!r}", hint)
    if persona.home and persona.home not in world.places:
        hint = name_hint(persona.home, world.places, "places", world.place_titles)
        yield Fault(("home",), f"the world has no place {persona.home!r}", hint)


def _move_faults(persona: Persona, world: WorldFile) -> Iterator[Fault]:
    """Moves that nothing can bring about."""
    try:
        known = [*(offer.tool.name for offer in offers(persona, world)), *world.events]
    except SettingsError:
        return  # persona/tool_check.py tells of the tools
    moves: dict[FieldPath, Iterable[str]] = {("mood", "moves"): persona.mood.moves if persona.mood else ()}
    moves |= {("relationships", other, "moves"): of.moves for other, of in persona.relationships.items()}
    for where, happenings in moves.items():
        for happening in happenings:
            if happening not in known:
                told = f"{happening!r} is neither a tool of this NPC nor an event of the world"
                yield Fault((*where, happening), told, name_hint(happening, known, "tools and events"))


def _relationship_faults(npc_id: str, persona: Persona, npc_ids: Collection[str]) -> Iterator[Fault]:
    others = [PLAYER, *(other for other in npc_ids if other != npc_id)]
    for other in persona.relationships:
        if other not in others:
            told = "a relationship to itself" if other == npc_id else f"there is no NPC {other!r}"
            yield Fault(("relationships", other), told, name_hint(other, others, "others"))


def _secret_faults(persona: Persona, world: WorldFile) -> Iterator[Fault]:
    known = asked([persona], world)
    for index, secret in enumerate(persona.secrets):
        if isinstance(secret, Secret) and secret.when:
            for fault in condition_faults(secret.when, known):
                yield fault.under("secrets", index, "when")
