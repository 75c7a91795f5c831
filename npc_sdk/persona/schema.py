"""The shape of a character's file, as pydantic models; personas/*.schema.json is made from these and world_file.py.

Knows no files: persona/load.py reads YAML into these and turns validation errors into ContentErrors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from npc_sdk.persona.authored import Authored, Line, NpcId, Reference, Short, ToolName
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.greeting import Greeting
from npc_sdk.persona.mood import Mood, Relationship
from npc_sdk.persona.secret import Secret, SecretChoice
from npc_sdk.persona.tool import Parameters, Tool, ToolChoice, ToolEntry
from npc_sdk.persona.world_file import WorldFile
from npc_sdk.requests import Sampling

__all__ = [
    "Authored",
    "Line",
    "NpcId",
    "Parameters",
    "Persona",
    "SamplingChoice",
    "Tool",
    "ToolEntry",
    "ToolName",
    "Voice",
    "WorldFile",
]


class Voice(Authored):
    """How the character sounds."""

    style: Line = Field(description='Manner of speech, as an adjective phrase: "gruff and short".')
    examples: tuple[Line, ...] = Field(default=(), max_length=12, description="Lines the character could say.")


class SamplingChoice(Authored):
    """Sampling parameters that this character overrides."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, ge=0.5, le=2)
    max_new_tokens: int | None = Field(default=None, ge=1, le=4096, description="The longest reply, in tokens.")

    def apply(self, base: Sampling) -> Sampling:
        """base with this character's own values in place of its."""
        return dataclasses.replace(base, **self.model_dump(exclude_none=True))


class Persona(Authored):
    """One character."""

    name: Short = Field(description="What people call the character.")
    role: Line = Field(description='Trade and place, completing "You are NAME, …": "the blacksmith of Alderwick".')
    description: str = Field(default="", max_length=4000, description="History and nature, and maybe looks.")
    appearance: str = Field(default="", max_length=1000, description="What it looks like, in a sentence or two.")
    voice: Voice
    goals: tuple[Line, ...] = Field(default=(), max_length=12, description="What the character wants.")
    secrets: tuple[SecretChoice, ...] = Field(
        default=(),
        max_length=12,
        description="What it knows but must not tell: a text, or {id: …, text: …, when: …, hint: …} for one that may"
        " be told once something holds.",
    )
    taboos: tuple[Line, ...] = Field(
        default=(), max_length=12, description='What it refuses to talk about: "the old king".'
    )
    knows: tuple[Line, ...] = Field(default=(), max_length=40, description="Facts it always has in mind.")
    situation: tuple[Line, ...] = Field(
        default=(),
        max_length=20,
        description="Lines about the moment, filled from the game's state: \"You hold: {{ holds | join(', ') }}.\""
        " A line whose variables the game has not set is left out.",
    )
    factions: tuple[Reference, ...] = Field(
        default=(), max_length=32, description="Groups of world.yaml that it belongs to, and whose lore it knows."
    )
    home: Reference = Field(
        default="", description="The place of world.yaml where it is while the game has not set the variable place."
    )
    mood: Mood | None = Field(default=None, description="How it feels, and what changes that.")
    relationships: dict[NpcId, Relationship] = Field(
        default_factory=dict, max_length=64, description="How it stands to the player and to others, by their ids."
    )
    tools: tuple[ToolChoice, ...] = Field(
        default=(),
        max_length=32,
        description="Which of the world's tools it may use: a tool's or a set's name, or {name: …, limits: …} with"
        " what differs for this character.",
    )
    greeting: Greeting = Field(
        default="",
        description="Said when a conversation opens: a text, or a list of which the first is said whose variables the"
        " game has set.",
    )
    barks: tuple[Line, ...] = Field(default=(), max_length=40, description="Short lines for when no model is free.")
    language: Short | None = Field(default=None, description="What it speaks, where that is not the world's language.")
    model: Short | None = Field(default=None, description="Another model of the settings, by its name there.")
    sampling: SamplingChoice = Field(default=SamplingChoice())
    extends: NpcId | None = Field(
        default=None,
        description="The kind that it begins from: villager is world/kinds/villager.yaml. What stands here comes over"
        " what the kind says; lists are joined.",
    )
    replaces: tuple[Line, ...] = Field(
        default=(), max_length=16, description="Lists that are not joined with the kind's: [tools, voice.examples]."
    )

    @model_validator(mode="after")
    def _secrets_are_whole(self) -> Self:
        refuse_faults(self._secret_faults())
        return self

    def _secret_faults(self) -> Iterator[Fault]:
        seen: dict[str, int] = {}
        for index, secret in enumerate(self.secrets):
            if isinstance(secret, Secret) and secret.hint and not secret.when:
                told = "the hint is only told where there is a 'when'"
                yield Fault(("secrets", index, "hint"), told, "add one, or take the hint out")
            if isinstance(secret, Secret) and seen.setdefault(secret.id, index) != index:
                told = f"the id {secret.id!r} is given twice"
                yield Fault(("secrets", index, "id"), told, f"first in secrets[{seen[secret.id]}]")
