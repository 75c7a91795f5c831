"""Proves the scopes of lore against a world and its cast: names that nobody has, and facts that nobody can ever know.

Each distinct scope is looked at once, however many entries share it. Called by lore/content.py; whether a character can
know an entry at a moment is lore/scope.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import LoreEntry, Scope
from npc_sdk.lore.whereabouts import mistake_at
from npc_sdk.persona.cast_check import asked
from npc_sdk.persona.fault import Fault
from npc_sdk.persona.problem import first_problems, name_hint
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.when import condition_faults


def scope_problems(
    entries: Iterable[LoreEntry], world: WorldFile, personas: Mapping[str, Persona] | None
) -> list[ContentError]:
    """Every scope that cannot be. personas are the whole cast, None where that is not at hand."""
    check = _Check(world, personas)
    return first_problems(_told(entry, fault) for entry in entries for fault in check.faults(entry.scope))


def scope_notes(entries: Iterable[LoreEntry], world: WorldFile) -> list[ContentError]:
    """Entries that are over before the game begins: no mistakes, for a game may turn its clock back."""
    start = world.calendar.start if world.calendar else None
    if start is None:
        return []
    over = (entry for entry in entries if entry.scope.until is not None and entry.scope.until < start)
    hint = "nobody will ever know it, unless the game sets an earlier date"
    return first_problems(_told(entry, Fault(("until",), "until: is over before today", hint)) for entry in over)


def _told(entry: LoreEntry, fault: Fault) -> ContentError:
    """A fault's place is the attribute and, where one value of it is wrong, that value."""
    attribute, *value = map(str, fault.where)
    return mistake_at(entry, attribute, value[0] if value else "", fault.message, fault.hint)


@dataclass(slots=True)
class _Check:
    """Mutates: seen, the scopes already looked at."""

    world: WorldFile
    personas: Mapping[str, Persona] | None
    seen: dict[Scope, tuple[Fault, ...]] = field(default_factory=dict)

    def faults(self, scope: Scope) -> tuple[Fault, ...]:
        if scope not in self.seen:
            self.seen[scope] = tuple(self._name_faults(scope)) or tuple(self._proofs(scope))
        return self.seen[scope]

    def _name_faults(self, scope: Scope) -> Iterator[Fault]:
        world = self.world
        for what, named, known, titles in (
            ("faction", scope.factions, set(world.factions), world.faction_titles),
            ("place", scope.places, set(world.places), world.place_titles),
        ):
            for name in sorted(named - known):
                hint = name_hint(name, known, f"{what}s", titles)
                yield Fault((f"{what}s", name), f"the world has no {what} {name!r}", hint)

    def _proofs(self, scope: Scope) -> Iterator[Fault]:
        if scope.since is not None and scope.until is not None and scope.since > scope.until:
            bounds = f"since {self._day(scope.since)}, until {self._day(scope.until)}"
            yield Fault(("since",), f"nobody can ever know this: {bounds}")
        if not self.personas or scope.npc_ids - set(self.personas):
            return  # that there is no character, or not this one, is told once elsewhere
        knowing = {npc_id: persona for npc_id, persona in self.personas.items() if _may_know(npc_id, persona, scope)}
        if not knowing:
            yield self._nobody(scope)
        elif scope.when:
            for fault in condition_faults(scope.when, asked(knowing.values(), self.world)):
                yield Fault(("when",), f"when: {fault.message}", fault.hint)

    def _nobody(self, scope: Scope) -> Fault:
        factions = ", ".join(map(repr, sorted(scope.factions)))
        personas = (self.personas or {}).items()
        members = sorted(npc_id for npc_id, persona in personas if scope.factions & set(persona.factions))
        if not members:
            hint = "name it under 'factions:' of an NPC"
            return Fault(("factions",), f"nobody can ever know this: no NPC is of {factions}", hint)
        wanted = ", ".join(map(repr, sorted(scope.npc_ids)))
        hint = f"of it: {', '.join(members)}; who is named under 'npcs' must be of 'factions' too"
        return Fault(("npcs",), f"nobody can ever know this: {wanted} is not of {factions}", hint)

    def _day(self, day: int) -> str:
        return self.world.calendar.tell(day) if self.world.calendar else str(day)


def _may_know(npc_id: str, persona: Persona, scope: Scope) -> bool:
    is_named = not scope.npc_ids or npc_id in scope.npc_ids
    return is_named and (not scope.factions or bool(scope.factions & set(persona.factions)))
