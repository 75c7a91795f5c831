"""The values a conversation is made of: messages, image parts, tool declarations, calls and results.

Everything above speaks in these. They know nothing of prompts, engines or sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
CallStatus: TypeAlias = Literal["accepted", "refused", "invalid", "timeout"]


@dataclass(frozen=True, slots=True)
class ImagePart:
    """One picture that comes with a player's words.

    Units: data is the encoded file (PNG, JPEG or WebP); of the raw types image/x-rgb8 and image/x-rgba8 it is width,
    height and stride, each of 4 bytes, big-endian, and rows of pixels, the top one first. Engines get image/x-rgb8.
    """

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """An action that an NPC may ask the game for; parameters is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """An action the NPC asked for. call_id is unique within a session."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the game answered to a call: accepted with content, or refused with the reason as content."""

    call_id: str
    name: str
    status: CallStatus
    content: JsonValue = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    contexts are passages that were looked up for this turn; on a system message they are the always-known ones.
    tool_calls belong to an assistant message, tool_result to a tool message.
    """

    role: Role
    text: str
    contexts: tuple[str, ...] = ()
    images: tuple[ImagePart, ...] = ()
    tool_calls: tuple[FunctionCall, ...] = ()
    tool_result: ToolResult | None = None
