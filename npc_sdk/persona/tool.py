"""A tool as world.yaml declares it, and a line of a persona's tools: both as pydantic models.

Knows neither files nor the state. Called by persona/schema.py; persona/offer.py brings both together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema, field_validator, model_validator

from npc_sdk.messages import ToolSpec
from npc_sdk.persona.authored import Authored, Line, ToolName
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.json_schema import TYPES
from npc_sdk.persona.limit import limit_faults
from npc_sdk.persona.parameter import (
    FROM,
    OPTIONAL,
    Source,
    declared,
    in_full,
    schema_faults,
    short_faults,
    sources,
)

Timeout = Annotated[float, Field(gt=0, le=3600, description="Seconds that the game has for its answer.")]
PerReply = Annotated[int, Field(ge=1, le=64, description="The most calls in one reply.")]
PerMinute = Annotated[int, Field(ge=1, le=600, description="The most calls of one NPC within any minute.")]
Cooldown = Annotated[float, Field(ge=0, le=86400, description="Seconds from one call of an NPC to its next.")]
Parallel = Annotated[bool, Field(description="May run beside other calls of the same reply.")]
Confirm = Annotated[bool, Field(description="The player must agree before the game is asked.")]

_PATH = {"type": "string", "pattern": r"^state\."}
_SHORT = {  # for editors; parameter.py tells mistakes better than a schema can
    "type": "object",
    "description": 'The short form: "note: string?", "mood: [calm, angry]", "item: {from: state.holds}".',
    "additionalProperties": {
        "anyOf": [
            {"enum": [*TYPES, *(f"{kind}?" for kind in TYPES)]},
            {"type": "array", "items": {"type": "string"}},
            {
                "type": "object",
                "properties": {
                    FROM: {"anyOf": [_PATH, {"type": "array", "items": _PATH}]},
                    OPTIONAL: {"type": "boolean"},
                    "type": {"type": "string"},
                    "description": {"type": "string"},
                },
            },
        ]
    },
}


class Parameters(Authored):
    """A tool's parameters: a JSON Schema of type object, with 'from: state.…' in what the state fills."""

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


class Tool(Authored):
    """An action the game offers: in the shape of an OpenAI function, or with its parameters in the short form."""

    name: ToolName
    description: Line
    parameters: Parameters = Field(default_factory=Parameters)
    params: Annotated[dict[str, Any], WithJsonSchema(_SHORT)] = Field(default_factory=dict)
    parallel: Parallel = False
    confirm: Confirm = False
    timeout_s: Timeout | None = None
    per_reply: PerReply | None = None
    per_minute: PerMinute | None = None
    cooldown_s: Cooldown = 0.0

    @model_validator(mode="after")
    def _parameters_are_right(self) -> Self:
        refuse_faults(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        if "params" not in self.model_fields_set:
            yield from (fault.under("parameters") for fault in schema_faults(self.schema_as_written()))
            return
        if "parameters" in self.model_fields_set:
            yield Fault(("params",), "stands beside 'parameters'", "keep one of the two")
        yield from (fault.under("params") for fault in short_faults(self.params))
        for fault in schema_faults(self.schema_as_written()):
            inside = fault.where[1:] if fault.where[:1] == ("properties",) else ()
            yield Fault(("params", *inside), fault.message, fault.hint)

    @classmethod
    def from_spec(cls, spec: ToolSpec) -> Tool:
        """A tool that is declared in code. Raises: pydantic's ValidationError, as for one in a file."""
        parameters = Parameters.model_validate(dict(spec.parameters))
        return cls(name=spec.name, description=spec.description, parameters=parameters)

    def schema_as_written(self) -> dict[str, Any]:
        """The parameters in OpenAI's shape, from and all."""
        return in_full(self.params) if "params" in self.model_fields_set else self.parameters.model_dump()

    def spec(self) -> ToolSpec:
        """The declaration as the prompt shows it."""
        return ToolSpec(self.name, self.description, declared(self.schema_as_written()))

    def sources(self) -> tuple[Source, ...]:
        """What the state fills, at each call anew."""
        return sources(self.schema_as_written())


class ToolEntry(Authored):
    """A tool or a tool set in a persona's list, with what differs for this NPC."""

    name: ToolName
    limits: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="By parameter, JSON Schema keywords that narrow it: {price: {minimum: 1, maximum: 40}}.",
    )
    parallel: Parallel | None = None
    confirm: Confirm | None = None
    timeout_s: Timeout | None = None
    per_reply: PerReply | None = None
    per_minute: PerMinute | None = None
    cooldown_s: Cooldown | None = None

    @model_validator(mode="after")
    def _limits_are_limits(self) -> Self:
        refuse_faults(
            fault.under("limits", name) for name, limit in self.limits.items() for fault in limit_faults(limit)
        )
        return self

    def rules(self) -> dict[str, Any]:
        """The rules that it sets, by the names that Tool has for them."""
        return self.model_dump(exclude={"name", "limits"}, exclude_none=True)


def _kind(value: object) -> str:
    return "<map>" if isinstance(value, dict | ToolEntry) else "<name>"


# The tags are no keys of the file: validate.py leaves steps in '<>' out of a mistake's place.
ToolChoice: TypeAlias = Annotated[
    Annotated[ToolName, Tag("<name>")] | Annotated[ToolEntry, Tag("<map>")], Discriminator(_kind)
]
