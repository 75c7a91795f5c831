"""What the game's state says of feelings and quests, held against what was authored.

The game may set an NPC's mood and relations, which then hold in templates, conditions and prompts alike. What cannot be
understood is told in the trace and opens nothing. Called by viewpoint.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import name_hint, shown
from npc_sdk.persona.temper import Temper
from npc_sdk.persona.when import RELATION


def overlaid(temper: Temper, state: Mapping[str, JsonValue], faults: list[str]) -> Temper:
    """The temper with the game's own mood and relations over it. Mutates: faults."""
    relation = dict(temper.relation)
    told = state.get("relation")
    for other, level in _levels(told, faults):
        if other in relation:
            relation[other] = max(RELATION[0], min(RELATION[-1], level))
        else:
            faults.append(f"relation: there is no relationship to {other!r} ({name_hint(other, relation, 'of them')})")
    mood = state.get("mood")
    if mood is not None and not isinstance(mood, str):
        faults.append(f"mood: should be text, not {shown(mood)}")
        mood = None
    return dataclasses.replace(temper, mood=mood or temper.mood, relation=MappingProxyType(relation))


def quest_faults(told: JsonValue, quests: Mapping[str, Sequence[str]]) -> list[str]:
    """Quests and stages that the world does not have; a world that declares none takes anything."""
    if told is None or not quests:
        return []
    if not isinstance(told, dict):
        return [f"quests: should be a map of quests and their stages, not {shown(told)}"]
    return list(_stage_faults(told, quests))


def _stage_faults(told: Mapping[str, JsonValue], quests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for quest, stage in told.items():
        if quest not in quests:
            yield f"quests: there is no quest {quest!r} ({name_hint(quest, quests, 'quests')})"
        elif stage not in quests[quest]:
            yield f"quests.{quest}: there is no stage {shown(stage)} ({name_hint(str(stage), quests[quest], 'stages')})"


def _levels(told: JsonValue, faults: list[str]) -> Iterator[tuple[str, int]]:
    """Mutates: faults."""
    if told is None:
        return
    if not isinstance(told, dict):
        faults.append(f"relation: should be a map of names and numbers, not {shown(told)}")
        return
    for other, level in told.items():
        if isinstance(level, int) and not isinstance(level, bool):
            yield other, level
        else:
            faults.append(f"relation.{other}: should be a whole number, not {shown(level)}")
