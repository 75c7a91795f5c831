"""Every message of protocol 1 as a strict model: names, types, limits and what each field means.

PROTOCOL.md's tables are generated from here. Knows nothing of bytes (frame.py) or sockets.
Used by protocol.py and by both ends.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from npc_sdk.messages import JsonValue

PROTOCOL = 1
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
MediaType: TypeAlias = Literal["image/png", "image/jpeg", "image/webp"]
StateKey: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
PriorityName: TypeAlias = Literal["player", "nearby", "ambient", "background"]
GoodbyeReason: TypeAlias = Literal["bye", "idle", "shutdown"]


class WireModel(BaseModel):
    """Strict, closed and immutable: a field too many is refused, and no type is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Asked(WireModel):
    """What a client sends."""

    ref: Ref | None = Field(default=None, description="chosen by the client; the answer carries the same number")


class Hello(Asked):
    """Opens the connection; a second one ends everything that is open and starts over."""

    type: Literal["hello"] = "hello"
    protocol: int = Field(description="the protocol version the client speaks")
    client: Name = Field(description="who connects, for the server's log")


class Talk(Asked):
    """Opens a session with one NPC; answered by talking."""

    type: Literal["talk"] = "talk"
    npc_id: GivenId = Field(description="one of welcome.npcs")
    player: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        default="Traveller", description="the player's name in the story"
    )


class Leave(Asked):
    """Ends a session; a reply still open in it ends as cancelled first. Answered by left."""

    type: Literal["leave"] = "leave"
    session_id: GivenId = Field(description="from talking")


class Say(Asked):
    """The player speaks. Answered by the events of a reply, the last of which is finished or failed."""

    type: Literal["say"] = "say"
    request_id: RequestId = Field(description="chosen by the client, new for every say of a connection")
    session_id: GivenId = Field(description="from talking")
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = Field(description="the player's words")
    images: Annotated[tuple[MediaType, ...], Field(strict=False, max_length=16)] = Field(
        default=(), description="the media type of each extra frame, in order"
    )
    priority: PriorityName = Field(default="player", description="who goes first when the model is busy")
    timeout_s: Annotated[float, Field(gt=0, le=600)] | None = Field(
        default=None,
        description="seconds until the reply fails with timeout; the server's own limit where nil or larger",
    )


class Cancel(Asked):
    """Stops a reply. Its finished message then says cancelled; one that had ended already answers unknown_request."""

    type: Literal["cancel"] = "cancel"
    request_id: RequestId = Field(description="of the say to stop")


class ToolResult(Asked):
    """What the game did about a tool_call; answered by tool_settled among the reply's events."""

    type: Literal["tool_result"] = "tool_result"
    session_id: GivenId = Field(description="of the session that asked")
    call_id: GivenId = Field(description="from tool_call")
    status: Literal["accepted", "refused"] = Field(default="accepted", description="whether the game did it")
    content: JsonValue = Field(
        default=None, description="the outcome, or the reason for a refusal, for the NPC to read"
    )


class State(Asked):
    """Sets variables that prompts may use; answered by state_ok."""

    type: Literal["state"] = "state"
    values: Annotated[dict[StateKey, JsonValue], Field(max_length=256)] = Field(
        description="names and their new values"
    )
    npc_id: GivenId | None = Field(default=None, description="for this NPC only; nil for the whole world")


class Ping(Asked):
    """A sign of life; answered by pong."""

    type: Literal["ping"] = "ping"


class Bye(Asked):
    """Ends the connection; open replies end as cancelled, then goodbye comes."""

    type: Literal["bye"] = "bye"


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
        description="what this server can do: tools, state, images"
    )
    limits: Limits = Field(description="see Limits")
    npcs: Annotated[tuple[NpcEntry, ...], Field(strict=False, max_length=1024)] = Field(description="the cast")


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


class StateOk(Answer):
    """Answers state."""

    type: Literal["state_ok"] = "state_ok"


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
    index: Annotated[int, Field(ge=0)] = Field(description="counts from 0 within the reply")
    text: ReplyText = Field(description="the sentence")


class ToolCall(Told):
    """The NPC acts; answer with tool_result."""

    type: Literal["tool_call"] = "tool_call"
    call_id: GivenId = Field(description="unique within the session")
    name: Name = Field(description="of the tool")
    arguments: dict[str, JsonValue] = Field(description="checked against the tool's schema")


class ToolSettled(Told):
    """How a call ended."""

    type: Literal["tool_settled"] = "tool_settled"
    call_id: GivenId = Field(description="of the call")
    name: Name = Field(description="of the tool")
    status: Literal["accepted", "refused", "invalid", "timeout"] = Field(description="invalid never reached the game")
    content: JsonValue = Field(default=None, description="what the NPC was told")


class UsageFields(WireModel):
    """Units: tokens."""

    prompt_tokens: Annotated[int, Field(ge=0)] = Field(default=0, description="of the prompt")
    cached_tokens: Annotated[int, Field(ge=0)] = Field(default=0, description="of these, reused")
    completion_tokens: Annotated[int, Field(ge=0)] = Field(default=0, description="written by the model")


class TimingFields(WireModel):
    """Units: seconds."""

    queued_s: Annotated[float, Field(ge=0)] = Field(default=0.0, description="waiting for the model")
    prefill_s: Annotated[float, Field(ge=0)] = Field(default=0.0, description="reading the prompt")
    first_token_s: Annotated[float, Field(ge=0)] = Field(default=0.0, description="from arrival to the first token")
    decode_s: Annotated[float, Field(ge=0)] = Field(default=0.0, description="from the first token to the last")
    total_s: Annotated[float, Field(ge=0)] = Field(default=0.0, description="from arrival to the end")


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


ClientMessage: TypeAlias = Hello | Talk | Leave | Say | Cancel | ToolResult | State | Ping | Bye
EventMessage: TypeAlias = Text | Sentence | ToolCall | ToolSettled | Finished | Failed
AnswerMessage: TypeAlias = Welcome | Talking | Left | StateOk | Pong | Error | Goodbye
ServerMessage: TypeAlias = AnswerMessage | EventMessage

MODELS_BY_TYPE: dict[str, type[WireModel]] = {
    model.model_fields["type"].default: model
    for union in (ClientMessage, AnswerMessage, EventMessage)
    for model in get_args(union)
}
