"""The client for games that run an asyncio loop: same names as client.py's, with ``async`` and ``await``.

All that is clever is in core.py and link.py; this is only the shape of it.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self, TypeAlias

from game_bridge import message as wire
from game_bridge.core import Refuse
from game_bridge.frame_meter import FrameMeter
from game_bridge.link import Link
from game_bridge.settings import DEFAULT_ADDRESS
from npc_sdk.errors import ConnectionLost, UnknownRequest
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolCall
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

AsyncOnTool: TypeAlias = Callable[[FunctionCall], JsonValue | Awaitable[JsonValue]]


class AsyncReply:
    """One reply's events, once through. Leaving the loop early cancels the reply."""

    def __init__(self, session: AsyncNpcSession, request_id: str, on_tool: AsyncOnTool | None) -> None:
        self.request_id = request_id
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.is_ended = False
        self._session = session
        self._on_tool = on_tool

    def cancel(self) -> None:
        """Ask for the end; the events then end in ReplyFinished "cancelled". No matter if it has ended already."""
        try:
            self._session.cancel(self.request_id)
        except (UnknownRequest, ConnectionLost):
            return

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            while not self.is_ended:
                event = await self.events.get()
                self.is_ended = isinstance(event, ReplyFinished | ReplyFailed)
                if isinstance(event, ToolCall) and self._on_tool is not None:
                    await self._answer(event.call, self._on_tool)
                yield event
        finally:
            if not self.is_ended:
                self.cancel()

    async def read(self) -> str:
        """The whole text. Raises: the error of a reply that failed."""
        text = ""
        async for event in self:
            if isinstance(event, ReplyFailed):
                raise event.error
            if isinstance(event, ReplyFinished):
                text = event.text
        return text

    async def _answer(self, call: FunctionCall, on_tool: AsyncOnTool) -> None:
        try:
            content = on_tool(call)
            self._session.answer(call, "accepted", await content if inspect.isawaitable(content) else content)
        except Refuse as refusal:
            self._session.answer(call, "refused", refusal.reason)


class AsyncNpcSession:
    """One player talking to one NPC."""

    def __init__(self, link: Link, session_id: str, npc_id: str, greeting: str) -> None:
        self.session_id = session_id
        self.npc_id = npc_id
        self.greeting = greeting
        self._link = link

    def say(
        self,
        text: str,
        *,
        images: Sequence[ImagePart] = (),
        request_id: str | None = None,
        priority: wire.PriorityName = "player",
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        on_tool: AsyncOnTool | None = None,
    ) -> AsyncReply:
        """Speak; sent at once. With start_by_s, words that would come later are dropped: DeadlineMissed.

        Raises: ConnectionLost, DuplicateRequest, ProtocolError, TooLarge, Unsupported.
        """
        reply = AsyncReply(self, request_id or uuid.uuid4().hex, on_tool)
        sink, place = reply.events.put_nowait, (self.session_id, reply.request_id)
        self._link.say(sink, *place, text, images, priority, timeout_s, start_by_s)
        return reply

    def approach(self) -> None:
        """The player walks up: the server prepares the next prompt. A server that is gone hears nothing."""
        self._link.hint(wire.Approach, session_id=self.session_id)

    def typing(self, text: str) -> None:
        """The player's words so far, for the server to prepare; empty forgets them. Raises: ProtocolError, TooLarge."""
        self._link.hint(wire.Typing, session_id=self.session_id, text=text)

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        """Answer a call. Raises: UnknownRequest for one that is not open; ProtocolError, TooLarge, ConnectionLost."""
        self._link.tool_result(self.session_id, call_id, status, content)

    def answer(self, call: FunctionCall, status: Literal["accepted", "refused"], content: JsonValue) -> None:
        """tool_result for a callback, which may have taken longer than the call lived."""
        self._link.answer(self.session_id, call, status, content)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._link.cancel(request_id)

    async def leave(self) -> None:
        """End the session. Raises: UnknownSession, ConnectionLost."""
        await self._link.ask(wire.Left, wire.Leave, session_id=self.session_id)


class AsyncNpcClient:
    """A connection: ``async with await AsyncNpcClient.connect() as client``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sessions: dict[str, AsyncNpcSession] = {}
        self._opening = asyncio.Lock()
        self._meter = FrameMeter()

    @classmethod
    async def connect(
        cls, address: str = DEFAULT_ADDRESS, *, timeout_s: float = 5.0, client: str = "npc-sdk python"
    ) -> Self:
        """Connect and say hello. Raises: ConnectionLost, VersionMismatch, Overloaded."""
        link = Link(address, timeout_s)
        await link.open(client)
        return cls(link)

    @property
    def npcs(self) -> Mapping[str, str]:
        """The cast: npc_id to name."""
        return self._link.core.npcs

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server can do."""
        return self._link.core.capabilities

    @property
    def is_connected(self) -> bool:
        """Whether the server was there when it was last heard of."""
        return self._link.core.lost is None

    async def talk(self, npc_id: str, *, player: str = "Traveller") -> AsyncNpcSession:
        """Open a session. Raises: UnknownNpc, Overloaded, ConnectionLost."""
        talking = await self._link.ask(wire.Talking, wire.Talk, npc_id=npc_id, player=player)
        return AsyncNpcSession(self._link, talking.session_id, talking.npc_id, talking.greeting)

    async def say(
        self, npc_id: str, text: str, *, images: Sequence[ImagePart] = (), on_tool: AsyncOnTool | None = None
    ) -> AsyncReply:
        """Speak in this client's standing session with an NPC, which the first words open."""
        async with self._opening:
            if npc_id not in self._sessions:
                self._sessions[npc_id] = await self.talk(npc_id)
        return self._sessions[npc_id].say(text, images=images, on_tool=on_tool)

    def approach(self, npc_id: str, *, player: str = "Traveller") -> None:
        """The player walks up to an NPC: the server prepares the next prompt of the standing session, or the first one.

        Raises: UnknownNpc, ProtocolError.
        """
        standing = self._sessions.get(npc_id)
        if standing is not None:
            standing.approach()
        else:
            self._link.approach(npc_id, player)

    def note_frame(self, frame_s: float) -> None:
        """How long a frame took; call it every frame, the worst goes out 20 times a second. Raises: RequestError."""
        worst_s = self._meter.note(frame_s)
        if worst_s is not None:
            self._link.note_frame(worst_s)

    async def stats(self) -> wire.Figures:
        """What the server and its engine did so far. Raises: Unsupported, ConnectionLost."""
        return await self._link.stats()

    async def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Set variables for prompts. Raises: RequestError, ProtocolError, TooLarge, ConnectionLost."""
        await self._link.ask(wire.StateOk, wire.State, values=dict(values), npc_id=npc_id)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self._link.cancel(request_id)

    async def ping(self) -> None:
        """A round trip. Raises: ConnectionLost."""
        await self._link.ask(wire.Pong, wire.Ping)

    async def close(self) -> None:
        """Say bye; open replies end."""
        await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
