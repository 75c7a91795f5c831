"""What messages are made of: the strict base, the kinds of text and number with their limits.

Knows no message. Used by asked.py, told.py and figure.py.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

MAX_TEXT_CHARS = 8_000
MAX_REPLY_CHARS = 65_536
MAX_ERROR_CHARS = 2_000

Ref: TypeAlias = Annotated[int, Field(ge=0, le=2**53 - 1)]
RequestId: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=64)]
GivenId: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
ReplyText: TypeAlias = Annotated[str, Field(max_length=MAX_REPLY_CHARS)]
ErrorText: TypeAlias = Annotated[str, Field(max_length=MAX_ERROR_CHARS)]
ErrorCode: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$", max_length=64)]
MediaType: TypeAlias = Literal["image/png", "image/jpeg", "image/webp", "image/x-rgb8", "image/x-rgba8"]
StateKey: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
PriorityName: TypeAlias = Literal["player", "nearby", "ambient", "background"]
GoodbyeReason: TypeAlias = Literal["bye", "idle", "shutdown", "taken_over"]
ToolChoice: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Want: TypeAlias = Literal["emotes", "confirm", "notices", "barks"]
News: TypeAlias = Annotated[str, Field(min_length=1, max_length=32)]
ResumeKey: TypeAlias = Annotated[str, Field(min_length=16, max_length=64)]
Fact: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]
Short: TypeAlias = Annotated[str, Field(min_length=1, max_length=60)]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class WireModel(BaseModel):
    """Strict, closed and immutable: a field too many is refused, and no type is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
