"""What a character says when a conversation opens: the first of its greetings that the game's state fills.

Called by persona/schema.py for its shape, and by the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Discriminator, Field, Tag

from npc_sdk.messages import JsonValue
from npc_sdk.persona.authored import Line, text_or
from npc_sdk.persona.sandbox import LineError, fill

if TYPE_CHECKING:
    from npc_sdk.persona.schema import Persona

_SIGNS = ("{{", "{%", "{#")

Greeting: TypeAlias = Annotated[
    Annotated[Annotated[str, Field(max_length=2000)], Tag("<text>")]
    | Annotated[Annotated[tuple[Line, ...], Field(max_length=20)], Tag("<list>")],
    Discriminator(lambda value: text_or("list", value, (list, tuple))),
]


def is_template(line: str) -> bool:
    """Whether a greeting has anything to fill."""
    return any(sign in line for sign in _SIGNS)


def greetings(persona: Persona) -> tuple[str, ...]:
    """All of them, in their order."""
    return (persona.greeting,) if isinstance(persona.greeting, str) else persona.greeting


def greeting_line(persona: Persona, variables: Mapping[str, JsonValue], player: str) -> str:
    """The first greeting whose variables are set and that says something; empty where there is none."""
    named = {**variables, "player": player}
    for line in greetings(persona):
        try:
            said = fill(line, named) if is_template(line) else line
        except LineError:
            continue
        if said.strip():
            return said
    return ""
