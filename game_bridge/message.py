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
    Forget,
    Frame,
    Happen,
    Hello,
    Learn,
    Leave,
    Ping,
    Say,
    Sessions,
    State,
    Stats,
    Talk,
    ToolResult,
    Typing,
)
from game_bridge.field import (
    MAX_ERROR_CHARS,
    MAX_REPLY_CHARS,
    GoodbyeReason,
    News,
    PriorityName,
    Ref,
    RequestId,
    Want,
    WireModel,
)
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
    Edited,
    Emote,
    Error,
    Failed,
    Felt,
    Finished,
    Goodbye,
    Learned,
    Left,
    Limits,
    Mistake,
    Noted,
    Notice,
    NpcEntry,
    Pong,
    Sentence,
    SessionEntry,
    SessionList,
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
    Hello
    | Talk
    | Leave
    | Say
    | Approach
    | Typing
    | Frame
    | Stats
    | Sessions
    | Cancel
    | ToolResult
    | Confirm
    | State
    | Learn
    | Forget
    | Happen
    | Ping
    | Bye
)
EventMessage: TypeAlias = Text | Sentence | Emote | ToolCall | ToolSettled | Structured | Notice | Finished | Failed
AnswerMessage: TypeAlias = (
    Welcome
    | Talking
    | Left
    | SessionList
    | StateOk
    | Learned
    | Felt
    | Noted
    | Figures
    | Edited
    | Pong
    | Error
    | Goodbye
)
ServerMessage: TypeAlias = AnswerMessage | EventMessage

MODELS_BY_TYPE: dict[str, type[WireModel]] = {
    model.model_fields["type"].default: model
    for union in (ClientMessage, AnswerMessage, EventMessage)
    for model in get_args(union)
}

__all__ = [
    "MAX_ERROR_CHARS", "MAX_REPLY_CHARS", "MODELS_BY_TYPE", "PROTOCOL", "Answer", "AnswerMessage", "Approach",
    "Asked", "BatchFields", "BridgeFields", "Bye", "CacheFields", "Cancel", "ClientMessage", "Confirm", "Edited",
    "Emote", "EngineFields", "Error", "EventMessage", "Failed", "Felt", "Figures", "Finished", "Forget", "Frame",
    "Goodbye", "GoodbyeReason", "GovernorFields", "Happen", "Hello", "Learn", "Learned", "Leave", "Left", "Limits",
    "Mistake", "News", "Noted", "Notice", "NpcEntry", "Ping", "Pong", "PriorityName", "Ref", "RequestFields",
    "RequestId", "Say", "Sentence", "ServerMessage", "SessionEntry", "SessionList", "Sessions", "State", "StateOk",
    "Stats", "Structured", "Talk", "Talking", "Text", "TimingFields", "Told", "ToolCall", "ToolResult", "ToolSettled",
    "Typing", "UsageFields", "Want", "Welcome", "WireModel",
]  # fmt: skip
