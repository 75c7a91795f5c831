"""The village that ships: small enough for a small model, told apart by voice, complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.content import load_world
from npc_sdk.persona.schema import Persona

CONTENT = load_world(Path(__file__).parents[2] / "personas")
STYLES = {
    "gruff and short",
    "merry and warm",
    "gentle and calm",
    "formal and stern",
    "cheeky and quick",
    "nervous and shy",
    "proud and grand",
}


def _words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize("npc_id", CONTENT.personas)
def test_a_character_is_short_and_complete(npc_id: str) -> None:
    persona: Persona = CONTENT.personas[npc_id]
    assert _words(persona.description) <= 30
    assert 1 <= len(persona.goals) <= 2
    assert all(_words(goal) <= 12 for goal in persona.goals)
    assert len(persona.secrets) == 1
    assert _words(persona.secrets[0]) <= 16
    assert len(persona.knows) <= 3
    assert all(_words(fact) <= 14 for fact in persona.knows)
    assert len(persona.tools) <= 5
    assert persona.greeting
    assert len(persona.barks) >= 3
    assert persona.voice.style in STYLES


def test_no_two_characters_sound_alike() -> None:
    styles = [persona.voice.style for persona in CONTENT.personas.values()]
    assert len(styles) >= 5
    assert len(set(styles)) == len(styles)


def test_every_tool_is_somebodys() -> None:
    used = {tool for persona in CONTENT.personas.values() for tool in persona.tools}
    assert used == {tool.name for tool in CONTENT.world.tools}


def test_lore_is_keyed_short_and_partly_private() -> None:
    shared = [entry for entry in CONTENT.lore if not entry.npc_ids]
    assert len(shared) >= 24
    assert all(entry.keys for entry in CONTENT.lore)
    assert all(_words(entry.text) <= 30 for entry in CONTENT.lore)
    assert len(CONTENT.lore) - len(shared) >= 5
