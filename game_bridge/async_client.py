"""The client for games that run an asyncio loop: same names as client.py's, with ``async`` and ``await``.

All that is clever is in core.py and link.py; this is only the shape of it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from game_bridge import message as wire
from game_bridge.credential import ClientCurve, find_credential
from game_bridge.face import ClientFace, ReplyFace, SessionFace
from game_bridge.link import Link, OnEdited
from game_bridge.settings import DEFAULT_ADDRESS
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolCall
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue
from npc_sdk.tool import Refuse

AsyncOnTool: TypeAlias = Callable[[FunctionCall], JsonValue | Awaitable[JsonValue]]
AsyncOnConfirm: TypeAlias = Callable[[FunctionCall], bool | Awaitable[bool]]


def _call(function: Callable[..., object], *args: Any) -> object:
    """The link's loop is the caller's own."""
    return function(*args)


class AsyncReply(ReplyFace[AsyncOnTool, AsyncOnConfirm]):
    """One reply's events, once through. Leaving the loop early cancels the reply."""

    def __init__(
        self,
        session: AsyncNpcSession,
        request_id: str,
        on_tool: AsyncOnTool | None,
        on_confirm: AsyncOnConfirm | None,
    ) -> None:
        super().__init__(session, request_id, on_tool, on_confirm)
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def hear(self, event: Event) -> None:
        self.events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            while not self.is_ended:
                event = await self.events.get()
                self.is_ended = isinstance(event, ReplyFinished | ReplyFailed)
                if isinstance(event, ToolCall) and await self._is_agreed(event) and self._on_tool is not None:
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

    async def _is_agreed(self, event: ToolCall) -> bool:
        """Whether the call may be answered now: asks the player, where there is somebody to ask them."""
        if not event.needs_confirmation or self._on_confirm is None:
            return not event.needs_confirmation
        said = self._on_confirm(event.call)
        is_agreed = await said if inspect.isawaitable(said) else said
        self._session.consent(event.call, is_agreed)
        return is_agreed

    async def _answer(self, call: FunctionCall, on_tool: AsyncOnTool) -> None:
        try:
            content = on_tool(call)
            self._session.answer(call, "accepted", await content if inspect.isawaitable(content) else content)
        except Refuse as refusal:
            self._session.answer(call, "refused", refusal.reason)


class AsyncNpcSession(SessionFace[AsyncReply, AsyncOnTool, AsyncOnConfirm]):
    """One player talking to one NPC."""

    def __init__(self, link: Link, talking: wire.Talking) -> None:
        super().__init__(link, _call, talking)

    def _reply(self, request_id: str, on_tool: AsyncOnTool | None, on_confirm: AsyncOnConfirm | None) -> AsyncReply:
        return AsyncReply(self, request_id, on_tool, on_confirm)

    async def leave(self) -> None:
        """End the session. Raises: UnknownSession, ConnectionLost."""
        await self._link.ask(wire.Left, wire.Leave, session_id=self.session_id)


class AsyncNpcClient(ClientFace[AsyncNpcSession]):
    """A connection: ``async with await AsyncNpcClient.connect() as client``."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, _call, _call)
        self._opening = asyncio.Lock()

    @classmethod
    async def connect(
        cls,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        curve: ClientCurve | None = None,
        timeout_s: float = 5.0,
        client: str = "npc-sdk python",
        on_edited: OnEdited | None = None,
    ) -> Self:
        """Connect and say hello. on_edited hears of edits of the world's files.

        Without a token, NPC_SERVER_TOKEN or the file of `npc serve` says it; "" shows none. curve is for a server on
        another machine.
        timeout_s is for the handshake and for each answer: what is given up after it is not carried out later, unless
        the server had it already; a session that comes late is left.
        Raises: ConnectionLost, AuthenticationFailed, VersionMismatch, Overloaded, SettingsError.
        """
        link = Link(address, timeout_s, on_edited, find_credential(address, token, curve))
        await link.open(client)
        return cls(link)

    async def talk(self, npc_id: str, *, player: str = "Traveller") -> AsyncNpcSession:
        """Open a session. Raises: UnknownNpc, Overloaded, ConnectionLost."""
        return AsyncNpcSession(self._link, await self._link.ask(wire.Talking, wire.Talk, npc_id=npc_id, player=player))

    async def say(
        self,
        npc_id: str,
        text: str,
        *,
        images: Sequence[ImagePart] = (),
        on_tool: AsyncOnTool | None = None,
        on_confirm: AsyncOnConfirm | None = None,
    ) -> AsyncReply:
        """Speak in this client's standing session with an NPC, which the first words open."""
        async with self._opening:
            if npc_id not in self._sessions:
                self._sessions[npc_id] = await self.talk(npc_id)
        return self._sessions[npc_id].say(text, images=images, on_tool=on_tool, on_confirm=on_confirm)

    async def learn(
        self, npc_id: str, text: str = "", *, entry_id: str = "", source: str, keys: Sequence[str] = ()
    ) -> str:
        """An NPC comes to know a new fact, or an entry of the lore; the id for forget. As World.learn.

        Raises: Unsupported, UnknownNpc, RequestError, ProtocolError, TooLarge, ConnectionLost.
        """
        return await self._link.learn(npc_id, text, entry_id, source, keys)

    async def forget(self, npc_id: str, entry_id: str) -> None:
        """Take back what an NPC has learned. Raises: as learn."""
        await self._link.forget(npc_id, entry_id)

    async def happen(self, event: str, npc_id: str, *, player: str = "Traveller") -> wire.Felt:
        """One of the world's events came about; how the NPC feels now. Raises: as learn."""
        return await self._link.happen(event, npc_id, player)

    async def stats(self) -> wire.Figures:
        """What the server and its engine did so far. Raises: Unsupported, ConnectionLost."""
        return await self._link.stats()

    async def sessions(self) -> Sequence[wire.SessionEntry]:
        """What this connection has open, the oldest first. Raises: Unsupported, ConnectionLost."""
        return await self._link.sessions()

    async def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Set variables for prompts. Raises: RequestError, ProtocolError, TooLarge, ConnectionLost."""
        await self._link.ask(wire.StateOk, wire.State, values=dict(values), npc_id=npc_id)

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
