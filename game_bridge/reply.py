"""One reply on its way to one client: pumps a session's events and sees to exactly one terminal event.

The terminal never depends on the session's good will: a cancel, an abort or the last deadline ends the reply at once,
and whatever the session still says afterwards is not passed on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from game_bridge import message as wire
from game_bridge.host import HostedSession
from npc_sdk.errors import EngineCrashed, EngineError, NpcError, ReplyTimeout, UnknownRequest
from npc_sdk.events import Emote, Event, Notice, ReplyFailed, ReplyFinished, TextDelta, ToolCall
from npc_sdk.messages import ImagePart
from npc_sdk.requests import Priority

log = logging.getLogger(__name__)

CANNOT_ASK = "the game cannot ask the player"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the session. request_id is unique in the whole server, other than the client's own.

    wants is what the client understands beyond the events of the first version.
    """

    request_id: str
    text: str
    images: tuple[ImagePart, ...]
    priority: Priority
    timeout_s: float
    start_by_s: float | None = None
    tool_choice: str = "auto"
    json_schema: Mapping[str, Any] | None = None
    wants: tuple[wire.Want, ...] = ()


class Reply:
    """A task around session.say. tell gets every event, and as its last one exactly one terminal."""

    def __init__(self, session: HostedSession, order: Order, tell: Callable[[Event], None], *, grace_s: float) -> None:
        self.session = session
        self.is_ended = False
        self._order = order
        self._tell = tell
        self._grace_s = grace_s
        self._said: list[str] = []
        self._is_cancelled = False
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(order.timeout_s + grace_s, self._expire)
        self.task = loop.create_task(self._run())

    def cancel(self) -> None:
        """Ask the session to stop; if it has not after the grace, the reply ends as cancelled all the same."""
        if self._is_cancelled or self.is_ended:
            return
        self._is_cancelled = True
        self._stop_session()
        self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(self._grace_s, self.abort, None)

    def abort(self, error: NpcError | None) -> None:
        """End now: failed with error, or as cancelled where there is none."""
        self._end(self._cancelled() if error is None else self._failed(error))
        self.task.cancel()
        self._stop_session()

    async def _run(self) -> None:
        try:
            final = self._cancelled() if self._is_cancelled else await self._pump()
        except NpcError as exc:
            final = self._failed(exc)
        except Exception as exc:
            log.exception("session %s crashed in request %s", self.session.session_id, self._order.request_id)
            final = self._failed(EngineCrashed(f"The session crashed: {type(exc).__name__}: {exc}", hint="see the log"))
        self._end(final)

    async def _pump(self) -> Event:
        """Tell every event but the terminal, which waits until the session is ready for the next request."""
        stream = self._hand_over()
        try:
            final = await self._pass_until_end(stream)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        return final or self._failed(EngineError("The session ended its stream without a terminal event"))

    def _hand_over(self) -> AsyncIterator[Event]:
        """Asks the session, whose the pictures are from now on. Mutates: the order has none any more."""
        order, self._order = self._order, replace(self._order, images=())
        return self.session.say(
            order.text,
            images=order.images,
            request_id=order.request_id,
            priority=order.priority,
            timeout_s=order.timeout_s,
            start_by_s=order.start_by_s,
            tool_choice=order.tool_choice,
            json_schema=order.json_schema,
        )

    async def _pass_until_end(self, stream: AsyncIterator[Event]) -> Event | None:
        final: Event | None = None
        async for event in stream:
            if self.is_ended or final is not None:
                log.error("request %s: %s came after its end", self._order.request_id, type(event).__name__)
            elif isinstance(event, ReplyFinished | ReplyFailed):
                final = event
            else:
                self._pass_on(event)
        return final

    def _pass_on(self, event: Event) -> None:
        """A client that cannot ask the player hears of no call that needs it: such a call never happens."""
        wants = self._order.wants
        if isinstance(event, Emote) and "emotes" not in wants:
            return
        if isinstance(event, Notice) and "notices" not in wants:
            return
        if isinstance(event, ToolCall) and event.needs_confirmation and "confirm" not in wants:
            self.session.confirm(event.call.call_id, False, CANNOT_ASK)
            return
        self._tell(event)
        if isinstance(event, TextDelta):
            self._said.append(event.text)

    def _end(self, event: Event) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self._deadline.cancel()
        if isinstance(event, ReplyFailed) and "barks" not in self._order.wants:
            event = replace(event, bark="")
        self._tell(event)

    def _expire(self) -> None:
        self.abort(ReplyTimeout(f"The reply took longer than {self._order.timeout_s:g} s", hint="ask again"))

    def _stop_session(self) -> None:
        try:
            self.session.cancel(self._order.request_id)
        except UnknownRequest:
            log.debug("request %s is not running in its session", self._order.request_id)
        except Exception:  # the reply has ended, and the ends of others come next
            log.exception("session %s could not be told to stop", self.session.session_id)

    def _cancelled(self) -> ReplyFinished:
        return ReplyFinished(self._order.request_id, "".join(self._said), "cancelled")

    def _failed(self, error: NpcError) -> ReplyFailed:
        return ReplyFailed(self._order.request_id, error, "".join(self._said))
