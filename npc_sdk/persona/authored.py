"""What every authored model is made of: the base that takes no unknown key, and the kinds of text and name.

Knows no particular model. Called by persona/schema.py, persona/tool.py and the lore readers.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_ID = r"^[a-z][a-z0-9_]{0,47}$"

Line = Annotated[str, Field(min_length=1, max_length=2000)]
Short = Annotated[str, Field(min_length=1, max_length=60)]
NpcId = Annotated[str, Field(pattern=_ID)]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]

PlaceId: TypeAlias = NpcId
Faction: TypeAlias = NpcId
# An id of the cast or the world where it is referred to: held against them later, so that a title or an alias in its
# place is answered with the id that is meant.
Reference = Annotated[str, Field(min_length=1, max_length=120), WithJsonSchema({"type": "string", "pattern": _ID})]
Happening: TypeAlias = ToolName  # a tool of the NPC's that the game accepted, or an event that it reports


class Authored(BaseModel):
    """Base of every authored model: unknown keys are mistakes, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def text_or(other: str, value: object, kind: type | tuple[type, ...]) -> str:
    """For a union that takes a plain text too: the tag of the part that a value is meant for.

    Tags in '<>' are no keys of the file: validate.py leaves them out of a mistake's place.
    """
    return f"<{other}>" if isinstance(value, kind) else "<text>"
