"""The messages that a server sends: answers, and the events of a reply. PROTOCOL.md shows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from game_bridge.field import (
    Count,
    ErrorCode,
    ErrorText,
    GivenId,
    GoodbyeReason,
    Name,
    Ref,
    ReplyText,
    RequestId,
    ResumeKey,
    Seconds,
    WireModel,
)
from npc_sdk.messages import JsonValue


class Answer(WireModel):
    """What a server sends, other than a reply's events."""

    ref: Ref | None = Field(default=None, description="the number of the message that this answers")


class Limits(WireModel):
    """What the server accepts from one connection."""

    max_body_bytes: Annotated[int, Field(gt=0)] = Field(default=262_144, description="bytes of a message's first frame")
    max_images: Annotated[int, Field(ge=0, le=16)] = Field(default=4, description="pictures with one say")
    max_image_bytes: Annotated[int, Field(gt=0)] = Field(default=8 * 2**20, description="bytes of one picture")
    max_sessions: Annotated[int, Field(gt=0)] = Field(default=32, description="sessions open at once")
    max_requests: Annotated[int, Field(gt=0)] = Field(default=8, description="replies open at once")
    heartbeat_s: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="seconds between the server's signs of life"
    )
    idle_s: Annotated[float, Field(gt=0)] = Field(
        default=15.0, description="seconds of silence after which a connection is cut"
    )
    reply_timeout_s: Annotated[float, Field(gt=0)] = Field(
        default=120.0, description="the longest that one reply may take"
    )


class NpcEntry(WireModel):
    """An NPC that can be talked to."""

    npc_id: GivenId = Field(description="for talk and state")
    name: Name = Field(description="to show the player")


class Welcome(Answer):
    """Answers hello."""

    type: Literal["welcome"] = "welcome"
    protocol: int = Field(description="the version spoken from here on")
    server: Name = Field(description="name and version of the server's software")
    capabilities: Annotated[tuple[Name, ...], Field(strict=False, max_length=64)] = Field(
        description="what this server can do, see Capabilities"
    )
    limits: Limits = Field(description="see Limits")
    npcs: Annotated[tuple[NpcEntry, ...], Field(strict=False, max_length=1024)] = Field(description="the cast")
    pronunciations: Annotated[dict[Name, Name], Field(max_length=1024)] | None = Field(
        default=None, description="how names are said, for the game's voices; nil where the world tells of none"
    )
    resume: ResumeKey | None = Field(
        default=None, description="for the next hello, if this connection breaks; where hello.wants names resume"
    )
    resume_s: Seconds | None = Field(default=None, description="how long after a break that key is good for")
    resumed: bool | None = Field(
        default=None, description="whether the broken connection goes on; only after a hello with resume"
    )
    heard: Count | None = Field(
        default=None, description="where resumed: how many of the client's messages came after the first hello"
    )


class Talking(Answer):
    """Answers talk."""

    type: Literal["talking"] = "talking"
    session_id: GivenId = Field(description="for say, tool_result and leave")
    npc_id: GivenId = Field(description="who listens")
    greeting: ReplyText = Field(description="the NPC's first words; may be empty")


class Left(Answer):
    """Answers leave."""

    type: Literal["left"] = "left"
    session_id: GivenId = Field(description="of the session that ended")


class SessionEntry(WireModel):
    """A session that is open."""

    session_id: GivenId = Field(description="from talking")
    npc_id: GivenId = Field(description="who listens")
    player: Name = Field(description="as talk named the player")
    request_id: RequestId | None = Field(default=None, description="of the reply that is under way; nil if none is")


class SessionList(Answer):
    """Answers sessions."""

    type: Literal["session_list"] = "session_list"
    sessions: Annotated[tuple[SessionEntry, ...], Field(strict=False, max_length=1024)] = Field(
        description="those of this connection, the oldest first"
    )


class StateOk(Answer):
    """Answers state."""

    type: Literal["state_ok"] = "state_ok"


class Noted(Answer):
    """Answers an approach, a typing or a frame that has a ref; without one they are not answered."""

    type: Literal["noted"] = "noted"


class Learned(Answer):
    """Answers learn."""

    type: Literal["learned"] = "learned"
    entry_id: GivenId = Field(description="of the fact, for forget")


class Felt(Answer):
    """Answers happen."""

    type: Literal["felt"] = "felt"
    mood: Annotated[str, Field(max_length=128)] = Field(description="the NPC's mood now; empty if it has none")
    relation: Annotated[dict[Name, int], Field(max_length=128)] = Field(
        description="what it thinks of the player and of other NPCs, from -10 to 10"
    )


class Mistake(WireModel):
    """What is wrong with an authored file."""

    path: ErrorText = Field(description="of the file")
    line: Count = Field(default=0, description="counts from 1; 0 if unknown")
    column: Count = Field(default=0, description="counts from 1; 0 if unknown")
    message: ErrorText = Field(description="what is wrong, with the field")
    hint: ErrorText = Field(default="", description="what to do about it")


class Edited(Answer):
    """The world's files were edited while the server runs; sent to clients whose hello wants edits. Has no ref."""

    type: Literal["edited"] = "edited"
    changed: Annotated[tuple[GivenId, ...], Field(strict=False, max_length=1024)] = Field(
        default=(), description="NPCs whose persona or tools are others now"
    )
    added: Annotated[tuple[GivenId, ...], Field(strict=False, max_length=1024)] = Field(
        default=(), description="NPCs that can be talked to from now on"
    )
    removed: Annotated[tuple[GivenId, ...], Field(strict=False, max_length=1024)] = Field(
        default=(), description="NPCs that are gone; conversations with them go on"
    )
    npcs: Annotated[tuple[NpcEntry, ...], Field(strict=False, max_length=1024)] = Field(
        default=(), description="the cast from now on; empty where there are mistakes"
    )
    mistakes: Annotated[tuple[Mistake, ...], Field(strict=False, max_length=32)] = Field(
        default=(), description="why the edit is not played; the last good one is. The first 32"
    )


class Pong(Answer):
    """Answers ping; without a ref it is the server's own sign of life."""

    type: Literal["pong"] = "pong"


class Error(Answer):
    """A message was refused, and no reply ends by it."""

    type: Literal["error"] = "error"
    code: ErrorCode = Field(description="see Errors")
    message: ErrorText = Field(description="for the developer")
    hint: ErrorText = Field(default="", description="what to do about it")
    retryable: bool = Field(default=False, description="whether the same again may work")


class Goodbye(Answer):
    """The last message of a connection."""

    type: Literal["goodbye"] = "goodbye"
    reason: GoodbyeReason = Field(description="why it ends")


class Told(WireModel):
    """An event of a reply."""

    request_id: RequestId = Field(description="of the say")


class Text(Told):
    """A piece of speech; joined in order, the pieces are the reply's text."""

    type: Literal["text"] = "text"
    text: ReplyText = Field(description="ready to be shown")


class Sentence(Told):
    """A whole sentence of the speech so far, for subtitles and voices."""

    type: Literal["sentence"] = "sentence"
    index: Count = Field(description="counts from 0 within the reply")
    text: ReplyText = Field(description="the sentence")


class Emote(Told):
    """What the NPC shows and does not say; comes between the pieces of text where it was written."""

    type: Literal["emote"] = "emote"
    text: ReplyText = Field(description='"smiles", or "happy"')
    kind: Literal["action", "emotion"] = Field(description="a stage direction, or how the next words are meant")


class Structured(Told):
    """The whole of a reply that was asked for with a json_schema; finished follows."""

    type: Literal["structured"] = "structured"
    value: JsonValue = Field(default=None, description="valid for the schema")


class ToolCall(Told):
    """The NPC acts; answer with tool_result."""

    type: Literal["tool_call"] = "tool_call"
    call_id: GivenId = Field(description="unique within the session")
    name: Name = Field(description="of the tool")
    arguments: dict[str, JsonValue] = Field(description="checked against the tool's schema")
    needs_confirmation: bool | None = Field(
        default=None, description="true: ask the player first, and answer with confirm; no where nil"
    )


class ToolSettled(Told):
    """How a call ended."""

    type: Literal["tool_settled"] = "tool_settled"
    call_id: GivenId = Field(description="of the call")
    name: Name = Field(description="of the tool")
    status: Literal["accepted", "refused", "invalid", "timeout"] = Field(description="invalid never reached the game")
    content: JsonValue = Field(default=None, description="what the NPC was told")


class UsageFields(WireModel):
    """Units: tokens."""

    prompt_tokens: Count = Field(default=0, description="of the prompt")
    cached_tokens: Count = Field(default=0, description="of these, reused")
    completion_tokens: Count = Field(default=0, description="written by the model")


class TimingFields(WireModel):
    """Units: seconds."""

    queued_s: Seconds = Field(default=0.0, description="waiting for the model")
    prefill_s: Seconds = Field(default=0.0, description="reading the prompt")
    first_token_s: Seconds = Field(default=0.0, description="from arrival to the first token")
    decode_s: Seconds = Field(default=0.0, description="from the first token to the last")
    total_s: Seconds = Field(default=0.0, description="from arrival to the end")


class Notice(Told):
    """Something that a developer or a writer should know; the reply goes on. Sent where say.wants names notices."""

    type: Literal["notice"] = "notice"
    code: ErrorCode = Field(description="essential_dropped: lore that must be in the prompt did not fit")
    subject: Name = Field(description="what it is about, a lore entry's id for one")
    message: ErrorText = Field(description="for the developer")


class Finished(Told):
    """The reply ended well."""

    type: Literal["finished"] = "finished"
    text: ReplyText = Field(description="all of it")
    finish_reason: Literal["stop", "length", "cancelled", "tool_limit"] = Field(description="why it ended")
    usage: UsageFields = Field(default=UsageFields(), description="see Usage")
    timings: TimingFields = Field(default=TimingFields(), description="see Timings")


class Failed(Told):
    """The reply could not be completed."""

    type: Literal["failed"] = "failed"
    code: ErrorCode = Field(description="see Errors")
    message: ErrorText = Field(description="for the developer")
    hint: ErrorText = Field(default="", description="what to do about it")
    retryable: bool = Field(default=False, description="whether the same again may work")
    text: ReplyText = Field(default="", description="what was already streamed")
    bark: ReplyText | None = Field(
        default=None, description="what the NPC may say instead; where say.wants names barks and nothing was streamed"
    )
