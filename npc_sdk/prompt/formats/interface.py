"""What every chat format offers. One file a format; prompt/formats/__init__.py holds the table of them.

A format turns messages into segments: structure is trusted, everything said or written by anybody is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from npc_sdk.messages import FunctionCall, Message, ToolResult, ToolSpec
from npc_sdk.requests import Segment


class ChatFormat(Protocol):
    """Renders a conversation the way one family of models was trained on."""

    @property
    def name(self) -> str:
        """What settings and npc_model.json call it."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts at which a reply ends, besides the model's own end token."""
        ...

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        """The opening turn: system text, tool declarations, passages that are always known."""
        ...

    def turn(self, message: Message) -> list[Segment]:
        """One later turn, closed."""
        ...

    def opening(self) -> list[Segment]:
        """The start of the assistant's turn, where the model continues."""
        ...


def tool_declaration(tool: ToolSpec, *, is_wrapped: bool) -> Mapping[str, Any]:
    """The JSON a model sees for a tool; wrapped is OpenAI's ``{"type": "function", "function": …}``."""
    bare = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": bare} if is_wrapped else bare


def call_json(call: FunctionCall, arguments_key: str = "arguments") -> Mapping[str, Any]:
    """A call as models write it."""
    return {"name": call.name, arguments_key: dict(call.arguments)}


def result_json(result: ToolResult) -> Mapping[str, Any]:
    """A call's outcome as the model reads it in a tool turn."""
    body: dict[str, Any] = {"status": result.status}
    if result.content is not None:
        body["result" if result.status == "accepted" else "reason"] = result.content
    return body
