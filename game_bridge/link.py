"""The client's end of a connection on an asyncio loop: sends what the core says, feeds it what comes, and comes back
over a new line where the old one broke and the server lives.

Both faces of client.py stand on it, the blocking one from another thread. Floor 0 only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from math import ceil
from typing import Any, Literal, TypeAlias, TypeVar

from game_bridge import message as wire
from game_bridge.core import Answered, ClientCore, Happening, Outgoing, Settled
from game_bridge.credential import Credential
from game_bridge.dealer import Dealer, is_listening
from npc_sdk.errors import BridgeError, ConnectionLost, NpcError, ProtocolError, UnknownRequest
from npc_sdk.events import Event, ReplyFailed, ReplyFinished
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue

log = logging.getLogger(__name__)

_BYE_S = 1.0
_BACK_OFF_S = 0.1
_LONGEST_BACK_OFF_S = 1.0
_SILENT_BEATS, _LEAST_SILENCE_S = 3, 2.0

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
        self._on_edited = on_edited
        self._address = address
        self._timeout_s = timeout_s
        self._client = ""
        self._line: Dealer | None = None
        self._waiting: dict[int, asyncio.Future[Settled]] = {}
        self._sinks: dict[str, Sink] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._silent_beats = 0
        self._is_closed = False

    async def open(self, client: str) -> None:
        """Connect and say hello.

        Raises: ConnectionLost when nobody answers in time, AuthenticationFailed, VersionMismatch, Overloaded;
        SettingsError for a key file that cannot be read.
        """
        self._client = client
        line = self._line = self._new_line()
        self._start(self._live(line))
        try:
            await line.come_in(self._timeout_s)
            await self._hello(line)
            line.is_open = True
        except BaseException:
            await self.close()
            raise
        self._start(self._beat())

    async def ask(self, answer: type[Answering], message: type[wire.Asked], **fields: Any) -> Answering:
        """Send and wait for the answer. Who stops waiting takes back what the server has not heard yet.

        Raises: what the server answered; ConnectionLost when timeout_s is over.
        """
        outgoing = self.core.ask(message, **fields)
        future = self._await(outgoing)
        self.send(outgoing)
        return await self._outcome(outgoing, future, message, answer)

    def _await(self, outgoing: Outgoing) -> asyncio.Future[Settled]:
        future: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self._waiting[outgoing.ref] = future
        return future

    async def _outcome(
        self,
        outgoing: Outgoing,
        future: asyncio.Future[Settled],
        message: type[wire.Asked],
        answer: type[Answering],
    ) -> Answering:
        """Raises: as ask."""
        try:
            await asyncio.wait([future], timeout=self._timeout_s)
        except asyncio.CancelledError:
            self._give_up(outgoing, future, message)
            raise
        if not future.done() and self._line is not None and self._line.is_open:
            self._line.read_all()  # a game that stood still has had no time to read what came
        self._waiting.pop(outgoing.ref, None)
        if not future.done():
            self._give_up(outgoing, future, message)
            told = f"{self._address} did not answer {message.__name__.lower()} within {self._timeout_s:g} s"
            raise ConnectionLost(told, hint="is the server running there?")
        outcome = future.result()
        if isinstance(outcome, NpcError):
            raise outcome
        if not isinstance(outcome, answer):
            raise ProtocolError(f"The server answered {message.__name__.lower()} with {outcome.type}")
        return outcome

    def _give_up(self, outgoing: Outgoing, future: asyncio.Future[Settled], message: type[wire.Asked]) -> None:
        self._waiting.pop(outgoing.ref, None)
        self.core.give_up(outgoing, message)
        if future.done():
            self._deliver(self.core.regret(future.result()))

    async def _hello(self, line: Dealer) -> None:
        """The first message of a line; after a break it asks for what was open. Raises: as ask."""
        wants: tuple[wire.News, ...] = ("resume", "edits") if self._on_edited else ("resume",)
        outgoing = self.core.hello(self._client, wants)
        future = self._await(outgoing)
        line.send(outgoing.frames)
        await self._outcome(outgoing, future, wire.Hello, wire.Welcome)

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
        if frames is not None and self._line is not None and self._line.is_open:
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

    async def sessions(self) -> Sequence[wire.SessionEntry]:
        """Raises: Unsupported, ConnectionLost."""
        self.core.check_can("sessions")
        return (await self.ask(wire.SessionList, wire.Sessions)).sessions

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
        """Send, or keep for when the line is back; what a line did not take is a break of it, and none of ours."""
        self.core.note(frames)
        if self._line is not None and self._line.is_open and not self._line.send(frames):
            self._line.give_up(self._full())

    def _full(self) -> ConnectionLost:
        return ConnectionLost(f"{self._address} takes no messages", hint="connect again")

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
            if self._line is not None:
                self._line.close()

    def _new_line(self) -> Dealer:
        """Raises: ConnectionLost for an address that is none, SettingsError for a key file that cannot be read."""
        return Dealer(self._address, self._credential, self._take, has_been_in=self.core.is_welcome)

    async def _live(self, line: Dealer) -> None:
        """Read from one line after the other until the connection is lost."""
        error: BridgeError = ConnectionLost("The client stopped reading", hint="connect again")
        try:
            error = await line.read()
            while self._may_come_back(error):
                error = await self._come_back(error)
        finally:
            self._lose(error)
            if self._line is not None:
                self._line.close()

    def _may_come_back(self, error: BridgeError) -> bool:
        is_break = isinstance(error, ConnectionLost) and self.core.lost is None and not self._is_closed
        return is_break and bool(self.core.key)

    async def _come_back(self, error: BridgeError) -> BridgeError:
        """Go on over a new line for as long as it lasts; returns why that ended.

        A port where nobody listens is a server that ended, with all that it knew: then there is nothing to wait for.
        """
        log.info("%s; trying to come back", error)
        loop = asyncio.get_running_loop()
        give_up_s, pause_s = loop.time() + self.core.resume_s, _BACK_OFF_S
        while loop.time() < give_up_s and self.core.lost is None and await is_listening(self._address):
            line = self._renew()
            reading = loop.create_task(line.read())
            try:
                async with asyncio.timeout_at(give_up_s):
                    await self._say_hello_again(line, reading)
                return await reading
            except (BridgeError, TimeoutError) as exc:
                log.info("not back yet: %s", exc or "nobody answers")
                if isinstance(exc, BridgeError) and not isinstance(exc, ConnectionLost):
                    return exc
            finally:
                reading.cancel()
                await asyncio.wait([reading])
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_BACK_OFF_S)
        self._lose(error)
        return error

    async def _say_hello_again(self, line: Dealer, reading: asyncio.Task[BridgeError]) -> None:
        """Raises: what the server answered; ConnectionLost, also where the line breaks meanwhile."""
        await line.come_in(self._timeout_s)
        hello = asyncio.get_running_loop().create_task(self._hello(line))
        try:
            await asyncio.wait({hello, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not hello.done():
                raise reading.result()
            await hello
        finally:
            hello.cancel()
            await asyncio.wait([hello])
        self._catch_up(line)

    def _renew(self) -> Dealer:
        if self._line is not None:
            self._line.close()
        self._line = self._new_line()
        return self._line

    def _catch_up(self, line: Dealer) -> None:
        """Send again what the server did not hear. Raises: ConnectionLost where the line does not take it."""
        missed = self.core.missed()
        if missed is None:
            self._lose(ConnectionLost("Too much was said while the connection was broken", hint="connect again"))
            return
        if not all(line.send(frames) for frames in missed):
            raise self._full()
        line.is_open = True

    def _take(self, frames: list[bytes]) -> None:
        self._silent_beats = 0
        self._deliver(self.core.receive(frames))

    async def _beat(self) -> None:
        """A line on which nothing comes is broken, too: whoever may come back need not wait until it is idle.

        Beats are counted, not seconds: a game that stood still, loading a level, has not heard that nobody spoke.
        """
        beat_s = self.core.limits.heartbeat_s
        while self.core.lost is None:
            self.send(self.core.tell(wire.Ping))
            await asyncio.sleep(beat_s)
            if self._line is None or not self._line.is_open:
                continue
            self._silent_beats += 1
            self._line.read_all()  # what came meanwhile was heard, also where nobody has had time to read it
            if self._silent_beats >= self._patience_beats():
                told = f"{self._address} was silent for {self._silent_beats * beat_s:.1f} s"
                self._line.give_up(ConnectionLost(told, hint="connect again"))

    def _patience_beats(self) -> int:
        limits = self.core.limits
        idle = ceil(limits.idle_s / limits.heartbeat_s)
        return min(idle, max(_SILENT_BEATS, ceil(_LEAST_SILENCE_S / limits.heartbeat_s))) if self.core.key else idle

    def _lose(self, error: BridgeError) -> None:
        """Whoever waits, waits no longer."""
        self._deliver(self.core.lose(error))
        if self._line is not None:
            self._line.give_up(self.core.lost or error)

    def _deliver(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            if isinstance(happening, Answered):
                future = self._waiting.get(happening.ref)
                if future is not None and not future.done():
                    future.set_result(happening.outcome)
            elif isinstance(happening, wire.Edited):
                self._tell_edit(happening)
            elif isinstance(happening, Outgoing):
                self.send(happening)
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
