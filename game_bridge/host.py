"""The seam between the server and what it serves: the part of a world and a session that the bridge calls.

All calls come from the event loop, and none may wait: what takes long goes on behind them. What they raise beyond what
they say is logged, and fails what was asked; it ends neither the server nor other replies. npc_sdk.world.World and
npc_sdk.session.Session fit the seam, and so do the scripted ones in the tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from npc_sdk.engine.interface import Engine
from npc_sdk.events import Event
from npc_sdk.messages import ImagePart, JsonValue
from npc_sdk.requests import Priority


class HostedPersona(Protocol):
    """What the welcome message says of an NPC."""

    @property
    def name(self) -> str: ...


class HostedTemper(Protocol):
    """How an NPC feels."""

    @property
    def mood(self) -> str: ...

    @property
    def relation(self) -> Mapping[str, int]: ...


class HostedSession(Protocol):
    """One player talking to one NPC."""

    @property
    def session_id(self) -> str: ...

    @property
    def npc_id(self) -> str: ...

    @property
    def greeting(self) -> str: ...

    def say(
        self,
        text: str,
        *,
        images: tuple[ImagePart, ...] = (),
        request_id: str | None = None,
        priority: Priority = Priority.PLAYER,
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        tool_choice: str = "auto",
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Event]:
        """The events of one reply, the last of which is terminal; nothing after it, and without one the reply fails.

        Begins when first awaited. A session that is not free fails the reply, and goes on with the one under way. The
        bridge closes the iterator of one that it ends early. request_id is what cancel and the engine know the reply
        by. images are the session's to let go of, as soon as it has looked at them.
        Units: timeout_s for the whole reply, which the bridge ends itself soon after.
        """
        ...

    def approach(self) -> None:
        """Begin the next prompt in advance; returns at once."""
        ...

    def typing(self, text: str) -> None:
        """The same with the player's words so far."""
        ...

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        """Raises: UnknownRequest, RequestError."""
        ...

    def confirm(self, call_id: str, is_agreed: bool, reason: str = "") -> None:
        """The player's answer to a call that needs one. Raises: UnknownRequest, RequestError."""
        ...

    def cancel(self, request_id: str) -> None:
        """End the reply soon; its stream then ends in ReplyFinished with reason "cancelled".

        Of one that has ended it may come as well. Raises: UnknownRequest, or nothing.
        """
        ...


class HostedWorld(Protocol):
    """The cast and its sessions."""

    @property
    def cast(self) -> Mapping[str, HostedPersona]: ...

    @property
    def engine(self) -> Engine: ...

    def talk(self, npc_id: str, *, player: str = "Traveller", guest: str = "") -> HostedSession:
        """A new session, whose id no other has. It stays open until end. Raises: UnknownNpc.

        guest is the connection that asks: with what costs much, guests take turns.
        """
        ...

    def approach(
        self, npc_id: str, *, player: str = "Traveller", among: Collection[str] | None = None, guest: str = ""
    ) -> None:
        """Begin the next prompt of an NPC in advance; returns at once. Raises: UnknownNpc, RequestError.

        A conversation that is open already goes on only where among names its session.
        """
        ...

    def depart(self, guest: str) -> None:
        """A connection is gone, and nothing that it hinted at is wanted any more."""
        ...

    def note_frame(self, frame_s: float) -> None:
        """Raises: RequestError."""
        ...

    def end(self, session_id: str) -> None:
        """Comes after the session's replies have ended, or were given time for it. Raises: UnknownSession."""
        ...

    @property
    def pronunciations(self) -> Mapping[str, str]: ...

    def learn(self, npc_id: str, text: str = "", *, entry_id: str = "", source: str, keys: Sequence[str] = ()) -> str:
        """The id of what the NPC knows from now on. Raises: UnknownNpc, RequestError."""
        ...

    def forget(self, npc_id: str, entry_id: str) -> None:
        """Raises: UnknownNpc, RequestError."""
        ...

    def happen(self, event: str, npc_id: str, *, player: str = "Traveller") -> HostedTemper:
        """How the NPC feels after it. Raises: UnknownNpc, RequestError."""
        ...

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        """Raises: RequestError."""
        ...
