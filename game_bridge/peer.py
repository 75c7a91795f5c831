"""One connected game: its sessions, its open replies, the request ids it has used, and what waits to be sent to it."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.host import HostedSession
from game_bridge.ledger import Ledger
from game_bridge.outbox import Outbox
from game_bridge.reply import Reply
from npc_sdk.errors import DuplicateRequest, Overloaded, UnknownRequest, UnknownSession
from npc_sdk.events import Event

_REMEMBERED_IDS = 1_024


class Peer:
    """State of one connection, and of those that it comes back over. number tells peers apart in logs and in the
    engine's request ids; key, where it has one, is what it shows to come back.
    """

    def __init__(self, identity: bytes, number: int, outbox: Outbox, limits: wire.Limits, now_s: float) -> None:
        self.identity = identity
        self.number = number
        self.outbox = outbox
        self.last_heard_s = now_s
        self.wants: tuple[wire.News, ...] = ()
        self.key = ""
        self.ledger = Ledger()
        self.sessions: dict[str, HostedSession] = {}
        self.players: dict[str, str] = {}
        self.replies: dict[str, Reply] = {}
        self._limits = limits
        self._used: OrderedDict[str, None] = OrderedDict()
        self._opened: OrderedDict[str, None] = OrderedDict()

    def post(self, message: wire.ServerMessage) -> None:
        """Send a message, now or as soon as it can be. Raises: ProtocolError, TooLarge."""
        self._send(protocol.encode(message, limits=self._limits))

    def tell(self, event: Event, request_id: str) -> None:
        """Send an event of a reply. Raises: ProtocolError, TooLarge."""
        self._send(protocol.encode_event(event, request_id, self._limits))

    def welcome(self, message: wire.Welcome) -> None:
        """Send what does not count among the messages. Raises: ProtocolError, TooLarge."""
        self.outbox.post(protocol.encode(message, limits=self._limits))

    def come_back(self, outbox: Outbox, message: wire.Welcome, missed: Sequence[Sequence[bytes]]) -> None:
        """Go on over another connection, with what did not reach the old one."""
        self.outbox.stop()
        self.outbox = outbox
        self.welcome(message)
        for frames in missed:
            outbox.post(frames)

    def _send(self, frames: list[bytes]) -> None:
        if self.key:
            self.ledger.note(frames)
        self.outbox.post(frames)

    def has_used(self, request_id: str) -> bool:
        """Whether this connection has used the id; the oldest of very many are forgotten."""
        return request_id in self.replies or request_id in self._used

    def claim(self, request_id: str) -> None:
        """Remember an id as used. Raises: DuplicateRequest."""
        if self.has_used(request_id):
            raise DuplicateRequest(f"request_id {request_id!r} was used before", hint="take a new one for every say")
        _remember(self._used, request_id)

    def open(self, session: HostedSession, player: str) -> None:
        """Take a session as this connection's own."""
        self.sessions[session.session_id] = session
        self.players[session.session_id] = player
        _remember(self._opened, session.session_id)

    def has_asked(self, request_id: str) -> bool:
        """Whether one of the engine's request ids is of a session of this connection, open or ended.

        Such an id is the session's and more behind a slash.
        """
        heads = itertools.accumulate(request_id.split("/"), "{}/{}".format)
        return any(head in self._opened for head in heads)

    def close(self, session_id: str) -> None:
        """A session is over."""
        del self.sessions[session_id], self.players[session_id]

    def open_request(self, session_id: str) -> str | None:
        """The request_id of the reply that is under way in a session."""
        found = (request_id for request_id, reply in self.replies.items() if reply.session.session_id == session_id)
        return next(found, None)

    def session(self, session_id: str) -> HostedSession:
        """One of this connection's own sessions. Raises: UnknownSession."""
        if session_id not in self.sessions:
            raise UnknownSession(f"session_id {session_id!r} is not open here", hint="open one with talk")
        return self.sessions[session_id]

    def reply(self, request_id: str) -> Reply:
        """An open reply. Raises: UnknownRequest."""
        if request_id not in self.replies:
            raise UnknownRequest(f"request_id {request_id!r} is not open", hint="it may have ended already")
        return self.replies[request_id]

    def check_room(self, kind: str, used: int, limit: int) -> None:
        """Raises: Overloaded when as many as allowed are open."""
        if used >= limit:
            raise Overloaded(f"{used} {kind} are open, as many as allowed", hint=f"end one of the {kind} first")

    def forget(self) -> None:
        """Start over on the same connection."""
        self.sessions.clear()
        self.players.clear()
        self.ledger.start_over()
        self.replies.clear()
        self._used.clear()
        self._opened.clear()


def _remember(ids: OrderedDict[str, None], one: str) -> None:
    """Keeps an id, at the cost of the oldest of very many. Mutates: ids."""
    ids[one] = None
    if len(ids) > _REMEMBERED_IDS:
        ids.popitem(last=False)
