"""The shape of what authors write, as pydantic models; personas/*.schema.json is made from them.

Knows no files: persona/load.py reads YAML into these and turns validation errors into ContentErrors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from npc_sdk.errors import SettingsError
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.authored import Authored, Line, NpcId, ToolName
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.tool import Parameters, Tool, ToolChoice, ToolEntry
from npc_sdk.persona.yaml_reader import field_name
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
    tools: tuple[ToolChoice, ...] = Field(
        default=(),
        max_length=32,
        description="Which of the world's tools it may use: a tool's or a set's name, or {name: …, limits: …} with"
        " what differs for this character.",
    )
    greeting: str = Field(default="", max_length=2000, description="Said when a conversation opens.")
    barks: tuple[Line, ...] = Field(default=(), max_length=40, description="Short lines for when no model is free.")
    sampling: SamplingChoice = Field(default=SamplingChoice())


class WorldFile(Authored):
    """world.yaml: what all characters share."""

    name: Line
    premise: str = Field(default="", max_length=4000, description="One or two sentences that every character knows.")
    rules: tuple[Line, ...] = Field(default=(), max_length=20, description="Added to the rules of every prompt.")
    tools: tuple[Tool, ...] = Field(default=(), max_length=128, description="The actions that the game offers.")
    tool_sets: dict[ToolName, Annotated[tuple[ToolName, ...], Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict,
        max_length=64,
        description="Names for tools that go together: {trade: [give_item, sell_item]}.",
    )

    def with_tools(self, specs: Iterable[ToolSpec]) -> WorldFile:
        """The same world with tools that a game declares in code. Raises: SettingsError for one that does not fit."""
        world = self
        for spec in specs:
            try:
                brought = Tool.from_spec(spec)
                world = WorldFile.model_validate({**dict(world), "tools": (*world.tools, brought)})
            except ValidationError as exc:
                first = exc.errors(include_url=False)[0]
                place = f"{field_name(first['loc'])}: " if first["loc"] else ""
                raise SettingsError(f"the game's tool {spec.name!r} does not fit: {place}{first['msg']}") from exc
        return world

    @model_validator(mode="after")
    def _tools_are_linked(self) -> Self:
        refuse_faults([*self._tool_faults(), *self._set_faults()])
        return self

    def _tool_faults(self) -> Iterator[Fault]:
        seen: set[str] = set()
        for index, tool in enumerate(self.tools):
            if tool.name in seen:
                yield Fault(("tools", index, "name"), f"the tool {tool.name!r} is declared twice")
            seen.add(tool.name)

    def _set_faults(self) -> Iterator[Fault]:
        known = {tool.name for tool in self.tools}
        for name, members in self.tool_sets.items():
            if name in known:
                yield Fault(("tool_sets", name), f"{name!r} is the name of a tool too", "give the set another")
            for index, member in enumerate(members):
                if member not in known:
                    hint = name_hint(member, known, "tools")
                    yield Fault(("tool_sets", name, index), f"the world has no tool {member!r}", hint)
                elif member in members[:index]:
                    yield Fault(("tool_sets", name, index), f"the tool {member!r} is named twice")
