"""How a character feels and stands to others at a moment, and how that moves: plain values, changed by making new ones.

Knows no session: it keeps the value, and tells what has happened. Bounds and lines are persona/mood.py's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from npc_sdk.messages import JsonValue
from npc_sdk.persona.mood import WHO, Relationship
from npc_sdk.persona.sandbox import LineError, fill
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.when import RELATION

PLAYER = "player"


@dataclass(frozen=True, slots=True)
class Temper:
    """mood is empty where nothing is to be told of it. Units: mood_age in messages since it last moved.

    relation is by ``player`` and npc_id, each from -10 to 10.
    """

    mood: str = ""
    mood_age: int = 0
    relation: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def start_temper(persona: Persona) -> Temper:
    """How things stand when the game begins."""
    relation = {other: relationship.start for other, relationship in persona.relationships.items()}
    return Temper(_first_mood(persona), 0, MappingProxyType(relation))


def moved(persona: Persona, temper: Temper, happening: str) -> Temper:
    """After a tool of its own was accepted, or an event of the world; the same where that moves nothing."""
    relation = dict(temper.relation)
    for other, relationship in persona.relationships.items():
        if step := relationship.moves.get(happening, 0):
            level = relation.get(other, relationship.start) + step
            relation[other] = max(RELATION[0], min(RELATION[-1], level))
    mood = persona.mood.moves.get(happening) if persona.mood else None
    if mood is None:
        return dataclasses.replace(temper, relation=MappingProxyType(relation))
    return Temper(mood, 0, MappingProxyType(relation))


def faded(persona: Persona, temper: Temper, messages: int = 1) -> Temper:
    """After so many more messages; a mood that has lasted long enough gives way to the first."""
    first = _first_mood(persona)
    if persona.mood is None or temper.mood == first:
        return temper
    age = temper.mood_age + messages
    lasts = persona.mood.fades_after
    if lasts is not None and age >= lasts:
        return dataclasses.replace(temper, mood=first, mood_age=0)
    return dataclasses.replace(temper, mood_age=age)


def temper_lines(persona: Persona, temper: Temper, who: str, names: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What the character is told of it. who is the player's name; names are those of the others, by npc_id."""
    lines = [f"Your mood: {temper.mood}."] if temper.mood else []
    called = {**(names or {}), PLAYER: who}
    for other, relationship in persona.relationships.items():
        if line := _reached(relationship, temper.relation.get(other, relationship.start)):
            lines += _filled(line, called.get(other, other))
    return tuple(lines)


def variables(temper: Temper) -> dict[str, JsonValue]:
    """What conditions and lines can ask for; mood only where there is one."""
    out: dict[str, JsonValue] = {"relation": dict(temper.relation)}
    return {**out, "mood": temper.mood} if temper.mood else out


def _first_mood(persona: Persona) -> str:
    return (persona.mood.start or "") if persona.mood else ""


def _reached(relationship: Relationship, level: int) -> str:
    """The line of the value furthest from zero that was reached, on the side where it stands."""
    reached = [at for at in relationship.words if (at <= level if at >= 0 else at >= level)]
    return relationship.words[max(reached, key=abs)] if reached else ""


def _filled(line: str, who: str) -> list[str]:
    """None where a long name makes the line too long; all else was checked when the file was read."""
    try:
        return [text] if (text := fill(line, {WHO: who})) else []
    except LineError:
        return []
