"""What the server does for each message of a welcomed client, and how that client's replies and sessions end.

Knows the world and the messages, no socket. Called by server.py from the event loop only; nothing here waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.host import HostedWorld
from game_bridge.measure import figures
from game_bridge.peer import Peer
from game_bridge.reply import Order, Reply
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import EngineError, NpcError, UnknownSession, Unsupported
from npc_sdk.events import Event, ReplyFailed, ReplyFinished
from npc_sdk.requests import Priority

log = logging.getLogger(__name__)

SERVER_NAME = "npc-sdk"
CAPABILITIES = (
    "tools", "state", "approach", "typing", "frame", "stats", "start_by", "tool_choice", "structured", "emotes",
    "confirm", "notices", "learn", "happen", "edits", "resume", "sessions", "barks",
)  # fmt: skip
Terminal: TypeAlias = ReplyFinished | ReplyFailed
OnEnded: TypeAlias = Callable[[str, Terminal], None]


class Service:
    """on_ended hears the end of each request under the client's request_id, also when no client is left to hear it.

    peers are those whom the server knows at the time, looked through anew each time.
    """

    def __init__(
        self, world: HostedWorld, settings: BridgeSettings, peers: Iterable[Peer], on_ended: OnEnded | None = None
    ) -> None:
        self._world = world
        self._peers = peers
        self._settings = settings
        self._limits = settings.limits
        self._on_ended = on_ended
        self._tasks: set[asyncio.Task[None]] = set()

    def welcome(self, ref: int | None, **resuming: Any) -> wire.Welcome:
        """The answer to hello; resuming is what it says of a break. Raises: ProtocolError, TooLarge for a cast that the
        wire cannot carry.
        """
        sees = ("images", "raw_images") if self._world.engine.info.has_vision else ()
        npcs = tuple(
            protocol.make(wire.NpcEntry, npc_id=npc_id, name=persona.name)
            for npc_id, persona in self._world.cast.items()
        )
        return protocol.make(
            wire.Welcome,
            ref=ref,
            protocol=wire.PROTOCOL,
            server=SERVER_NAME,
            capabilities=(*CAPABILITIES, *sees),
            limits=self._limits,
            npcs=npcs,
            pronunciations=dict(self._world.pronunciations) or None,
            **resuming,
        )

    def handle(self, peer: Peer, message: wire.ClientMessage, blobs: Sequence[bytes]) -> None:
        """Do what a message asks. Raises: NpcError, which refuses the message."""
        match message:
            case wire.Say():
                self._say(peer, message, blobs)
            case wire.Talk() | wire.Leave():
                self._come_or_go(peer, message)
            case wire.Cancel():
                peer.reply(message.request_id).cancel()
            case wire.ToolResult() | wire.Confirm():
                self._take_answer(peer, message)
            case wire.State():
                self._world.set_state(message.values, message.npc_id)
                peer.post(wire.StateOk(ref=message.ref))
            case wire.Learn() | wire.Forget() | wire.Happen():
                self._change_mind(peer, message)
            case wire.Approach() | wire.Typing() | wire.Frame():
                self._take_hint(peer, message)
            case wire.Sessions() | wire.Stats() | wire.Ping():
                peer.post(self._account(peer, message))
            case _:
                raise AssertionError(f"{message.type} is the server's own business")

    def refuse(self, peer: Peer, address: protocol.Address, error: NpcError) -> None:
        """Answer a refused message: a new say ends as failed, everything else gets an error."""
        if address.request_id is None or peer.has_used(address.request_id):
            peer.post(protocol.error_message(error, address.ref))
            return
        peer.claim(address.request_id)
        self._tell(peer, address.request_id, ReplyFailed(address.request_id, error))

    def retire(self, peer: Peer, error: NpcError | None) -> None:
        """End a client's replies, as failed with error or as cancelled, and then its sessions."""
        self._end(peer, list(peer.replies.values()), list(peer.sessions), error)
        self._world.depart(str(peer.number))
        peer.forget()

    async def drain(self, timeout_s: float) -> None:
        """Wait for replies and sessions that are still ending."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            if late:
                log.warning("%d replies or sessions did not end within %g s", len(late), timeout_s)

    def _account(self, peer: Peer, message: wire.Sessions | wire.Stats | wire.Ping) -> wire.ServerMessage:
        """What changes nothing."""
        if isinstance(message, wire.Sessions):
            return self._session_list(peer, message.ref)
        if isinstance(message, wire.Stats):
            return figures(self._world.engine, self._own_figures(), message.ref, peer.has_asked)
        return wire.Pong(ref=message.ref)

    def _session_list(self, peer: Peer, ref: int | None) -> wire.SessionList:
        entries = tuple(
            protocol.make(
                wire.SessionEntry,
                session_id=session_id,
                npc_id=session.npc_id,
                player=peer.players[session_id],
                request_id=peer.open_request(session_id),
            )
            for session_id, session in peer.sessions.items()
        )
        return protocol.make(wire.SessionList, ref=ref, sessions=entries)

    def _come_or_go(self, peer: Peer, message: wire.Talk | wire.Leave) -> None:
        if isinstance(message, wire.Talk):
            self._talk(peer, message)
        else:
            self._leave(peer, message)

    def _talk(self, peer: Peer, message: wire.Talk) -> None:
        peer.check_room("sessions", len(peer.sessions), self._limits.max_sessions)
        session = self._world.talk(message.npc_id, player=message.player, guest=str(peer.number))
        peer.open(session, message.player)
        peer.post(
            protocol.make(
                wire.Talking,
                ref=message.ref,
                session_id=session.session_id,
                npc_id=message.npc_id,
                greeting=session.greeting,
            )
        )

    def _leave(self, peer: Peer, message: wire.Leave) -> None:
        session = peer.session(message.session_id)
        self._end(
            peer, [reply for reply in peer.replies.values() if reply.session is session], [message.session_id], None
        )
        peer.close(message.session_id)
        peer.post(wire.Left(ref=message.ref, session_id=message.session_id))

    def _say(self, peer: Peer, message: wire.Say, blobs: Sequence[bytes]) -> None:
        """The id is claimed last: a say that is refused before still ends under its own id."""
        session = peer.session(message.session_id)
        peer.check_room("replies", len(peer.replies), self._limits.max_requests)
        if blobs and not self._world.engine.info.has_vision:
            hint = "send pictures where welcome.capabilities has images"
            raise Unsupported(f"images: the model {self._world.engine.info.name!r} cannot see", hint=hint)
        peer.claim(message.request_id)
        longest_s = self._limits.reply_timeout_s
        order = Order(
            request_id=f"{peer.number}.{message.request_id}",
            text=message.text,
            images=protocol.images_of(message, blobs),
            priority=Priority[message.priority.upper()],
            timeout_s=min(message.timeout_s or longest_s, longest_s),
            start_by_s=message.start_by_s,
            tool_choice=message.tool_choice or "auto",
            json_schema=message.json_schema,
            wants=message.wants or (),
        )
        tell = partial(self._tell, peer, message.request_id)
        reply = Reply(session, order, tell, grace_s=self._settings.cancel_grace_s)
        peer.replies[message.request_id] = reply
        self._keep(reply.task)

    def _take_answer(self, peer: Peer, message: wire.ToolResult | wire.Confirm) -> None:
        """What the game or the player says to a call."""
        session = peer.session(message.session_id)
        if isinstance(message, wire.Confirm):
            session.confirm(message.call_id, message.is_agreed, message.reason)
        else:
            session.tool_result(message.call_id, message.status, message.content)

    def _take_hint(self, peer: Peer, message: wire.Approach | wire.Typing | wire.Frame) -> None:
        """What makes replies sooner or frames steadier, and is answered only if the client wants to know."""
        if isinstance(message, wire.Frame):
            self._world.note_frame(message.frame_s)
        elif isinstance(message, wire.Typing):
            peer.session(message.session_id).typing(message.text)
        elif message.session_id is not None:
            peer.session(message.session_id).approach()
        elif message.npc_id is not None:
            guest = str(peer.number)
            self._world.approach(message.npc_id, player=message.player, among=peer.sessions, guest=guest)
        if message.ref is not None:
            peer.post(wire.Noted(ref=message.ref))

    def _change_mind(self, peer: Peer, message: wire.Learn | wire.Forget | wire.Happen) -> None:
        """What an NPC knows or feels from now on."""
        answer: wire.ServerMessage
        if isinstance(message, wire.Learn):
            entry_id = self._world.learn(
                message.npc_id,
                message.text or "",
                entry_id=message.entry_id or "",
                source=message.source,
                keys=message.keys,
            )
            answer = protocol.make(wire.Learned, ref=message.ref, entry_id=entry_id)
        elif isinstance(message, wire.Forget):
            self._world.forget(message.npc_id, message.entry_id)
            answer = wire.Noted(ref=message.ref)
        else:
            felt = self._world.happen(message.event, message.npc_id, player=message.player)
            answer = protocol.make(wire.Felt, ref=message.ref, mood=felt.mood, relation=dict(felt.relation))
        peer.post(answer)

    def announce(self, edited: wire.Edited) -> None:
        """Tells of an edit those who want to know."""
        for peer in self._peers:
            if "edits" in peer.wants:
                peer.post(edited)

    def _own_figures(self) -> wire.BridgeFields:
        peers = list(self._peers)
        return wire.BridgeFields(
            peers=len(peers),
            sessions=sum(len(peer.sessions) for peer in peers),
            replies=sum(len(peer.replies) for peer in peers),
        )

    def _tell(self, peer: Peer, request_id: str, event: Event) -> None:
        """Post an event. One that the wire cannot carry fails its reply; a failure takes the place of a last one.

        Raises: ProtocolError, TooLarge; nothing for a last one.
        """
        if not isinstance(event, ReplyFinished | ReplyFailed):
            peer.tell(event, request_id)
            return
        peer.replies.pop(request_id, None)
        self._report_end(request_id, self._tell_end(peer, request_id, event))

    def _tell_end(self, peer: Peer, request_id: str, event: Terminal) -> Terminal:
        """The end that was told. The ends of other replies must not hang on what is wrong with one."""
        try:
            peer.tell(event, request_id)
        except Exception as exc:
            log.exception("request %s: the last event cannot be sent", request_id)
            fault = exc if isinstance(exc, NpcError) else EngineError("The reply's end is none", hint="see the log")
            failed = ReplyFailed(request_id, fault)
        else:
            return event
        try:
            peer.tell(failed, request_id)
        except Exception:
            log.exception("request %s: nor can it be told that it failed", request_id)
        return failed

    def _report_end(self, request_id: str, event: Terminal) -> None:
        """Calls on_ended, whose faults are its owner's: they must not take the server or a reply's end with them."""
        if self._on_ended is None:
            return
        try:
            self._on_ended(request_id, event)
        except Exception:
            log.exception("request %s: on_ended failed", request_id)

    def _end(self, peer: Peer, replies: list[Reply], session_ids: list[str], error: NpcError | None) -> None:
        for reply in replies:
            reply.abort(error)
        if session_ids:
            log.debug("connection %d: ending %d sessions", peer.number, len(session_ids))
            self._start(self._end_sessions([reply.task for reply in replies], session_ids))

    async def _end_sessions(self, tasks: list[asyncio.Task[None]], session_ids: list[str]) -> None:
        """Sessions end after their replies have let go of them, so that what was said is still remembered."""
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.cancel_grace_s)
        for session_id in session_ids:
            try:
                self._world.end(session_id)
            except UnknownSession:
                log.warning("session %s had ended already", session_id)
            except Exception:
                log.exception("session %s could not be ended", session_id)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
