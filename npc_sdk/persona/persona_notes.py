"""What may be a mistake in a persona or in world.yaml: greetings that are never said, templates where none is filled.

Nothing here keeps a game from starting. Called by lore/content.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.greeting import greetings, is_template
from npc_sdk.persona.load import Reading
from npc_sdk.persona.problem import first_problems
from npc_sdk.persona.sandbox import variables_in
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.yaml_reader import Document, FieldPath

# Keys whose texts are told as they stand.
_PERSONA_TEXTS = ("name", "role", "description", "appearance", "voice", "goals", "secrets", "taboos", "knows", "barks")
_WORLD_TEXTS = ("name", "premise", "rules", "places", "factions", "names")
_SIGNS = ("{{", "{%")


def persona_notes(found: Reading[Persona]) -> list[ContentError]:
    """Those of one character."""
    if found.value is None or found.document is None:
        return []
    notes = [*_template_notes(found.document, _PERSONA_TEXTS), *_greeting_notes(found.value, found.document)]
    return first_problems(notes)


def world_notes(found: Reading[WorldFile]) -> list[ContentError]:
    """Those of world.yaml; its timeline counts as lore."""
    return first_problems(_template_notes(found.document, _WORLD_TEXTS)) if found.document else []


def template_sign(text: str) -> str:
    """The sign that makes a text look like a template."""
    return next((sign for sign in _SIGNS if sign in text), "")


def no_template(sign: str) -> str:
    """What is told of such a text."""
    return f"{sign!r} is no template here: it is told as it stands"


def _template_notes(document: Document, keys: tuple[str, ...]) -> Iterator[ContentError]:
    value = document.value if isinstance(document.value, dict) else {}
    for key in keys:
        for where, text in _texts(value.get(key), (key,)):
            if sign := template_sign(text):
                hint = "lines of 'situation' and greetings are filled from the game's state"
                yield problem_at(document, where, no_template(sign), hint)


def _texts(value: JsonValue, where: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, str):
        yield where, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in inner:
        yield from _texts(part, (*where, step))


def _greeting_notes(persona: Persona, document: Document) -> Iterator[ContentError]:
    lines = greetings(persona)
    first = next((at for at, line in enumerate(lines) if _can_always_be_said(line)), len(lines))
    for at in range(first + 1, len(lines)):
        told = f"is never said: greeting[{first}] always can be"
        yield problem_at(document, ("greeting", at), told, "put the one that needs nothing of the state last")


def _can_always_be_said(line: str) -> bool:
    """Whatever the game has set; a template that asks for the player's name alone too."""
    if not is_template(line):
        return bool(line.strip())
    return "{%" not in line and not variables_in(line)
