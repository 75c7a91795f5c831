"""The bridge server: connections come and go, their frames become messages, and none of it can bring the world down.

Owns who is connected and the shutdown; service.py does what messages ask. Loads no model code by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Self

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.host import HostedWorld
from game_bridge.outbox import Outbox
from game_bridge.peer import Peer
from game_bridge.protocol import Address
from game_bridge.router import Router
from game_bridge.service import OnEnded, Service
from game_bridge.settings import BridgeSettings
from npc_sdk.errors import BridgeError, ConnectionLost, EngineError, NpcError, Overloaded

log = logging.getLogger(__name__)


class BridgeServer:
    """``async with BridgeServer(world) as server: await server.wait()``. The world stays the caller's to close."""

    def __init__(
        self, world: HostedWorld, settings: BridgeSettings | None = None, *, on_ended: OnEnded | None = None
    ) -> None:
        self._settings = settings or BridgeSettings()
        self._limits = self._settings.limits
        self._peers: dict[bytes, Peer] = {}
        self._service = Service(world, self._settings, self._peers.values(), on_ended)
        self._numbers = itertools.count(1)
        self._router: Router | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where the server listens, with its real port. Raises: ConnectionLost before start."""
        return self._open_router().address

    @property
    def token(self) -> str:
        """What a client must show, or "" where a token is no use."""
        has_token = not self._settings.allow_anonymous and self._settings.curve is None
        return self._settings.token if has_token else ""

    @property
    def peer_count(self) -> int:
        """Welcomed connections."""
        return len(self._peers)

    async def start(self) -> None:
        """Bind and begin to serve.

        Raises: SettingsError; ProtocolError or TooLarge for a cast that the wire cannot carry.
        """
        self._service.welcome(None)
        self._router = Router(self._settings)
        loop = asyncio.get_running_loop()
        self._loops = [loop.create_task(self._receive(self._router)), loop.create_task(self._sweep())]
        whom = "any program of this machine" if self._settings.allow_anonymous else "those with a token or key"
        log.info("listening on %s, for %s", self._router.address, whom)

    async def wait(self) -> None:
        """Serve until cancelled. Raises: whatever broke the server."""
        await asyncio.gather(*self._loops)

    async def stop(self) -> None:
        """Every open request gets its terminal, every client its goodbye; then the socket closes. Can be repeated."""
        if self._router is None:
            return
        for task in self._loops:
            task.cancel()
        await asyncio.wait(self._loops)
        for peer in list(self._peers.values()):
            self._farewell(peer, "shutdown", ConnectionLost("The server is closing", hint="connect again later"))
        await self._service.drain(self._settings.shutdown_grace_s)
        while self._farewells:
            await asyncio.wait(self._farewells)
        router, self._router = self._router, None
        await router.close()

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

    async def _receive(self, router: Router) -> None:
        while True:
            identity, frames = await router.receive()
            await self._take(router, identity, frames)

    async def _take(self, router: Router, identity: bytes, frames: list[bytes]) -> None:
        """One message from anybody. Nothing that it holds, and no fault of the world, gets out of here."""
        peer = self._peers.get(identity)
        if peer is not None:
            peer.last_heard_s = asyncio.get_running_loop().time()
        address = Address()
        try:
            opened = protocol.open_frames(frames, self._limits)
            address = protocol.address_of(opened.body)
            self._route(router, identity, protocol.read_client(opened), opened.blobs)
        except NpcError as exc:
            await self._refuse(router, identity, address, exc)
        except Exception as exc:
            log.exception("a message from connection %s broke the world", peer.number if peer else "unknown")
            fault = EngineError(f"The server failed: {type(exc).__name__}: {exc}", hint="see its log")
            await self._refuse(router, identity, address, fault)

    def _route(self, router: Router, identity: bytes, message: wire.ClientMessage, blobs: tuple[bytes, ...]) -> None:
        if isinstance(message, wire.Hello):
            self._greet(router, identity, message)
            return
        peer = self._peers.get(identity)
        if peer is None:
            raise ConnectionLost("No connection is open under this identity", hint="say hello first")
        if isinstance(message, wire.Bye):
            self._farewell(peer, "bye", None, message.ref)
        else:
            self._service.handle(peer, message, blobs)

    async def _refuse(self, router: Router, identity: bytes, address: Address, error: NpcError) -> None:
        """A stranger gets one try to be told, since nothing may be queued for somebody who never said hello."""
        peer = self._peers.get(identity)
        if peer is not None:
            self._service.refuse(peer, address, error)
            return
        outcome = await router.send(identity, protocol.encode(protocol.error_message(error, address.ref)))
        log.debug("a stranger was refused (%s, %s): %s", error.code, outcome, error)

    def _greet(self, router: Router, identity: bytes, hello: wire.Hello) -> None:
        peer = self._peers.get(identity)
        if peer is not None:
            self._service.retire(peer, ConnectionLost("The client said hello again"))
        elif len(self._peers) >= self._settings.max_peers:
            raise Overloaded(f"{len(self._peers)} clients are connected, as many as allowed", hint="try again later")
        else:
            peer = self._peers[identity] = self._admit(router, identity)
        peer.wants = hello.wants or ()
        peer.post(self._service.welcome(hello.ref))
        log.info("connection %d: %r", peer.number, hello.client)

    def _admit(self, router: Router, identity: bytes) -> Peer:
        settings = self._settings
        outbox = Outbox(
            partial(router.send, identity),
            partial(self._drop, identity),
            max_messages=settings.outbox_messages,
            patience_s=settings.send_patience_s,
        )
        return Peer(identity, next(self._numbers), outbox, self._limits, asyncio.get_running_loop().time())

    def _drop(self, identity: bytes, reason: str) -> None:
        """The connection broke: nobody can be told, but everything that it held open ends."""
        peer = self._peers.pop(identity, None)
        if peer is None:
            return
        log.info("connection %d is cut: %s", peer.number, reason)
        self._service.retire(peer, ConnectionLost(f"The client is {reason}"))
        self._later(peer.outbox.close(0))

    def _farewell(
        self, peer: Peer, reason: wire.GoodbyeReason, error: BridgeError | None, ref: int | None = None
    ) -> None:
        """Terminals first, goodbye last."""
        del self._peers[peer.identity]
        self._service.retire(peer, error)
        peer.post(wire.Goodbye(ref=ref, reason=reason))
        self._later(peer.outbox.close(self._settings.send_patience_s))
        log.info("connection %d: goodbye (%s)", peer.number, reason)

    async def _sweep(self) -> None:
        """A pong to everybody keeps the living sure of us and shows us who has left; the silent are sent away."""
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            silent_since_s = asyncio.get_running_loop().time() - self._limits.idle_s
            for peer in list(self._peers.values()):
                if peer.last_heard_s < silent_since_s:
                    self._farewell(peer, "idle", ConnectionLost("The client was silent for too long"))
                else:
                    peer.post(wire.Pong())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    def _open_router(self) -> Router:
        if self._router is None:
            raise ConnectionLost("The server is not running", hint="start it first")
        return self._router


async def serve(world: HostedWorld, settings: BridgeSettings | None = None) -> None:
    """Serve until cancelled, then shut down in order."""
    async with BridgeServer(world, settings) as server:
        await server.wait()
