"""The bridge server: connections come and go, their frames become messages, and none of it can bring the world down.

Owns who is connected and the shutdown; service.py does what messages ask. Loads no model code by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from functools import partial
from types import TracebackType
from typing import Any, Self

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.host import HostedWorld
from game_bridge.lobby import Lobby
from game_bridge.outbox import Outbox
from game_bridge.peer import Peer
from game_bridge.protocol import Address
from game_bridge.service import OnEnded, Service
from game_bridge.settings import BridgeSettings
from game_bridge.transport import Transport, open_transport
from npc_sdk.errors import BridgeError, ConnectionLost, EngineError, NpcError, Overloaded

log = logging.getLogger(__name__)


class BridgeServer:
    """``async with BridgeServer(world) as server: await server.wait()``. The world stays the caller's to close."""

    def __init__(
        self, world: HostedWorld, settings: BridgeSettings | None = None, *, on_ended: OnEnded | None = None
    ) -> None:
        self._settings = settings or BridgeSettings()
        self._limits = self._settings.limits
        self._lobby = Lobby(self._settings.resume_s, self._give_up)
        self._service = Service(world, self._settings, self._lobby, on_ended)
        self._numbers = itertools.count(1)
        self._transport: Transport | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._leaving: dict[bytes, tuple[Outbox, asyncio.Task[None]]] = {}  # said goodbye to, which may not be out yet
        self._is_stopping = False

    @property
    def address(self) -> str:
        """Where the server listens, with its real port. Raises: ConnectionLost before start."""
        return self._open().address

    @property
    def token(self) -> str:
        """What a client must show, or "" where a token is no use."""
        has_token = not self._settings.allow_anonymous and self._settings.curve is None
        return self._settings.token if has_token else ""

    @property
    def peer_count(self) -> int:
        """Welcomed connections, and those that broke and may come back."""
        return len(self._lobby)

    async def start(self) -> None:
        """Bind and begin to serve.

        Raises: SettingsError; ProtocolError or TooLarge for a cast that the wire cannot carry.
        """
        self._service.welcome(None)
        transport = open_transport(self._settings, self._take, self._lose)
        await transport.start()
        self._transport = transport
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        whom = "any program of this machine" if self._settings.allow_anonymous else "those with a token or key"
        log.info("listening on %s, for %s", transport.address, whom)

    async def wait(self) -> None:
        """Serve until cancelled. Raises: whatever broke the server; ConnectionLost before start."""
        self._open()
        if self._sweeper is not None:
            await self._sweeper

    async def stop(self) -> None:
        """Every open request gets its terminal, every client its goodbye; then the socket closes. Can be repeated."""
        transport, sweeper = self._transport, self._sweeper
        if transport is None or sweeper is None:
            return
        self._is_stopping = True
        sweeper.cancel()
        await asyncio.wait([sweeper])
        for peer in list(self._lobby):
            self._farewell(peer, "shutdown", ConnectionLost("The server is closing", hint="connect again later"))
        await self._service.drain(self._settings.shutdown_grace_s)
        if self._leaving:
            await asyncio.wait([task for _, task in self._leaving.values()])
        self._transport = None
        await transport.close()

    def announce(self, edited: wire.Edited) -> None:
        """Tells of an edit of the world's files those clients who want to know."""
        self._service.announce(edited)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _take(self, identity: bytes, frames: list[bytes]) -> None:
        """One message from anybody. Nothing that it holds, and no fault of the world, gets out of here."""
        peer = self._lobby.find(identity)
        if peer is not None:
            peer.last_heard_s = asyncio.get_running_loop().time()
        address, counts = Address(), 1
        try:
            opened = protocol.open_frames(frames, self._limits)
            counts = int(opened.body.get("type") != "hello")
            address = protocol.address_of(opened.body)
            self._route(identity, protocol.read_client(opened), opened.blobs)
        except NpcError as exc:
            self._refuse(identity, address, exc)
        except Exception as exc:
            log.exception("a message from connection %s broke the world", peer.number if peer else "unknown")
            fault = EngineError(f"The server failed: {type(exc).__name__}: {exc}", hint="see its log")
            self._refuse(identity, address, fault)
        finally:
            if peer is not None:
                peer.ledger.heard += counts

    def _route(self, identity: bytes, message: wire.ClientMessage, blobs: tuple[bytes, ...]) -> None:
        if isinstance(message, wire.Hello):
            self._greet(identity, message)
            return
        peer = self._lobby.find(identity)
        if peer is None:
            raise ConnectionLost("No connection is open under this identity", hint="say hello first")
        if isinstance(message, wire.Bye):
            self._farewell(peer, "bye", None, message.ref)
        else:
            self._service.handle(peer, message, blobs)

    def _refuse(self, identity: bytes, address: Address, error: NpcError) -> None:
        """A stranger gets one try to be told, since nothing may be queued for somebody who never said hello."""
        peer = self._lobby.find(identity)
        if peer is not None:
            self._service.refuse(peer, address, error)
            return
        outcome = self._open().send(identity, protocol.encode(protocol.error_message(error, address.ref)))
        log.debug("a stranger was refused (%s, %s): %s", error.code, outcome, error)

    def _greet(self, identity: bytes, hello: wire.Hello) -> None:
        if self._is_stopping:
            raise ConnectionLost("The server is closing", hint="connect again later")
        peer = self._lobby.find(identity)
        if peer is not None:
            self._service.retire(peer, ConnectionLost("The client said hello again"))
        elif hello.resume is not None and self._take_back(identity, hello, hello.resume):
            return
        elif len(self._lobby) >= self._settings.max_peers and not self._lobby.make_room():
            raise Overloaded(f"{len(self._lobby)} clients are connected, as many as allowed", hint="try again later")
        else:
            now_s = asyncio.get_running_loop().time()
            peer = Peer(identity, next(self._numbers), self._outbox(identity), self._limits, now_s)
            self._lobby.admit(peer)
            self._open().claim(identity)
        peer.wants = hello.wants or ()
        resuming: dict[str, Any] = {} if hello.resume is None else {"resumed": False}
        if "resume" in peer.wants:
            self._lobby.hand_key(peer)
            resuming |= {"resume": peer.key, "resume_s": self._settings.resume_s}
        else:
            self._lobby.take_key(peer)
        peer.welcome(self._service.welcome(hello.ref, **resuming))
        log.info("connection %d: %r", peer.number, hello.client)

    def _take_back(self, identity: bytes, hello: wire.Hello, key: str) -> bool:
        """Whether the owner of the key goes on over this connection. Where it missed too much, it is lost for good."""
        peer = self._lobby.owner(key)
        if peer is None:
            return False
        self._push_out(peer.identity)
        missed = peer.ledger.after(hello.heard or 0)
        if missed is None:
            self._lobby.remove(peer)
            self._let_go(peer, "away for too many messages")
            return False
        self._lobby.welcome_back(peer, identity)
        self._open().claim(identity)
        peer.last_heard_s = asyncio.get_running_loop().time()
        peer.wants = hello.wants or ()
        resuming = {"resume": key, "resume_s": self._settings.resume_s, "resumed": True, "heard": peer.ledger.heard}
        peer.come_back(self._outbox(identity), self._service.welcome(hello.ref, **resuming), missed)
        log.info("connection %d is back, %d messages are sent again", peer.number, len(missed))
        return True

    def _push_out(self, identity: bytes) -> None:
        """Where somebody is still there, it is told: taken for a break, it would come back and push in turn."""
        goodbye = protocol.encode(wire.Goodbye(reason="taken_over"), limits=self._limits)
        if self._open().send(identity, goodbye) == "sent":
            self._open().release(identity)
        else:
            self._open().cut(identity)

    def _outbox(self, identity: bytes) -> Outbox:
        """That of a connection: where a goodbye is still on its way, what comes now goes behind it."""
        outbox, farewell = self._leaving.pop(identity, (None, None))
        if outbox is not None and farewell is not None:
            farewell.cancel()
            return outbox
        return Outbox(
            partial(self._open().send, identity),
            partial(self._lose, identity),
            max_messages=self._settings.outbox_messages,
            max_bytes=self._settings.outbox_bytes,
            patience_s=self._settings.send_patience_s,
        )

    def _lose(self, identity: bytes, reason: str = "gone") -> None:
        """A connection broke. Who may come back is awaited for a while, unless it took nothing for too long."""
        peer = self._lobby.find(identity)
        if peer is None:
            return
        self._open().cut(identity)
        peer.outbox.stop()
        if peer.key and reason == "gone":
            self._lobby.part(peer)
            log.info("connection %d is gone, and may come back", peer.number)
            return
        self._lobby.remove(peer)
        self._let_go(peer, reason)

    def _give_up(self, peer: Peer) -> None:
        self._let_go(peer, "gone")

    def _let_go(self, peer: Peer, reason: str) -> None:
        """Nobody can be told, but everything that the connection held open ends."""
        log.info("connection %d is cut: %s", peer.number, reason)
        peer.outbox.stop()
        self._service.retire(peer, ConnectionLost(f"The client is {reason}"))

    def _farewell(
        self, peer: Peer, reason: wire.GoodbyeReason, error: BridgeError | None, ref: int | None = None
    ) -> None:
        """Terminals first, goodbye last."""
        self._lobby.remove(peer)
        self._service.retire(peer, error)
        peer.post(wire.Goodbye(ref=ref, reason=reason))
        task = asyncio.get_running_loop().create_task(self._see_off(peer.identity, peer.outbox))
        self._leaving[peer.identity] = peer.outbox, task
        log.info("connection %d: goodbye (%s)", peer.number, reason)

    async def _see_off(self, identity: bytes, outbox: Outbox) -> None:
        await outbox.close(self._settings.send_patience_s)
        self._leaving.pop(identity, None)
        self._open().release(identity)

    async def _sweep(self) -> None:
        """A pong to everybody keeps the living sure of us and shows us who has left; the silent are sent away."""
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            silent_since_s = asyncio.get_running_loop().time() - self._limits.idle_s
            for peer in self._lobby.present:
                if peer.last_heard_s < silent_since_s:
                    self._farewell(peer, "idle", ConnectionLost("The client was silent for too long"))
                else:
                    peer.post(wire.Pong())

    def _open(self) -> Transport:
        if self._transport is None:
            raise ConnectionLost("The server is not running", hint="start it first")
        return self._transport


async def serve(world: HostedWorld, settings: BridgeSettings | None = None) -> None:
    """Serve until cancelled, then shut down in order."""
    async with BridgeServer(world, settings) as server:
        await server.wait()
