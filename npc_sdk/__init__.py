"""Game characters that talk and act, run on the player's own machine.

The values below come with the package; what loads content or models is imported when it is first used, so that a
game's client stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from npc_sdk.errors import BridgeError, ContentError, EngineError, NpcError, ReplyTimeout, RequestError, SettingsError
from npc_sdk.events import (
    Emote,
    Event,
    ReplyFailed,
    ReplyFinished,
    Sentence,
    Structured,
    TextDelta,
    Timings,
    ToolCall,
    ToolSettled,
    Usage,
)
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue, Message, ToolResult, ToolSpec
from npc_sdk.requests import Priority, Sampling
from npc_sdk.tool import Refuse, Toolbox, from_openai, to_openai, tool

if TYPE_CHECKING:
    from npc_sdk.engine.create import create_engine
    from npc_sdk.engine.interface import Engine
    from npc_sdk.session import Session
    from npc_sdk.settings import SessionSettings, Settings
    from npc_sdk.world import World

__all__ = [
    "BridgeError",
    "ContentError",
    "Emote",
    "Engine",
    "EngineError",
    "Event",
    "FunctionCall",
    "ImagePart",
    "JsonValue",
    "Message",
    "NpcError",
    "Priority",
    "Refuse",
    "ReplyFailed",
    "ReplyFinished",
    "ReplyTimeout",
    "RequestError",
    "Sampling",
    "Sentence",
    "Session",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "Structured",
    "TextDelta",
    "Timings",
    "ToolCall",
    "ToolResult",
    "ToolSettled",
    "ToolSpec",
    "Toolbox",
    "Usage",
    "World",
    "create_engine",
    "from_openai",
    "to_openai",
    "tool",
]

_LAZY = {
    "Engine": "npc_sdk.engine.interface",
    "Session": "npc_sdk.session",
    "SessionSettings": "npc_sdk.settings",
    "Settings": "npc_sdk.settings",
    "World": "npc_sdk.world",
    "create_engine": "npc_sdk.engine.create",
}


def __getattr__(name: str) -> Any:
    """Raises: AttributeError for a name that is not public."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
