"""The messages that a client sends. PROTOCOL.md shows them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from game_bridge.field import (
    MAX_ERROR_CHARS,
    MAX_TEXT_CHARS,
    Fact,
    GivenId,
    MediaType,
    Name,
    News,
    PriorityName,
    Ref,
    RequestId,
    ResumeKey,
    Short,
    StateKey,
    ToolChoice,
    Want,
    WireModel,
)
from npc_sdk.messages import JsonValue


class Asked(WireModel):
    """What a client sends."""

    ref: Ref | None = Field(default=None, description="chosen by the client; the answer carries the same number")


class Hello(Asked):
    """Opens the connection, or resumes one that broke; a second one ends everything that is open and starts over."""

    type: Literal["hello"] = "hello"
    protocol: int = Field(description="the protocol version the client speaks")
    client: Name = Field(description="who connects, for the server's log")
    wants: Annotated[tuple[News, ...], Field(strict=False, max_length=8)] | None = Field(
        default=None,
        description="what this client wants beyond the rest: edits, resume (see there); ignored where unknown",
    )
    resume: ResumeKey | None = Field(
        default=None, description="from the last welcome: go on where the connection broke; needs heard"
    )
    heard: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="how many messages came after the first welcome of that key"
    )

    @model_validator(mode="after")
    def _check_resume(self) -> Self:
        if (self.resume is None) != (self.heard is None):
            raise ValueError("resume and heard come together")
        return self


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
    start_by_s: Annotated[float, Field(gt=0, le=600)] | None = Field(
        default=None, description="seconds until it is too late to begin: the reply then fails with deadline_missed"
    )
    tool_choice: ToolChoice | None = Field(
        default=None, description="auto, required, none or the name of a tool to call before all else; auto where nil"
    )
    json_schema: dict[str, JsonValue] | None = Field(
        default=None, description="the reply is no speech but one structured value that is valid for this JSON Schema"
    )
    wants: Annotated[tuple[Want, ...], Field(strict=False, max_length=8)] | None = Field(
        default=None, description="what of a reply this client understands beyond the rest, see Acting"
    )


class Approach(Asked):
    """The player walks up to an NPC: the next prompt is begun in advance. Answered by noted if it has a ref."""

    type: Literal["approach"] = "approach"
    npc_id: GivenId | None = Field(default=None, description="whom the player may talk to; nil with a session_id")
    session_id: GivenId | None = Field(default=None, description="a conversation that may go on; nil with an npc_id")
    player: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        default="Traveller", description="as in talk; of no meaning with a session_id"
    )

    @model_validator(mode="after")
    def _check_whom(self) -> Self:
        if (self.npc_id is None) == (self.session_id is None):
            raise ValueError("name either an npc_id or a session_id")
        return self


class Typing(Asked):
    """The player's words so far; each takes the place of the one before. Answered by noted if it has a ref."""

    type: Literal["typing"] = "typing"
    session_id: GivenId = Field(description="from talking")
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = Field(
        description="typed or recognised until now; empty if the player thought better of it"
    )


class Frame(Asked):
    """How long the game took for a frame, so that the model gives way. Answered by noted if it has a ref."""

    type: Literal["frame"] = "frame"
    frame_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        description="seconds; the longest since the last frame message"
    )


class Stats(Asked):
    """Asks what the server did so far; answered by figures."""

    type: Literal["stats"] = "stats"


class Sessions(Asked):
    """Asks which sessions this connection has open; answered by session_list."""

    type: Literal["sessions"] = "sessions"


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


class Confirm(Asked):
    """The player's answer to a tool_call that needs_confirmation; declined, the call is settled as refused."""

    type: Literal["confirm"] = "confirm"
    session_id: GivenId = Field(description="of the session that asked")
    call_id: GivenId = Field(description="from tool_call")
    is_agreed: bool = Field(description="whether the player agrees; the game then still answers with tool_result")
    reason: Annotated[str, Field(max_length=MAX_ERROR_CHARS)] = Field(
        default="", description="why not, for the NPC to read"
    )


class State(Asked):
    """Sets variables that prompts may use; answered by state_ok."""

    type: Literal["state"] = "state"
    values: Annotated[dict[StateKey, JsonValue], Field(max_length=256)] = Field(
        description="names and their new values"
    )
    npc_id: GivenId | None = Field(default=None, description="for this NPC only; nil for the whole world")


class Learn(Asked):
    """An NPC comes to know something, whatever the lore's scopes say; answered by learned."""

    type: Literal["learn"] = "learn"
    npc_id: GivenId = Field(description="who learns it")
    text: Fact | None = Field(default=None, description="a new fact, in a sentence; nil with an entry_id")
    entry_id: GivenId | None = Field(default=None, description="an entry of the lore; nil with a text")
    source: Short = Field(description='how the NPC knows: "told by Robin", "saw it"')
    keys: Annotated[tuple[Short, ...], Field(strict=False, max_length=8)] = Field(
        default=(), description="words that bring a new fact in when they are said"
    )

    @model_validator(mode="after")
    def _check_what(self) -> Self:
        if (self.text is None) == (self.entry_id is None):
            raise ValueError("give either a text or an entry_id")
        return self


class Forget(Asked):
    """Takes back what an NPC has learned; answered by noted."""

    type: Literal["forget"] = "forget"
    npc_id: GivenId = Field(description="who learned it")
    entry_id: GivenId = Field(description="from learned")


class Happen(Asked):
    """One of the world's events came about between a player and an NPC; answered by felt."""

    type: Literal["happen"] = "happen"
    event: GivenId = Field(description="one of world.yaml's events")
    npc_id: GivenId = Field(description="whose feelings it may move")
    player: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        default="Traveller", description="the player's name in the story, as in talk"
    )


class Ping(Asked):
    """A sign of life; answered by pong."""

    type: Literal["ping"] = "ping"


class Bye(Asked):
    """Ends the connection; open replies end as cancelled, then goodbye comes."""

    type: Literal["bye"] = "bye"
