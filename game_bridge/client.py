"""The client for a game's own thread: plain calls and plain loops, while a background thread keeps the connection.

Import this in the game; it loads no model code. An asyncio game takes AsyncNpcClient, which has the same names.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Literal, Self, TypeAlias

from game_bridge import message as wire
from game_bridge.async_client import AsyncNpcClient, AsyncNpcSession, AsyncReply
from game_bridge.core import Refuse
from game_bridge.frame_meter import FrameMeter
from game_bridge.link_thread import LinkThread
from game_bridge.settings import DEFAULT_ADDRESS
from npc_sdk.errors import ConnectionLost, UnknownRequest
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolCall
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

__all__ = [
    "AsyncNpcClient",
    "AsyncNpcSession",
    "AsyncReply",
    "NpcClient",
    "NpcSession",
    "OnTool",
    "Refuse",
    "Reply",
]

OnTool: TypeAlias = Callable[[FunctionCall], JsonValue]


class Reply:
    """One reply's events, once through. Leaving the loop early cancels the reply."""

    def __init__(self, session: NpcSession, request_id: str, on_tool: OnTool | None) -> None:
        self.request_id = request_id
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.is_ended = False
        self._session = session
        self._on_tool = on_tool

    def cancel(self) -> None:
        """Ask for the end; the events then end in ReplyFinished "cancelled". No matter if it has ended already."""
        try:
            self._session.cancel(self.request_id)
        except (UnknownRequest, ConnectionLost):
            return

    def __iter__(self) -> Iterator[Event]:
        try:
            while not self.is_ended:
                yield self._take()
        finally:
            if not self.is_ended:
                self.cancel()

    def poll(self) -> Iterator[Event]:
        """The events that have come so far, without waiting: for a game that looks once a frame."""
        while not self.is_ended and not self.events.empty():
            yield self._take()

    def read(self) -> str:
        """The whole text. Raises: the error of a reply that failed."""
        text = ""
        for event in self:
            if isinstance(event, ReplyFailed):
                raise event.error
            if isinstance(event, ReplyFinished):
                text = event.text
        return text

    def _take(self) -> Event:
        event = self.events.get()
        self.is_ended = isinstance(event, ReplyFinished | ReplyFailed)
        if isinstance(event, ToolCall) and self._on_tool is not None:
            self._answer(event.call, self._on_tool)
        return event

    def _answer(self, call: FunctionCall, on_tool: OnTool) -> None:
        try:
            self._session.answer(call, "accepted", on_tool(call))
        except Refuse as refusal:
            self._session.answer(call, "refused", refusal.reason)


class NpcSession:
    """One player talking to one NPC."""

    def __init__(self, thread: LinkThread, session_id: str, npc_id: str, greeting: str) -> None:
        self.session_id = session_id
        self.npc_id = npc_id
        self.greeting = greeting
        self._thread = thread

    def say(
        self,
        text: str,
        *,
        images: Sequence[ImagePart] = (),
        request_id: str | None = None,
        priority: wire.PriorityName = "player",
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        on_tool: OnTool | None = None,
    ) -> Reply:
        """Speak; sent at once. on_tool runs in the thread that reads the reply.

        With start_by_s, words that would come later are dropped: DeadlineMissed.
        Raises: ConnectionLost, DuplicateRequest, ProtocolError, TooLarge, Unsupported.
        """
        reply = Reply(self, request_id or uuid.uuid4().hex, on_tool)
        sink, place = reply.events.put, (self.session_id, reply.request_id)
        self._thread.call(self._thread.link.say, sink, *place, text, images, priority, timeout_s, start_by_s)
        return reply

    def approach(self) -> None:
        """The player walks up: the server prepares the next prompt. A server that is gone hears nothing."""
        self._thread.call(partial(self._thread.link.hint, wire.Approach, session_id=self.session_id))

    def typing(self, text: str) -> None:
        """The player's words so far, for the server to prepare; empty forgets them. Raises: ProtocolError, TooLarge."""
        self._thread.call(partial(self._thread.link.hint, wire.Typing, session_id=self.session_id, text=text))

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        """Answer a call. Raises: UnknownRequest for one that is not open; ProtocolError, TooLarge, ConnectionLost."""
        self._thread.call(self._thread.link.tool_result, self.session_id, call_id, status, content)

    def answer(self, call: FunctionCall, status: Literal["accepted", "refused"], content: JsonValue) -> None:
        """tool_result for a callback, which may have taken longer than the call lived."""
        self._thread.call(self._thread.link.answer, self.session_id, call, status, content)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._thread.call(self._thread.link.cancel, request_id)

    def leave(self) -> None:
        """End the session. Raises: UnknownSession, ConnectionLost."""
        self._thread.run(self._thread.link.ask(wire.Left, wire.Leave, session_id=self.session_id))


class NpcClient:
    """A connection: ``with NpcClient.connect() as client``. May be used from several threads."""

    def __init__(self, thread: LinkThread) -> None:
        self._thread = thread
        self._sessions: dict[str, NpcSession] = {}
        self._opening = threading.Lock()
        self._meter = FrameMeter()

    @classmethod
    def connect(cls, address: str = DEFAULT_ADDRESS, *, timeout_s: float = 5.0, client: str = "npc-sdk python") -> Self:
        """Connect and say hello. Raises: ConnectionLost, VersionMismatch, Overloaded."""
        thread = LinkThread(address, timeout_s)
        try:
            thread.run(thread.link.open(client))
        except BaseException:
            thread.close()
            raise
        return cls(thread)

    @property
    def npcs(self) -> Mapping[str, str]:
        """The cast: npc_id to name."""
        return self._thread.link.core.npcs

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server can do."""
        return self._thread.link.core.capabilities

    @property
    def is_connected(self) -> bool:
        """Whether the server was there when it was last heard of."""
        return self._thread.link.core.lost is None

    def talk(self, npc_id: str, *, player: str = "Traveller") -> NpcSession:
        """Open a session. Raises: UnknownNpc, Overloaded, ConnectionLost."""
        talking = self._thread.run(self._thread.link.ask(wire.Talking, wire.Talk, npc_id=npc_id, player=player))
        return NpcSession(self._thread, talking.session_id, talking.npc_id, talking.greeting)

    def say(self, npc_id: str, text: str, *, images: Sequence[ImagePart] = (), on_tool: OnTool | None = None) -> Reply:
        """Speak in this client's standing session with an NPC, which the first words open."""
        with self._opening:
            if npc_id not in self._sessions:
                self._sessions[npc_id] = self.talk(npc_id)
        return self._sessions[npc_id].say(text, images=images, on_tool=on_tool)

    def approach(self, npc_id: str, *, player: str = "Traveller") -> None:
        """The player walks up to an NPC: the server prepares the next prompt of the standing session, or the first one.

        Raises: UnknownNpc, ProtocolError.
        """
        standing = self._sessions.get(npc_id)
        if standing is not None:
            standing.approach()
        else:
            self._thread.call(self._thread.link.approach, npc_id, player)

    def note_frame(self, frame_s: float) -> None:
        """How long a frame took; call it every frame, the worst goes out 20 times a second. Raises: RequestError."""
        worst_s = self._meter.note(frame_s)
        if worst_s is not None:
            self._thread.post(self._thread.link.note_frame, worst_s)

    def stats(self) -> wire.Figures:
        """What the server and its engine did so far. Raises: Unsupported, ConnectionLost."""
        return self._thread.run(self._thread.link.stats())

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Set variables for prompts. Raises: RequestError, ProtocolError, TooLarge, ConnectionLost."""
        self._thread.run(self._thread.link.ask(wire.StateOk, wire.State, values=dict(values), npc_id=npc_id))

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._thread.call(self._thread.link.cancel, request_id)

    def ping(self) -> None:
        """A round trip. Raises: ConnectionLost."""
        self._thread.run(self._thread.link.ask(wire.Pong, wire.Ping))

    def close(self) -> None:
        """Say bye; open replies end."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
