"""What both clients have in common: a reply, a session and a connection as a game sees them, less what waits.

client.py adds what blocks and async_client.py what is awaited; each says how a function of the link is called. Floor 0
only.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from game_bridge import message as wire
from game_bridge.frame_meter import FrameMeter
from game_bridge.link import Link
from npc_sdk.errors import ConnectionLost, UnknownRequest
from npc_sdk.events import Event
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

Call: TypeAlias = Callable[..., object]  # a function and its arguments

OnToolT = TypeVar("OnToolT")
OnConfirmT = TypeVar("OnConfirmT")
ReplyT = TypeVar("ReplyT", bound="ReplyFace[Any, Any]")
SessionT = TypeVar("SessionT", bound="SessionFace[Any, Any, Any]")


class ReplyFace(ABC, Generic[OnToolT, OnConfirmT]):
    """One reply; is_ended once its last event was read."""

    def __init__(
        self,
        session: SessionFace[Any, OnToolT, OnConfirmT],
        request_id: str,
        on_tool: OnToolT | None,
        on_confirm: OnConfirmT | None,
    ) -> None:
        self.request_id = request_id
        self.is_ended = False
        self._session = session
        self._on_tool = on_tool
        self._on_confirm = on_confirm

    @abstractmethod
    def hear(self, event: Event) -> None:
        """Take an event from the link's loop; the game reads it later."""

    def cancel(self) -> None:
        """Ask for the end; the events then end in ReplyFinished "cancelled". No matter if it has ended already."""
        try:
            self._session.cancel(self.request_id)
        except (UnknownRequest, ConnectionLost):
            return


class SessionFace(ABC, Generic[ReplyT, OnToolT, OnConfirmT]):
    """One player talking to one NPC."""

    def __init__(self, link: Link, call: Call, talking: wire.Talking) -> None:
        self.session_id = talking.session_id
        self.npc_id = talking.npc_id
        self.greeting = talking.greeting
        self._link = link
        self._call = call

    @abstractmethod
    def _reply(self, request_id: str, on_tool: OnToolT | None, on_confirm: OnConfirmT | None) -> ReplyT:
        """A reply that has heard nothing yet."""

    def say(
        self,
        text: str,
        *,
        images: Sequence[ImagePart] = (),
        request_id: str | None = None,
        priority: wire.PriorityName = "player",
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        tool_choice: str | None = None,
        json_schema: Mapping[str, Any] | None = None,
        on_tool: OnToolT | None = None,
        on_confirm: OnConfirmT | None = None,
    ) -> ReplyT:
        """Speak; sent at once. on_tool and on_confirm run where the reply is read; without on_tool the game answers
        the calls itself. With on_tool alone, calls that the player must agree to are declined.

        With start_by_s, words that would come later are dropped: DeadlineMissed. tool_choice and json_schema as in
        Session.say.
        Raises: ConnectionLost, DuplicateRequest, ProtocolError, TooLarge, Unsupported.
        """
        reply = self._reply(request_id or uuid.uuid4().hex, on_tool, on_confirm)
        can_ask = on_confirm is not None or on_tool is None
        wants: tuple[wire.Want, ...] = ("emotes", "notices", "barks", *(("confirm",) if can_ask else ()))
        say = partial(
            self._link.say,
            priority=priority,
            timeout_s=timeout_s,
            start_by_s=start_by_s,
            tool_choice=tool_choice,
            json_schema=None if json_schema is None else dict(json_schema),
        )
        self._call(say, reply.hear, self.session_id, reply.request_id, text, images, wants)
        return reply

    def approach(self) -> None:
        """The player walks up: the server prepares the next prompt. A server that is gone hears nothing."""
        self._call(partial(self._link.hint, wire.Approach, session_id=self.session_id))

    def typing(self, text: str) -> None:
        """The player's words so far, for the server to prepare; empty forgets them. Raises: ProtocolError, TooLarge."""
        self._call(partial(self._link.hint, wire.Typing, session_id=self.session_id, text=text))

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        """Answer a call.

        Raises: UnknownRequest for one that is not open, RequestError for one that the player has not agreed to;
        ProtocolError, TooLarge, ConnectionLost.
        """
        self._call(self._link.tool_result, self.session_id, call_id, status, content)

    def confirm(self, call_id: str, is_agreed: bool, reason: str = "") -> None:
        """The player's answer to a call that needs_confirmation.

        Raises: UnknownRequest for one that is not open; ProtocolError, TooLarge, ConnectionLost.
        """
        self._call(self._link.confirm, self.session_id, call_id, is_agreed, reason)

    def answer(self, call: FunctionCall, status: Literal["accepted", "refused"], content: JsonValue) -> None:
        """tool_result for a callback, which may have taken longer than the call lived."""
        self._call(self._link.answer, self.session_id, call, status, content)

    def consent(self, call: FunctionCall, is_agreed: bool) -> None:
        """confirm for a callback, in the same way."""
        self._call(self._link.consent, self.session_id, call, is_agreed)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._call(self._link.cancel, request_id)


class ClientFace(Generic[SessionT]):
    """One connection. post calls a function when there is time, and never raises."""

    def __init__(self, link: Link, call: Call, post: Call) -> None:
        self._link = link
        self._call = call
        self._post = post
        self._sessions: dict[str, SessionT] = {}
        self._meter = FrameMeter()

    @property
    def npcs(self) -> Mapping[str, str]:
        """The cast: npc_id to name."""
        return self._link.core.npcs

    @property
    def pronunciations(self) -> Mapping[str, str]:
        """How names are said, for the game's voices."""
        return self._link.core.pronunciations

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server can do."""
        return self._link.core.capabilities

    @property
    def is_connected(self) -> bool:
        """Whether the server was there when it was last heard of."""
        return self._link.core.lost is None

    def approach(self, npc_id: str, *, player: str = "Traveller") -> None:
        """The player walks up to an NPC: the server prepares the next prompt of the standing session, or the first one.

        Raises: UnknownNpc, ProtocolError.
        """
        standing = self._sessions.get(npc_id)
        if standing is not None:
            standing.approach()
        else:
            self._call(self._link.approach, npc_id, player)

    def note_frame(self, frame_s: float) -> None:
        """How long a frame took; call it every frame, the worst goes out 20 times a second. Raises: RequestError."""
        worst_s = self._meter.note(frame_s)
        if worst_s is not None:
            self._post(self._link.note_frame, worst_s)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._call(self._link.cancel, request_id)
