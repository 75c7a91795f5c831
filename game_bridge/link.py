"""The client's socket on an asyncio loop: sends what the core says, feeds it what comes, notices a server that is gone.

Both faces of client.py stand on it, the blocking one from another thread. Floor 0 only.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import zmq
import zmq.asyncio

from game_bridge import message as wire
from game_bridge.core import Answered, ClientCore, Happening, Outgoing, Settled
from game_bridge.credential import Credential, show
from npc_sdk.errors import AuthenticationFailed, BridgeError, ConnectionLost, NpcError, ProtocolError, UnknownRequest
from npc_sdk.events import Event, ReplyFailed, ReplyFinished
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

log = logging.getLogger(__name__)

_BYE_S = 1.0
_MAX_FRAME_BYTES = 16 * 2**20
_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_HANG_UPS = 4
_OTHER_MECHANISM = 0x11000002  # ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH

Sink: TypeAlias = Callable[[Event], object]
OnEdited: TypeAlias = Callable[[wire.Edited], object]
Answering = TypeVar("Answering", bound=wire.Answer)


class Link:
    """One connection. Every method belongs to the loop that open ran on."""

    def __init__(
        self, address: str, timeout_s: float, on_edited: OnEdited | None = None, credential: Credential = None
    ) -> None:
        self.core = ClientCore()
        self._credential = credential
        self._hang_ups = 0
        self._let_in = asyncio.Event()
        self._on_edited = on_edited
        self._address = address
        self._timeout_s = timeout_s
        self._waiting: dict[int, asyncio.Future[Settled]] = {}
        self._sinks: dict[str, Sink] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_s = 0.0
        self._is_closed = False

    async def open(self, client: str) -> None:
        """Connect and say hello.

        Raises: ConnectionLost when nobody answers in time, AuthenticationFailed, VersionMismatch, Overloaded;
        SettingsError for a key file that cannot be read.
        """
        self._context = zmq.asyncio.Context()
        self._socket = self._connect()
        self._start(self._pump())
        try:
            await self._wait_at_the_door()
            await self.ask(wire.Welcome, wire.Hello, protocol=wire.PROTOCOL, client=client, **self._wants())
        except BaseException:
            await self.close()
            raise
        self._start(self._beat())

    def _wants(self) -> dict[str, Any]:
        return {"wants": ("edits",)} if self._on_edited else {}

    async def ask(self, answer: type[Answering], message: type[wire.Asked], **fields: Any) -> Answering:
        """Send and wait for the answer. Raises: what the server answered; ConnectionLost when timeout_s is over."""
        outgoing = self.core.ask(message, **fields)
        future = self._waiting[outgoing.ref] = asyncio.get_running_loop().create_future()
        self.send(outgoing)
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome = await future
        except TimeoutError as exc:
            self.core.give_up(outgoing.ref)
            raise self._silence(message) from exc
        finally:
            self._waiting.pop(outgoing.ref, None)
        if isinstance(outcome, NpcError):
            raise outcome
        if not isinstance(outcome, answer):
            raise ProtocolError(f"The server answered {message.__name__.lower()} with {outcome.type}")
        return outcome

    async def _wait_at_the_door(self) -> None:
        """Until the handshake is over: while it fails and begins anew, libzmq has no queue that would take a message.

        Raises: ConnectionLost, AuthenticationFailed.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._let_in.wait()
        except TimeoutError as exc:
            raise self._silence(wire.Hello) from exc
        if self.core.lost is not None:
            raise self.core.lost

    def _silence(self, message: type[wire.Asked]) -> ConnectionLost:
        told = f"{self._address} did not answer {message.__name__.lower()} within {self._timeout_s:g} s"
        return ConnectionLost(told, hint="is the server running there?")

    def say(
        self,
        sink: Sink,
        session_id: str,
        request_id: str,
        text: str,
        images: Sequence[ImagePart],
        wants: Sequence[wire.Want],
        **fields: object,
    ) -> None:
        """Open a reply, whose events go to sink. Raises: as ClientCore.say."""
        outgoing = self.core.say(session_id, request_id, text, images, wants, **fields)
        self._sinks[request_id] = sink
        self.send(outgoing)

    def hint(self, message: type[wire.Asked], **fields: object) -> None:
        """Say what may help; nobody hears it where the server is gone or too old. Raises: ProtocolError, TooLarge."""
        frames = self.core.hint(message, **fields)
        if frames is not None:
            self._push(frames)

    def approach(self, npc_id: str, player: str) -> None:
        """Raises: UnknownNpc, ProtocolError."""
        self.core.check_npc(npc_id)
        self.hint(wire.Approach, npc_id=npc_id, player=player)

    def note_frame(self, frame_s: float) -> None:
        """Raises: ProtocolError."""
        self.hint(wire.Frame, frame_s=frame_s)

    async def learn(self, npc_id: str, text: str, entry_id: str, source: str, keys: Sequence[str]) -> str:
        """Raises: Unsupported, UnknownNpc, RequestError, ConnectionLost."""
        self.core.check_can("learn")
        what = {"text": text or None, "entry_id": entry_id or None, "source": source, "keys": tuple(keys)}
        return (await self.ask(wire.Learned, wire.Learn, npc_id=npc_id, **what)).entry_id

    async def forget(self, npc_id: str, entry_id: str) -> None:
        """Raises: Unsupported, UnknownNpc, RequestError, ConnectionLost."""
        self.core.check_can("learn")
        await self.ask(wire.Noted, wire.Forget, npc_id=npc_id, entry_id=entry_id)

    async def happen(self, event: str, npc_id: str, player: str) -> wire.Felt:
        """Raises: Unsupported, UnknownNpc, RequestError, ConnectionLost."""
        self.core.check_can("happen")
        return await self.ask(wire.Felt, wire.Happen, event=event, npc_id=npc_id, player=player)

    async def stats(self) -> wire.Figures:
        """Raises: Unsupported, ConnectionLost."""
        self.core.check_can("stats")
        return await self.ask(wire.Figures, wire.Stats)

    def cancel(self, request_id: str) -> None:
        """Raises: UnknownRequest, ConnectionLost."""
        self.send(self.core.cancel(request_id))

    def tool_result(
        self, session_id: str, call_id: str, status: Literal["accepted", "refused"], content: JsonValue
    ) -> None:
        """Raises: UnknownRequest, RequestError, ConnectionLost; ProtocolError or TooLarge for the content."""
        self.send(self.core.tool_result(session_id, call_id, status, content))

    def confirm(self, session_id: str, call_id: str, is_agreed: bool, reason: str) -> None:
        """Raises: UnknownRequest, ConnectionLost; ProtocolError or TooLarge for the reason."""
        self.send(self.core.confirm(session_id, call_id, is_agreed, reason))

    def answer(
        self, session_id: str, call: FunctionCall, status: Literal["accepted", "refused"], content: JsonValue
    ) -> None:
        """tool_result for a callback, which may have taken longer than the call lived; the events tell which."""
        try:
            self.tool_result(session_id, call.call_id, status, content)
        except UnknownRequest as exc:
            log.info("the answer to %s came too late: %s", call.name, exc)

    def consent(self, session_id: str, call: FunctionCall, is_agreed: bool) -> None:
        """confirm for a callback, in the same way."""
        try:
            self.confirm(session_id, call.call_id, is_agreed, "")
        except UnknownRequest as exc:
            log.info("the player's word on %s came too late: %s", call.name, exc)

    def send(self, outgoing: Outgoing) -> None:
        """Send what the core made."""
        self._push(outgoing.frames)

    def _push(self, frames: list[bytes]) -> None:
        """Hand frames to libzmq; a full queue means that the server takes nothing, and loses the connection."""
        # with NOBLOCK the future is done when it comes back
        error = asyncio.ensure_future(self._socket.send_multipart(frames, flags=zmq.NOBLOCK)).exception()
        if error is not None:
            self._lose(ConnectionLost(f"{self._address} takes no messages: {error}", hint="connect again"))

    async def close(self) -> None:
        """Say bye and close; whatever is open ends with ConnectionLost. Can be repeated."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self.core.lost is None and self.core.is_welcome:
                async with asyncio.timeout(_BYE_S):
                    await self.ask(wire.Goodbye, wire.Bye)
        except (TimeoutError, BridgeError) as exc:
            log.debug("no goodbye from %s: %s", self._address, exc)
        finally:
            self._lose(ConnectionLost("The client was closed", hint="connect again"))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # what mattered was answered; a linger can hang term for ever (router.py)
            self._context.destroy(linger=0)

    def _connect(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        socket.setsockopt(zmq.IPV6, int("[" in self._address))
        try:
            show(socket, self._credential)
            # says at once what silence would say only after idle_s; begun before anything can have happened
            self._monitor = socket.get_monitor_socket(_EVENTS)
            socket.connect(self._address)
        except BaseException as exc:
            self._context.destroy(linger=0)
            if not isinstance(exc, zmq.ZMQError):
                raise
            raise ConnectionLost(
                f"{self._address!r} is no address to connect to: {exc}", hint="for example tcp://127.0.0.1:5577"
            ) from exc
        return socket

    async def _pump(self) -> None:
        """Read until the connection is lost; what came before the break is still delivered."""
        poller = zmq.asyncio.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        error: BridgeError = ConnectionLost("The client stopped reading", hint="connect again")
        try:
            while self.core.lost is None:
                ready = dict(await poller.poll())
                await self._read_all()
                lost = await self._look() if self._monitor in ready else None
                if lost is not None:
                    error = lost
                    return
        except (zmq.ZMQError, RuntimeError) as exc:
            error = ConnectionLost(f"The socket failed: {exc}", hint="connect again")
        finally:
            self._lose(error)

    async def _look(self) -> BridgeError | None:
        """What libzmq's monitor tells, where it is the end.

        A server that wants another mechanism may hang up before it has said so: then libzmq tries again, and we give it
        some goes, since one that is just being ended looks the same.
        """
        event, value = struct.unpack("=hi", (await self._monitor.recv_multipart())[0])
        match event:
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._let_in.set()
            case zmq.EVENT_DISCONNECTED if self._let_in.is_set():
                return ConnectionLost(f"{self._address} closed the connection", hint="connect again")
            case zmq.EVENT_DISCONNECTED:
                self._hang_ups += 1
                return self._not_let_in() if self._hang_ups == _HANG_UPS else None
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                hint = "a token lives as long as its server: read it anew, or hand NPC_SERVER_TOKEN to both"
                return AuthenticationFailed(f"{self._address} did not take this client's token or key", hint=hint)
            case _ if value == _OTHER_MECHANISM:
                return self._not_let_in()
            case _:
                hint = "is it another program's?"
                return ConnectionLost(f"{self._address} does not speak as an NPC server does", hint=hint)
        return None

    def _not_let_in(self) -> BridgeError:
        wrong = "asks for a token or key" if self._credential is None else "does not take what this client shows"
        hint = "give token=, or NPC_SERVER_TOKEN; a server with --no-auth takes none"
        return AuthenticationFailed(f"{self._address} {wrong}", hint=hint)

    async def _read_all(self) -> None:
        while True:
            try:
                frames: list[bytes] = await self._socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return
            self._heard_s = asyncio.get_running_loop().time()
            self._deliver(self.core.receive(frames))

    async def _beat(self) -> None:
        limits = self.core.limits
        while self.core.lost is None:
            self.send(self.core.tell(wire.Ping))
            await asyncio.sleep(limits.heartbeat_s)
            if asyncio.get_running_loop().time() - self._heard_s > limits.idle_s:
                self._lose(ConnectionLost(f"{self._address} was silent for {limits.idle_s:g} s", hint="connect again"))

    def _lose(self, error: NpcError) -> None:
        """Whoever waits, waits no longer."""
        self._deliver(self.core.lose(error))
        self._let_in.set()

    def _deliver(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            if isinstance(happening, Answered):
                future = self._waiting.get(happening.ref)
                if future is not None and not future.done():
                    future.set_result(happening.outcome)
            elif isinstance(happening, wire.Edited):
                self._tell_edit(happening)
            else:
                self._pass_on(happening)

    def _tell_edit(self, edited: wire.Edited) -> None:
        """The game's own mistakes in its callback are its own: the connection goes on."""
        try:
            if self._on_edited is not None:
                self._on_edited(edited)
        except Exception:
            log.exception("on_edited failed")

    def _pass_on(self, event: Event) -> None:
        is_last = isinstance(event, ReplyFinished | ReplyFailed)
        sink = self._sinks.pop(event.request_id) if is_last else self._sinks[event.request_id]
        sink(event)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
