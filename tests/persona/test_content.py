"""The village that ships: small enough for a small model, told apart by voice, complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npc_sdk.lore.content import load_world
from npc_sdk.persona.offer import offers
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.secret import kept_secrets

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
    (secret,) = kept_secrets(persona)
    assert _words(secret) <= 16
    assert len(persona.knows) <= 3
    assert all(_words(fact) <= 14 for fact in persona.knows)
    assert len(offers(persona, CONTENT.world)) <= 5
    assert persona.greeting
    assert len(persona.barks) >= 3
    assert persona.voice.style in STYLES


def test_no_two_characters_sound_alike() -> None:
    styles = [persona.voice.style for persona in CONTENT.personas.values()]
    assert len(styles) >= 5
    assert len(set(styles)) == len(styles)


def test_every_tool_is_somebodys() -> None:
    used = {offer.tool.name for persona in CONTENT.personas.values() for offer in offers(persona, CONTENT.world)}
    assert used == {tool.name for tool in CONTENT.world.tools}


ITEM = '{"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}'
DOOR, QUEST = ITEM.replace("item", "door"), ITEM.replace("item", "quest")
SALE = (
    '{"type": "object", "properties": {"item": {"type": "string"}, "price": {"type": "integer"}}, '
    '"required": ["item", "price"]}'
)
NOTHING = '{"type": "object", "properties": {}, "required": []}'
DECLARED = {
    "give_item": ITEM,
    "take_item": ITEM,
    "sell_item": SALE,
    "open_door": DOOR,
    "start_quest": QUEST,
    "finish_quest": QUEST,
    "follow_player": NOTHING,
    "stay_here": NOTHING,
}


def test_declarations_are_byte_for_byte_what_the_bundled_model_was_trained_on() -> None:
    assert {tool.name: json.dumps(tool.spec().parameters) for tool in CONTENT.world.tools} == DECLARED


def test_tools_are_declared_in_the_order_that_prompts_have_always_had() -> None:
    assert {npc: [offer.tool.name for offer in offers(of, CONTENT.world)] for npc, of in CONTENT.personas.items()} == {
        "corvin": ["open_door", "take_item", "give_item"],
        "elsbeth": ["give_item", "sell_item", "take_item", "start_quest", "finish_quest"],
        "mara": ["give_item", "take_item", "sell_item", "start_quest", "finish_quest"],
        "pip": ["follow_player", "stay_here", "give_item", "take_item"],
        "tobin": ["give_item", "sell_item", "take_item", "open_door"],
    }


def test_lore_is_keyed_short_and_partly_private() -> None:
    shared = [entry for entry in CONTENT.lore if not entry.scope.npc_ids]
    assert len(shared) >= 24
    assert all(entry.keys for entry in CONTENT.lore)
    assert all(_words(entry.text) <= 30 for entry in CONTENT.lore)
    assert len(CONTENT.lore) - len(shared) >= 5
