"""One player talking to one NPC: the conversation so far, and one reply at a time.

Knows what to remember of a reply, not how one comes about (reply.py). Made by the world; used by games, the bridge
and the command line, from one asyncio loop.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal
from weakref import WeakValueDictionary

from npc_sdk.errors import DuplicateRequest, NpcError, RequestError, UnknownRequest, UnknownSession, Unsupported
from npc_sdk.events import Event, ReplyFailed, ReplyFinished
from npc_sdk.lore.entry import NO_TIMERS
from npc_sdk.messages import ImagePart, JsonValue, Message
from npc_sdk.requests import Priority, Sampling
from npc_sdk.session.ahead import Ahead, Guess
from npc_sdk.session.call_desk import CallDesk
from npc_sdk.session.gate import choice_fault
from npc_sdk.session.past import Past, spoken
from npc_sdk.session.reply import Reply
from npc_sdk.session.run import Ask
from npc_sdk.session.scene import Scene
from npc_sdk.session.structured import schema_fault
from npc_sdk.session.words import form_fault, words_fault

MAX_EXCHANGES = 128  # more than any window of these models holds
TRIM_EXCHANGES = 32  # dropped together, so that the prompt's prefix moves seldom


class Session:
    """Mutates: the history grows with every reply in which the NPC said or did something."""

    def __init__(
        self,
        npc_id: str,
        scenes: Mapping[str, Scene],
        ahead: Ahead,
        *,
        session_id: str,
        player: str,
        guest: str = "",
    ) -> None:
        self.session_id = session_id
        self.npc_id = npc_id
        self.player = player
        self._guest = guest
        self._scenes = scenes
        self._ahead = ahead
        self._history = list(self._scene.opening(player))
        self._earlier = 0  # messages that the history has let go
        self._timers = NO_TIMERS
        self.greeting = self._history[0].text if self._history else ""
        self._typed = ""
        self._replies: WeakValueDictionary[str, Reply] = WeakValueDictionary()
        self._running: Reply | None = None
        self._desk: CallDesk | None = None  # the last reply's, which knows an answer that comes twice
        self._call_ids = (f"call-{number}" for number in itertools.count(1))
        self._is_closed = False

    @property
    def _scene(self) -> Scene:
        """The NPC as it is authored now; a reply keeps the one that it began with."""
        return self._scenes[self.npc_id]

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said and done so far, oldest first; begins with the greeting."""
        return tuple(self._history)

    def say(
        self,
        text: str,
        *,
        images: tuple[ImagePart, ...] = (),
        request_id: str | None = None,
        priority: Priority = Priority.PLAYER,
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        sampling: Sampling | None = None,
        tool_choice: str = "auto",
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """The events of the NPC's reply, the last of them ReplyFinished or ReplyFailed; begins when first awaited.

        tool_choice: "none" lets the NPC speak only, "required" or a tool's name has it call before all else. With
        json_schema it says nothing: the reply is one Structured value, which nobody hears and no history keeps.
        Units: timeout_s for the whole reply, waiting for the game included; start_by_s for its first word, without
        which it fails with DeadlineMissed. Closing the iterator early stops the reply.
        """
        request_id = request_id or uuid.uuid4().hex
        ask = Ask(
            request_id=request_id,
            run_id=f"{self.session_id}/{request_id}",
            words=Message("user", text, images=images),
            player=self.player,
            sampling=self._scene.sampling(sampling),
            priority=priority,
            timeout_s=self._scene.settings.reply_timeout_s if timeout_s is None else timeout_s,
            start_by_s=start_by_s,
            tool_choice=tool_choice,
            json_schema=json_schema,
        )
        reply = Reply(self._scene, ask, self._call_ids, asker=self._guest or self.session_id)
        is_known = request_id in self._replies
        if not is_known:
            self._replies[request_id] = reply
        return self._converse(reply, is_known=is_known)

    def approach(self) -> None:
        """The player walks up: computes in the background what the next prompt begins with. Returns at once."""
        self._expect(Priority.NEARBY, is_new=True)

    def typing(self, text: str) -> None:
        """The player's words so far, typed or recognised: computes what of the prompt they settle. Returns at once.

        Each call takes the place of the one before; text that could not be said forgets it, such as none. Words that
        never come cost idle time only.
        """
        had_typed, self._typed = self._typed, "" if form_fault(text) else text
        if self._typed:
            self._expect(Priority.NEARBY)
        elif had_typed:
            self._ahead.stop(self.session_id)

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        """The game's answer to a ToolCall; content is the outcome or the reason, for the NPC to read.

        The same answer once more changes nothing.
        Raises: UnknownRequest for a call that is not open, RequestError for content that cannot be used, or where the
        player has not agreed yet.
        """
        self._last_desk(call_id).answer(call_id, status, content)

    def confirm(self, call_id: str, is_agreed: bool, reason: str = "") -> None:
        """The player's answer to a ToolCall that needs_confirmation. Declined, it is settled as refused.

        Agreed, the game does it and answers with tool_result.
        Raises: UnknownRequest for a call that is not open, RequestError for one that needs no confirmation.
        """
        self._last_desk(call_id).confirm(call_id, is_agreed, reason)

    def cancel(self, request_id: str) -> None:
        """Ends a reply with finish_reason "cancelled". One that has ended, or was never asked for, is left alone."""
        reply = self._replies.get(request_id)
        if reply is not None:
            reply.cancel()

    def close(self) -> None:
        """Takes no more words; a reply in progress ends as cancelled."""
        self._is_closed = True
        self._ahead.stop(self.session_id)
        if self._running is not None:
            self._running.cancel()

    async def _converse(self, reply: Reply, *, is_known: bool) -> AsyncGenerator[Event, None]:
        fault = self._fault(reply.ask, is_known=is_known)
        if fault is not None:
            yield ReplyFailed(reply.ask.request_id, fault)
            return
        self._running, self._desk = reply, reply.desk
        self._typed = ""
        self._ahead.stop(self.session_id)
        try:
            async with aclosing(reply.events(self._past)) as events:
                async for event in events:
                    if isinstance(event, ReplyFinished | ReplyFailed):
                        self._end(reply)  # before the game hears of the end, for it may go on talking at once
                        if self._typed or self._scene.settings.reads_ahead:
                            self._expect(Priority.NEARBY if self._typed else Priority.BACKGROUND)
                    yield event
        finally:
            self._end(reply)

    def _last_desk(self, call_id: str) -> CallDesk:
        """Raises: UnknownRequest."""
        if self._desk is None:
            raise UnknownRequest(f"no call {call_id!r} is open", hint="it was never made, or is settled already")
        return self._desk

    def _end(self, reply: Reply) -> None:
        """Remembers the exchange and frees the session, once."""
        if self._running is not reply:
            return
        self._running = None
        self._replies.pop(reply.ask.request_id, None)
        if exchange := reply.exchange:
            self._history += exchange
            self._timers = reply.timers
            self._scene.viewpoint.pass_by(self.player, len(spoken(exchange)))
        for tool in reply.accepted:
            self._scene.viewpoint.happen(tool, self.player)
        starts = [index for index, message in enumerate(self._history) if message.role == "user"]
        if len(starts) > MAX_EXCHANGES:
            gone = self._history[: starts[TRIM_EXCHANGES]]
            self._earlier += len(spoken(gone))
            del self._history[: len(gone)]

    @property
    def _past(self) -> Past:
        return Past(self.history, self._earlier, self._timers)

    def _expect(self, priority: Priority, *, is_new: bool = False) -> None:
        """Computes ahead, unless a reply is under way: what it adds to the conversation is yet to come."""
        if self._running is None and not self._is_closed:
            guess = Guess(self._scene, self.player, self._past, self._typed)
            self._ahead.expect(self.session_id, guess, priority, guest=self._guest, is_new=is_new)

    def _fault(self, ask: Ask, *, is_known: bool) -> NpcError | None:
        """Why this cannot be answered at all."""
        if self._is_closed:
            return UnknownSession(f"session {self.session_id!r} has ended", hint="begin another with World.talk")
        if is_known:
            return DuplicateRequest(f"request {ask.request_id!r} is open already", hint="give every say its own id")
        if self._running is not None:
            busy = self._running.ask.request_id
            return RequestError(
                f"{self._scene.persona.name} is still answering {busy!r}", hint="wait for its end, or cancel it"
            )
        if ask.timeout_s <= 0:
            return RequestError(f"timeout_s is {ask.timeout_s!r}", hint="give more than 0 seconds")
        if ask.start_by_s is not None and ask.start_by_s <= 0:
            return RequestError(f"start_by_s is {ask.start_by_s!r}", hint="give more than 0 seconds")
        if ask.words.images and not self._scene.engine.info.has_vision:
            return Unsupported(f"the model {self._scene.engine.info.name!r} cannot see", hint="send words only")
        return words_fault(ask.words.text) or self._form_fault(ask)

    def _form_fault(self, ask: Ask) -> NpcError | None:
        """Why an answer of this form cannot be given."""
        if ask.json_schema is None:
            return choice_fault(self._scene, ask.tool_choice)
        if ask.tool_choice not in ("auto", "none"):
            return RequestError(f"tool_choice is {ask.tool_choice!r} beside a json_schema", hint="ask for one of both")
        return schema_fault(ask.json_schema)
