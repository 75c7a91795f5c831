"""What a session tells the game while an NPC speaks; the same values go over the bridge.

Every request_id ends in exactly one ReplyFinished or ReplyFailed, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from npc_sdk.errors import NpcError
from npc_sdk.messages import FunctionCall, JsonValue, ToolResult

FinishReason: TypeAlias = Literal["stop", "length", "cancelled", "tool_limit"]
EmoteKind: TypeAlias = Literal["action", "emotion"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Units: tokens. cached_tokens of the prompt were reused and not computed again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Timings:
    """Units: seconds. first_token_s counts from the request's arrival, decode_s from the first token to the last."""

    queued_s: float = 0.0
    prefill_s: float = 0.0
    first_token_s: float = 0.0
    decode_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of speech, ready to be shown. Joined in order, the deltas are the reply's text."""

    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A whole sentence of the speech so far, for subtitles and voices; index counts from 0 within the reply."""

    request_id: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Emote:
    """What the NPC shows and does not say: a stage direction ("smiles"), or the emotion of the words that follow.

    Stands between the deltas where it was written; no part of the reply's text, and no end of a sentence.
    """

    request_id: str
    text: str
    kind: EmoteKind


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The NPC acts: a checked call that the game executes and answers with a ToolResult of the same call_id.

    needs_confirmation: the player must agree first; the game asks, and says so with Session.confirm.
    """

    request_id: str
    call: FunctionCall
    needs_confirmation: bool = False


@dataclass(frozen=True, slots=True)
class ToolSettled:
    """How a call ended. status "invalid" means that it never reached the game: unknown, not allowed or malformed."""

    request_id: str
    result: ToolResult


@dataclass(frozen=True, slots=True)
class Structured:
    """The whole of a reply that was asked for with a JSON Schema: a value that is valid for it. Nothing is said."""

    request_id: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a developer or a writer should know, and that ends nothing: code names it, message says it.

    The codes so far: "essential_dropped", lore that must be in this reply's prompt did not fit its window; subject is
    the entry's id.
    """

    request_id: str
    code: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The terminal event of a reply that ended well; a cancelled one carries the text that was already streamed."""

    request_id: str
    text: str
    finish_reason: FinishReason
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The terminal event of a reply that could not be completed; text is what was already streamed.

    bark is a short line of the persona's that the NPC may say instead, where nothing was streamed and it has one: no
    part of the conversation, and not remembered.
    """

    request_id: str
    error: NpcError
    text: str = ""
    bark: str = ""


Event: TypeAlias = (
    TextDelta | Sentence | Emote | ToolCall | ToolSettled | Structured | Notice | ReplyFinished | ReplyFailed
)
