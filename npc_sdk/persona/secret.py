"""Secrets of a character: what it must never tell, and what it may tell once a condition holds.

A secret with a condition is not in any prompt before: a model cannot tell what it has not read. Called by
persona/schema.py, prompt/system.py and the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Discriminator, Field, Tag

from npc_sdk.messages import JsonValue
from npc_sdk.persona.authored import Authored, Line, NpcId, text_or
from npc_sdk.persona.condition import holds
from npc_sdk.persona.when import Condition

if TYPE_CHECKING:
    from npc_sdk.persona.schema import Persona


class Secret(Authored):
    """A secret that can come out."""

    id: NpcId = Field(description="Names it in traces.")
    text: Line = Field(description="What it knows but must not tell.")
    when: Condition = Field(
        default="",
        description='When it may be told: "relation.player >= 4". Until then it is in no prompt. Without it: never.',
    )
    hint: str = Field(
        default="", max_length=500, description='What stands in every prompt instead: "You hide something about Varn."'
    )


SecretChoice: TypeAlias = Annotated[
    Annotated[Line, Tag("<text>")] | Annotated[Secret, Tag("<map>")],
    Discriminator(lambda value: text_or("map", value, (dict, Secret))),
]


@dataclass(frozen=True, slots=True)
class ClosedSecret:
    """A secret whose condition does not hold, and why."""

    secret: Secret
    why: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """The conditional secrets of a character at one moment."""

    opened: tuple[Secret, ...] = ()
    closed: tuple[ClosedSecret, ...] = ()


def open_secrets(persona: Persona, variables: Mapping[str, JsonValue]) -> Secrets:
    """Which secrets may be told now, and which stay out of the prompt."""
    opened: list[Secret] = []
    closed: list[ClosedSecret] = []
    for secret in conditional_secrets(persona):
        is_open, why = holds(secret.when, variables)
        if is_open:
            opened.append(secret)
        else:
            closed.append(ClosedSecret(secret, why))
    return Secrets(tuple(opened), tuple(closed))


def conditional_secrets(persona: Persona) -> tuple[Secret, ...]:
    """Those that can come out."""
    return tuple(secret for secret in persona.secrets if isinstance(secret, Secret) and secret.when)


def kept_secrets(persona: Persona) -> tuple[str, ...]:
    """The texts of those that can never be told."""
    plain = (secret if isinstance(secret, str) else "" if secret.when else secret.text for secret in persona.secrets)
    return tuple(text for text in plain if text)


def secret_hints(persona: Persona) -> tuple[str, ...]:
    """What prompts say in place of those that can come out."""
    return tuple(secret.hint for secret in conditional_secrets(persona) if secret.hint)
