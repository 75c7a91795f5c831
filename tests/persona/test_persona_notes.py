"""What may be a mistake in a persona or a world: greetings never said, templates that nothing fills."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.persona.load import read_persona, read_world_file
from npc_sdk.persona.persona_notes import persona_notes, world_notes

PERSONA = "name: Ada\nrole: the miller\nvoice: {style: calm}\n"


def _notes(tmp_path: Path, keys: str) -> list[str]:
    path = tmp_path / "persona.yaml"
    path.write_text(f"{PERSONA}{keys}\n", encoding="utf-8")
    return [str(note).replace(f"{path}:", "") for note in persona_notes(read_persona(path))]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        pytest.param("greeting: [Hello., Bye.]", "4:20: greeting[1]: is never said: greeting[0] always", id="plain"),
        pytest.param('greeting: ["Hi {{ player }}.", Bye.]', "4:32: greeting[1]: is never said", id="player"),
        pytest.param("knows: ['It is {{ weather }}.']", "4:9: knows[0]: '{{' is no template here", id="knows"),
        pytest.param("description: '{% if a %}b{% endif %}'", "4:1: description: '{%' is no", id="description"),
        pytest.param("secrets: ['{{ a }}']", "4:11: secrets[0]: '{{' is no template here", id="secret"),
        pytest.param("secrets: [{id: a, text: '{{ a }}'}]", "4:19: secrets[0].text: '{{'", id="secret of keys"),
    ],
)
def test_what_may_be_a_mistake_is_noted(tmp_path: Path, keys: str, place: str) -> None:
    (note,) = _notes(tmp_path, keys)
    assert note.startswith(place)


@pytest.mark.parametrize(
    "keys",
    [
        'greeting: ["You have {{ coins }} coins.", Hello.]',
        "greeting: [\"{% if player == 'Tom' %}Tom!{% endif %}\", Hello.]",
        "situation: ['It is {{ weather }}.']",
        "relationships: {player: {words: {2: 'You like {{ who }}.'}}}",
        "description: 'A {curly} one.'",
    ],
)
def test_what_is_right_is_not_noted(tmp_path: Path, keys: str) -> None:
    assert _notes(tmp_path, keys) == []


def test_a_template_in_the_worlds_rules_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text("name: W\nrules: ['Say {{ a }}.']\n", encoding="utf-8")
    (note,) = world_notes(read_world_file(path))
    assert (note.line, note.field) == (2, "rules[0]")
