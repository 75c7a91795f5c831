"""The client without a socket: frames in, frames out, answers and events between.

Owns refs, open replies and their calls; knows neither time nor threads. Floor 0 only. Driven by link.py.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.ledger import Ledger
from npc_sdk.errors import (
    BridgeError,
    ConnectionLost,
    DuplicateRequest,
    NpcError,
    ProtocolError,
    RequestError,
    UnknownNpc,
    UnknownRequest,
    Unsupported,
)
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, TextDelta, ToolCall, ToolSettled
from npc_sdk.messages import ImagePart, JsonValue

log = logging.getLogger(__name__)

# What a say may ask of a server that can do it.
_CAPABILITIES = {"start_by_s": "start_by", "tool_choice": "tool_choice", "json_schema": "structured"}

_STILL_MEANT = (wire.Leave, wire.Bye)  # what is to end shall end, also where nobody waits for it

Settled: TypeAlias = wire.AnswerMessage | NpcError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Frames to send; ref is what their answer will carry."""

    ref: int
    frames: list[bytes]


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of something asked: the answer, or why there is none."""

    ref: int
    outcome: Settled


@dataclass(slots=True)
class _OpenReply:
    session_id: str
    ref: int
    said: list[str] = field(default_factory=list)
    calls: dict[str, bool] = field(default_factory=dict)  # those that are open, and whether the player need not agree


Happening: TypeAlias = Answered | Event | wire.Edited | Outgoing  # which is to be sent


class ClientCore:
    """One connection's state. Every open reply yields exactly one terminal event, if only from lose."""

    def __init__(self) -> None:
        self.limits = protocol.DEFAULT_LIMITS
        self.capabilities: tuple[str, ...] = ()
        self.npcs: Mapping[str, str] = {}
        self.pronunciations: Mapping[str, str] = {}
        self.is_welcome = False
        self.key = ""
        self.resume_s = 0.0
        self.ledger = Ledger()
        self._server_heard = 0
        self.lost: BridgeError | None = None
        self._refs = itertools.count(1)
        self._awaited: set[int] = set()
        self._replies: dict[str, _OpenReply] = {}

    def hello(self, client: str, wants: Sequence[wire.News]) -> Outgoing:
        """The first message of a connection; after a break it asks to go on. Raises: as ask."""
        back: dict[str, object] = {"resume": self.key, "heard": self.ledger.heard} if self.key else {}
        return self.ask(wire.Hello, protocol=wire.PROTOCOL, client=client, wants=tuple(wants), **back)

    def ask(self, message: type[wire.Asked], **fields: object) -> Outgoing:
        """Something whose answer matters. Raises: ConnectionLost once lost; ProtocolError, TooLarge for the fields."""
        outgoing = self.tell(message, **fields)
        self._awaited.add(outgoing.ref)
        return outgoing

    def tell(self, message: type[wire.Asked], **fields: object) -> Outgoing:
        """Something whose refusal is only logged. Raises: as ask."""
        self._check_open()
        ref = next(self._refs)
        return Outgoing(ref, protocol.encode(protocol.make(message, ref=ref, **fields), limits=self.limits))

    def say(
        self,
        session_id: str,
        request_id: str,
        text: str,
        images: Sequence[ImagePart] = (),
        wants: Sequence[wire.Want] = (),
        **fields: object,
    ) -> Outgoing:
        """Open a reply; of what it wants, the server is asked for what it can do. fields are others of the message.

        Raises: DuplicateRequest; Unsupported; and as ask.
        """
        self._check_open()
        for name, capability in _CAPABILITIES.items():
            if fields.get(name) is not None:
                self.check_can(capability)
        if request_id in self._replies:
            raise DuplicateRequest(f"request_id {request_id!r} is open", hint="take a new one for every say")
        ref = next(self._refs)
        message = protocol.make(
            wire.Say,
            ref=ref,
            request_id=request_id,
            session_id=session_id,
            text=text,
            images=tuple(image.media_type for image in images),
            wants=tuple(want for want in wants if want in self.capabilities) or None,
            **fields,
        )
        frames = protocol.encode(message, [image.data for image in images], self.limits)
        self._replies[request_id] = _OpenReply(session_id, ref)
        return Outgoing(ref, frames)

    def hint(self, message: type[wire.Asked], **fields: object) -> list[bytes] | None:
        """The frames of what may help and wants no answer; None where it could not reach anybody who knows it.

        Raises: ProtocolError, TooLarge for the fields.
        """
        made = protocol.make(message, **fields)
        if self.lost is not None or message.model_fields["type"].default not in self.capabilities:
            return None
        return protocol.encode(made, limits=self.limits)

    def check_npc(self, npc_id: str) -> None:
        """Raises: UnknownNpc for one that the server did not name."""
        if npc_id not in self.npcs:
            raise UnknownNpc(f"there is no NPC {npc_id!r}", hint=f"the server's: {', '.join(self.npcs)}")

    def check_can(self, capability: str) -> None:
        """Raises: Unsupported for what the server cannot do."""
        if capability not in self.capabilities:
            raise Unsupported(f"the server does not know {capability!r}", hint="it is older than this client")

    def cancel(self, request_id: str) -> Outgoing:
        """Raises: UnknownRequest for a reply that is not open; and as ask."""
        if request_id not in self._replies:
            raise UnknownRequest(f"request_id {request_id!r} is not open", hint="it may have ended already")
        return self.tell(wire.Cancel, request_id=request_id)

    def tool_result(
        self, session_id: str, call_id: str, status: Literal["accepted", "refused"], content: JsonValue
    ) -> Outgoing:
        """Raises: UnknownRequest for a call that is not open or was answered; RequestError for one that the player
        has not agreed to; and as ask.
        """
        calls = self._calls(session_id, call_id)
        if status == "accepted" and not calls[call_id]:
            raise RequestError(f"call {call_id!r} waits for the player", hint="say with confirm whether they agree")
        fields = {"session_id": session_id, "call_id": call_id, "status": status, "content": content}
        outgoing = self.tell(wire.ToolResult, **fields)
        del calls[call_id]
        return outgoing

    def confirm(self, session_id: str, call_id: str, is_agreed: bool, reason: str) -> Outgoing:
        """Raises: UnknownRequest for a call that is not open or was answered; RequestError for a refusal of one that
        needs no consent, or has it; and as ask.
        """
        calls = self._calls(session_id, call_id)
        if calls[call_id] and not is_agreed:
            hint = "answer it with tool_result, refused if the game will not have it"
            raise RequestError(f"call {call_id!r} does not wait for the player", hint=hint)
        outgoing = self.tell(wire.Confirm, session_id=session_id, call_id=call_id, is_agreed=is_agreed, reason=reason)
        if is_agreed:
            calls[call_id] = True
        else:
            del calls[call_id]
        return outgoing

    def receive(self, frames: Sequence[bytes]) -> list[Happening]:
        """Take one message of the server. One that cannot be read ends the connection."""
        if self.lost is not None:
            return []
        try:
            message = protocol.decode_server(frames)
        except NpcError as exc:
            return self.lose(ProtocolError(f"The server sent what the protocol does not allow: {exc}"))
        if not isinstance(message, wire.Welcome):
            self.ledger.heard += 1
        match message:
            case wire.Error():
                return self._on_error(message)
            case wire.Goodbye():
                return [*self._answer(message), *self.lose(_goodbye_error(message.reason))]
            case wire.Welcome():
                return self._on_welcome(message)
            case wire.Edited():
                self.npcs = {npc.npc_id: npc.name for npc in message.npcs} or self.npcs
                return [message]
        if isinstance(message, wire.Told):
            return self._on_event(protocol.to_event(message))
        return self._answer(message)

    def lose(self, error: BridgeError) -> list[Happening]:
        """The connection is gone: everything open ends now. Once only; later calls find nothing open."""
        if self.lost is None:
            self.lost = error
        happenings: list[Happening] = [Answered(ref, self.lost) for ref in sorted(self._awaited)]
        happenings += [
            ReplyFailed(request_id, self.lost, "".join(reply.said)) for request_id, reply in self._replies.items()
        ]
        self._awaited.clear()
        self._replies.clear()
        return happenings

    def note(self, frames: list[bytes]) -> None:
        """Any message but hello goes out."""
        if self.key:
            self.ledger.note(frames)

    def missed(self) -> list[Sequence[bytes]] | None:
        """What the server did not hear before a break, after a hello that went on; None where that was forgotten."""
        return self.ledger.after(self._server_heard)

    def give_up(self, asked: Outgoing, message: type[wire.Asked]) -> None:
        """Nobody waits for this answer any more: a server that did not hear the question, hears it no more."""
        self._awaited.discard(asked.ref)
        if message not in _STILL_MEANT:
            self.ledger.replace(asked.frames, protocol.encode(wire.Ping(ref=asked.ref)))

    def regret(self, outcome: Settled) -> list[Happening]:
        """An answer that nobody waits for: of what it opened, nothing stays."""
        if not isinstance(outcome, wire.Talking) or self.lost is not None:
            return []
        return [self.tell(wire.Leave, session_id=outcome.session_id)]

    def _on_welcome(self, message: wire.Welcome) -> list[Happening]:
        if self.is_welcome and not message.resumed:
            return self.lose(ConnectionLost("The server no longer knows this connection", hint="connect again"))
        if not message.resumed:
            self.ledger.start_over()
        self.is_welcome = True
        self.key, self.resume_s = message.resume or "", message.resume_s or 0.0
        self._server_heard = message.heard or 0
        self.limits = limits = message.limits
        self.ledger.max_bytes = 2 * (limits.max_body_bytes + limits.max_images * limits.max_image_bytes)
        self.capabilities = message.capabilities
        self.npcs = {npc.npc_id: npc.name for npc in message.npcs}
        self.pronunciations = dict(message.pronunciations or {})
        return self._answer(message)

    def _on_error(self, message: wire.Error) -> list[Happening]:
        error = protocol.to_error(message)
        if message.ref in self._awaited:
            return self._settle(message.ref, error)
        for request_id, reply in self._replies.items():
            if reply.ref == message.ref:
                del self._replies[request_id]
                return [ReplyFailed(request_id, error, "".join(reply.said))]
        if isinstance(error, ConnectionLost):
            return self.lose(error)
        # a cancel or a tool result that crossed the reply's end on its way: the reply's own events tell the story
        level = logging.DEBUG if isinstance(error, UnknownRequest) else logging.WARNING
        log.log(level, "the server refused message %s: %s", message.ref, error)
        return []

    def _on_event(self, event: Event) -> list[Happening]:
        reply = self._replies.get(event.request_id)
        if reply is None:
            log.warning("%s came for request %s, which is not open", type(event).__name__, event.request_id)
            return []
        match event:
            case TextDelta(text=text):
                reply.said.append(text)
            case ToolCall(call=call, needs_confirmation=needs_confirmation):
                reply.calls[call.call_id] = not needs_confirmation
            case ToolSettled(result=result):
                reply.calls.pop(result.call_id, None)
            case ReplyFinished() | ReplyFailed():
                del self._replies[event.request_id]
        return [event]

    def _answer(self, message: wire.AnswerMessage) -> list[Happening]:
        if message.ref in self._awaited:
            return self._settle(message.ref, message)
        if message.ref is not None and not isinstance(message, wire.Pong):
            log.debug("a late %s came for message %d", message.type, message.ref)
        return self.regret(message)

    def _settle(self, ref: int | None, outcome: Settled) -> list[Happening]:
        if ref is None:
            return []
        self._awaited.discard(ref)
        return [Answered(ref, outcome)]

    def _calls(self, session_id: str, call_id: str) -> dict[str, bool]:
        """The open calls of the reply that made this one. Raises: UnknownRequest."""
        for reply in self._replies.values():
            if reply.session_id == session_id and call_id in reply.calls:
                return reply.calls
        raise UnknownRequest(f"call_id {call_id!r} is not open", hint="it may have been answered or timed out")

    def _check_open(self) -> None:
        if self.lost is not None:
            raise ConnectionLost(self.lost.message, hint=self.lost.hint or "connect again") from self.lost


def _goodbye_error(reason: wire.GoodbyeReason) -> ConnectionLost:
    return ConnectionLost(f"The server said goodbye: {reason}", hint="connect again")
