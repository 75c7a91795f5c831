"""The client for a game's own thread: plain calls and plain loops, while a background thread keeps the connection.

Import this in the game; it loads no model code. An asyncio game takes AsyncNpcClient, which has the same names.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from game_bridge import message as wire
from game_bridge.async_client import AsyncNpcClient, AsyncNpcSession, AsyncReply
from game_bridge.credential import ClientCurve, find_credential
from game_bridge.face import ClientFace, ReplyFace, SessionFace
from game_bridge.link import OnEdited
from game_bridge.link_thread import LinkThread
from game_bridge.settings import DEFAULT_ADDRESS
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolCall
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue
from npc_sdk.tool import Refuse

__all__ = [
    "AsyncNpcClient",
    "AsyncNpcSession",
    "AsyncReply",
    "NpcClient",
    "NpcSession",
    "OnConfirm",
    "OnTool",
    "Refuse",
    "Reply",
]

OnTool: TypeAlias = Callable[[FunctionCall], JsonValue]
OnConfirm: TypeAlias = Callable[[FunctionCall], bool]


class Reply(ReplyFace[OnTool, OnConfirm]):
    """One reply's events, once through. Leaving the loop early cancels the reply."""

    def __init__(
        self, session: NpcSession, request_id: str, on_tool: OnTool | None, on_confirm: OnConfirm | None
    ) -> None:
        super().__init__(session, request_id, on_tool, on_confirm)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def hear(self, event: Event) -> None:
        self.events.put(event)

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
        if isinstance(event, ToolCall) and self._is_agreed(event) and self._on_tool is not None:
            self._answer(event.call, self._on_tool)
        return event

    def _is_agreed(self, event: ToolCall) -> bool:
        """Whether the call may be answered now: asks the player, where there is somebody to ask them."""
        if not event.needs_confirmation or self._on_confirm is None:
            return not event.needs_confirmation
        is_agreed = self._on_confirm(event.call)
        self._session.consent(event.call, is_agreed)
        return is_agreed

    def _answer(self, call: FunctionCall, on_tool: OnTool) -> None:
        try:
            self._session.answer(call, "accepted", on_tool(call))
        except Refuse as refusal:
            self._session.answer(call, "refused", refusal.reason)


class NpcSession(SessionFace[Reply, OnTool, OnConfirm]):
    """One player talking to one NPC."""

    def __init__(self, thread: LinkThread, talking: wire.Talking) -> None:
        super().__init__(thread.link, thread.call, talking)
        self._thread = thread

    def _reply(self, request_id: str, on_tool: OnTool | None, on_confirm: OnConfirm | None) -> Reply:
        return Reply(self, request_id, on_tool, on_confirm)

    def leave(self) -> None:
        """End the session. Raises: UnknownSession, ConnectionLost."""
        self._thread.run(self._link.ask(wire.Left, wire.Leave, session_id=self.session_id))


class NpcClient(ClientFace[NpcSession]):
    """A connection: ``with NpcClient.connect() as client``. May be used from several threads."""

    def __init__(self, thread: LinkThread) -> None:
        super().__init__(thread.link, thread.call, thread.post)
        self._thread = thread
        self._opening = threading.Lock()

    @classmethod
    def connect(
        cls,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        curve: ClientCurve | None = None,
        timeout_s: float = 5.0,
        client: str = "npc-sdk python",
        on_edited: OnEdited | None = None,
    ) -> Self:
        """Connect and say hello. on_edited hears of edits of the world's files, on the client's own thread: it may ask
        this client nothing, which would wait for itself.

        Without a token, NPC_SERVER_TOKEN or the file of `npc serve` says it; "" shows none. curve is for a server on
        another machine.
        timeout_s is for the handshake and for each answer: what is given up after it is not carried out later, unless
        the server had it already; a session that comes late is left.
        Raises: ConnectionLost, AuthenticationFailed, VersionMismatch, Overloaded, SettingsError.
        """
        thread = LinkThread(address, timeout_s, on_edited, find_credential(address, token, curve))
        try:
            thread.run(thread.link.open(client))
        except BaseException:
            thread.close()
            raise
        return cls(thread)

    def talk(self, npc_id: str, *, player: str = "Traveller") -> NpcSession:
        """Open a session. Raises: UnknownNpc, Overloaded, ConnectionLost."""
        asking = self._link.ask(wire.Talking, wire.Talk, npc_id=npc_id, player=player)
        return NpcSession(self._thread, self._thread.run(asking))

    def say(
        self,
        npc_id: str,
        text: str,
        *,
        images: Sequence[ImagePart] = (),
        on_tool: OnTool | None = None,
        on_confirm: OnConfirm | None = None,
    ) -> Reply:
        """Speak in this client's standing session with an NPC, which the first words open."""
        with self._opening:
            if npc_id not in self._sessions:
                self._sessions[npc_id] = self.talk(npc_id)
        return self._sessions[npc_id].say(text, images=images, on_tool=on_tool, on_confirm=on_confirm)

    def learn(self, npc_id: str, text: str = "", *, entry_id: str = "", source: str, keys: Sequence[str] = ()) -> str:
        """An NPC comes to know a new fact, or an entry of the lore; the id for forget. As World.learn.

        Raises: Unsupported, UnknownNpc, RequestError, ProtocolError, TooLarge, ConnectionLost.
        """
        return self._thread.run(self._link.learn(npc_id, text, entry_id, source, keys))

    def forget(self, npc_id: str, entry_id: str) -> None:
        """Take back what an NPC has learned. Raises: as learn."""
        self._thread.run(self._link.forget(npc_id, entry_id))

    def happen(self, event: str, npc_id: str, *, player: str = "Traveller") -> wire.Felt:
        """One of the world's events came about; how the NPC feels now. Raises: as learn."""
        return self._thread.run(self._link.happen(event, npc_id, player))

    def stats(self) -> wire.Figures:
        """What the server and its engine did so far. Raises: Unsupported, ConnectionLost."""
        return self._thread.run(self._link.stats())

    def sessions(self) -> Sequence[wire.SessionEntry]:
        """What this connection has open, the oldest first. Raises: Unsupported, ConnectionLost."""
        return self._thread.run(self._link.sessions())

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Set variables for prompts. Raises: RequestError, ProtocolError, TooLarge, ConnectionLost."""
        self._thread.run(self._link.ask(wire.StateOk, wire.State, values=dict(values), npc_id=npc_id))

    def ping(self) -> None:
        """A round trip. Raises: ConnectionLost."""
        self._thread.run(self._link.ask(wire.Pong, wire.Ping))

    def close(self) -> None:
        """Say bye; open replies end, and so does whatever other threads wait for, with ConnectionLost."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
