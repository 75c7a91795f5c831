"""Every message of protocol 1 as a strict model, by one name: asked by clients, told by servers, events of replies.

PROTOCOL.md's tables are generated from here. Knows nothing of bytes (frame.py) or sockets.
Used by protocol.py and by both ends.
"""

from __future__ import annotations

from typing import TypeAlias, get_args

from game_bridge.asked import (
    Approach,
    Asked,
    Bye,
    Cancel,
    Confirm,
    Frame,
    Hello,
    Leave,
    Ping,
    Say,
    State,
    Stats,
    Talk,
    ToolResult,
    Typing,
)
from game_bridge.field import MAX_ERROR_CHARS, GoodbyeReason, PriorityName, Ref, RequestId, Want, WireModel
from game_bridge.figure import (
    BatchFields,
    BridgeFields,
    CacheFields,
    EngineFields,
    Figures,
    GovernorFields,
    RequestFields,
)
from game_bridge.told import (
    Answer,
    Emote,
    Error,
    Failed,
    Finished,
    Goodbye,
    Left,
    Limits,
    Noted,
    NpcEntry,
    Pong,
    Sentence,
    StateOk,
    Structured,
    Talking,
    Text,
    TimingFields,
    Told,
    ToolCall,
    ToolSettled,
    UsageFields,
    Welcome,
)

PROTOCOL = 1

ClientMessage: TypeAlias = (
    Hello | Talk | Leave | Say | Approach | Typing | Frame | Stats | Cancel | ToolResult | Confirm | State | Ping | Bye
)
EventMessage: TypeAlias = Text | Sentence | Emote | ToolCall | ToolSettled | Structured | Finished | Failed
AnswerMessage: TypeAlias = Welcome | Talking | Left | StateOk | Noted | Figures | Pong | Error | Goodbye
ServerMessage: TypeAlias = AnswerMessage | EventMessage

MODELS_BY_TYPE: dict[str, type[WireModel]] = {
    model.model_fields["type"].default: model
    for union in (ClientMessage, AnswerMessage, EventMessage)
    for model in get_args(union)
}

__all__ = [
    "MAX_ERROR_CHARS", "MODELS_BY_TYPE", "PROTOCOL",
    "Answer", "AnswerMessage", "Approach", "Asked", "BatchFields", "BridgeFields", "Bye", "CacheFields", "Cancel",
    "ClientMessage", "Confirm", "Emote", "EngineFields", "Error", "EventMessage", "Failed", "Figures", "Finished",
    "Frame", "Goodbye", "GoodbyeReason", "GovernorFields", "Hello", "Leave", "Left", "Limits", "Noted", "NpcEntry",
    "Ping", "Pong", "PriorityName", "Ref", "RequestFields", "RequestId", "Say", "Sentence", "ServerMessage", "State",
    "StateOk", "Stats", "Structured", "Talk", "Talking", "Text", "TimingFields", "Told", "ToolCall", "ToolResult",
    "ToolSettled", "Typing", "UsageFields", "Want", "Welcome", "WireModel",
]  # fmt: skip
