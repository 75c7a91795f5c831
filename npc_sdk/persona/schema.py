"""The shape of what authors write, as pydantic models; personas/*.schema.json is made from them.

Knows no files: persona/load.py reads YAML into these and turns validation errors into ContentErrors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, field_validator

from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Sampling

Line = Annotated[str, Field(min_length=1, max_length=2000)]
NpcId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
MAX_PARAMETERS_CHARS = 8000  # more than a small model can make use of, with room for many tools
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]


class Authored(BaseModel):
    """Base of every authored model: unknown keys are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        import dataclasses

        return dataclasses.replace(base, **self.model_dump(exclude_none=True))


class Persona(Authored):
    """One character."""

    name: Annotated[str, Field(min_length=1, max_length=60)] = Field(description="What people call the character.")
    role: Line = Field(description='Trade and place, completing "You are NAME, …": "the blacksmith of Alderwick".')
    description: str = Field(default="", max_length=4000, description="Appearance, history and nature.")
    voice: Voice
    goals: tuple[Line, ...] = Field(default=(), max_length=12, description="What the character wants.")
    secrets: tuple[Line, ...] = Field(default=(), max_length=12, description="What it knows but must not tell.")
    knows: tuple[Line, ...] = Field(default=(), max_length=40, description="Facts it always has in mind.")
    situation: tuple[Line, ...] = Field(
        default=(),
        max_length=20,
        description="Lines about the moment, filled from the game's state: \"You hold: {{ holds | join(', ') }}.\""
        " A line whose variables the game has not set is left out.",
    )
    tools: tuple[ToolName, ...] = Field(default=(), max_length=32, description="Names of the world's tools it may use.")
    greeting: str = Field(default="", max_length=2000, description="Said when a conversation opens.")
    barks: tuple[Line, ...] = Field(default=(), max_length=40, description="Short lines for when no model is free.")
    sampling: SamplingChoice = Field(default=SamplingChoice())


class Parameters(Authored):
    """A tool's parameters: a JSON Schema of type object."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: Literal["object"] = "object"
    properties: dict[str, dict[str, Any]] = Field(default_factory=dict)
    required: list[str] = Field(default_factory=list)

    @field_validator("required")
    @classmethod
    def _required_is_declared(cls, value: list[str], info: Any) -> list[str]:
        missing = [name for name in value if name not in info.data.get("properties", {})]
        if missing:
            raise ValueError(f"required names {missing!r} are not among the properties")
        return value


def _costly(value: Any) -> Iterator[str]:
    """What is wrong with keywords that can take for ever on what a model writes, or fetch something."""
    if isinstance(value, dict):
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(value.get(keyword), str):
                yield f"{keyword} {value[keyword]!r} is not followed: write the schema out in its place"
        if isinstance(value.get("pattern"), str) or "patternProperties" in value:
            yield "patterns are not searched for: list what is allowed with 'enum'"
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _costly(item)


class Tool(Authored):
    """An action the game offers, in the shape of an OpenAI function."""

    name: ToolName
    description: Line
    parameters: Parameters = Field(default_factory=Parameters)

    @field_validator("parameters")
    @classmethod
    def _is_json_schema(cls, value: Parameters) -> Parameters:
        written = len(json.dumps(value.model_dump()))
        if written > MAX_PARAMETERS_CHARS:
            raise ValueError(f"{written:,} characters as JSON, at most {MAX_PARAMETERS_CHARS:,}: prompts hold them all")
        if found := next(_costly(value.model_dump()), None):
            raise ValueError(found)
        try:
            Draft202012Validator.check_schema(value.model_dump())
        except SchemaError as exc:
            raise ValueError(f"not a valid JSON Schema: {exc.message}") from exc
        return value

    def spec(self) -> ToolSpec:
        """The declaration as the prompt shows it."""
        return ToolSpec(self.name, self.description, self.parameters.model_dump())


class WorldFile(Authored):
    """world.yaml: what all characters share."""

    name: Line
    premise: str = Field(default="", max_length=4000, description="One or two sentences that every character knows.")
    rules: tuple[Line, ...] = Field(default=(), max_length=20, description="Added to the rules of every prompt.")
    tools: tuple[Tool, ...] = Field(default=(), max_length=128)
