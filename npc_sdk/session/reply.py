"""One reply: prompt → engine → parser → events, over as many rounds as its tool calls take.

A round ends where its calls do: words after a call are generated once the game has answered, so that no NPC claims
what the game then refuses. Ends in exactly one terminal event, whatever happens. Driven by session.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from npc_sdk import events
from npc_sdk.decoding.sentence import SentenceCutter
from npc_sdk.decoding.stream_parser import Emote, Item, Speech, StreamParser
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.errors import EngineCrashed, NpcError
from npc_sdk.events import Event, FinishReason, ReplyFailed, ReplyFinished, Sentence, TextDelta, ToolCall, ToolSettled
from npc_sdk.lore.entry import NO_TIMERS, Timers
from npc_sdk.lore.timing import started
from npc_sdk.messages import ImagePart, Message
from npc_sdk.prompt.trace import Trace
from npc_sdk.session import structured
from npc_sdk.session.bark import is_barked_at
from npc_sdk.session.call_desk import CallDesk, Case
from npc_sdk.session.gate import Gate
from npc_sdk.session.past import Past
from npc_sdk.session.run import GRACE_S, Ask, RunCancelled, Runs, now_s
from npc_sdk.session.scene import Draft, Scene
from npc_sdk.session.turn import Round, exchange
from npc_sdk.vision.eye import EYE

log = logging.getLogger(__name__)


class Reply:
    """Driven by one consumer; cancel and what the desk is told may come between its steps, from the same loop.

    asker is who takes turns with others where pictures wait to be decoded.
    """

    def __init__(self, scene: Scene, ask: Ask, call_ids: Iterator[str], *, asker: str) -> None:
        self._gate = Gate(scene, ask.tool_choice)
        self.desk = CallDesk(self._gate, call_ids, scene.settings)
        self._scene = scene
        self._asker = asker
        self._runs = Runs(scene, ask)
        self._rounds: list[Round] = []
        self._cutter = SentenceCutter()
        self._sentence_count = 0
        self._is_limited = False
        self._sight: asyncio.Task[tuple[ImagePart, ...] | NpcError] | None = None
        self.timers: Timers = NO_TIMERS  # of the lore, once the reply has its prompt

    @property
    def ask(self) -> Ask:
        """What was said; its pictures are as they came, then small, and gone with the reply's end."""
        return self._runs.ask

    @property
    def text(self) -> str:
        """What the player has heard."""
        return "".join(a_round.text for a_round in self._rounds)

    @property
    def exchange(self) -> tuple[Message, ...]:
        """What is worth remembering of this turn; complete once the events have ended."""
        return exchange(self.ask.words, self._rounds)

    def cancel(self) -> None:
        """Ends the reply as cancelled, also one that has not begun. After its end this changes nothing."""
        if not self._runs.is_cancelled:
            self.desk.abandon("the reply was cancelled")
            self._runs.cancel()
            if self._sight is not None:
                self._sight.cancel()

    async def events(self, past: Past) -> AsyncGenerator[Event, None]:
        """All events, the last of them terminal. Closing the iterator early stops the engine."""
        self._runs.begin()
        failure: NpcError | None = None
        try:
            if self.ask.words.images and not self._runs.is_cancelled:
                await self._look()
            if not self._runs.is_cancelled:
                async with aclosing(self._answer(past)) as answered:
                    async for event in answered:
                        yield event
        except RunCancelled:
            log.debug("reply %s: the engine did not stop within %g s", self.ask.request_id, GRACE_S)
        except NpcError as exc:
            failure = exc
        except Exception as exc:
            log.exception("reply %s crashed", self.ask.request_id)
            failure = _crash(exc)
        finally:
            self._show(())
            EYE.room.leave(self)
            self.desk.abandon("the reply ended")
        for case in self.desk.untold():
            yield self._tell(case)
        yield self._terminal(failure)

    async def _look(self) -> None:
        """Brings the player's pictures into the one form that engines take, unless cancelled meanwhile.

        Mutates: ask, which has the small ones then. Raises: RequestError, Overloaded, ReplyTimeout.
        """
        sight = self._sight = asyncio.ensure_future(self._seen(self.ask.words.images))
        try:
            await asyncio.wait([sight], timeout=max(0.0, self._runs.deadline_s - now_s()))
        finally:
            is_late = sight.cancel()
        if self._runs.is_cancelled:
            return
        seen = self._runs.overdue() if is_late or sight.cancelled() else sight.result()
        if isinstance(seen, NpcError):
            raise seen
        self._show(seen)

    async def _seen(self, images: tuple[ImagePart, ...]) -> tuple[ImagePart, ...] | NpcError:
        """The pictures as engines take them, or what is wrong with them.

        A fault's frames would hold the pictures, and each other, until garbage is collected: the fault goes without.
        """
        max_px = self._scene.engine.info.image_px
        try:
            return await EYE.look(images, max_px=max_px, asker=self._asker, holder=self)
        except NpcError as exc:
            return _without_frames(exc)

    def _show(self, images: tuple[ImagePart, ...]) -> None:
        """Mutates: ask, whose pictures are these from now on."""
        words = dataclasses.replace(self.ask.words, images=images)
        self._runs.ask = dataclasses.replace(self.ask, words=words)

    def _answer(self, past: Past) -> AsyncGenerator[Event, None]:
        schema: Mapping[str, Any] | None = self.ask.json_schema
        if schema is not None:
            return structured.write(self._scene, self.ask, self._runs, schema, past)
        return self._speak(past)

    async def _speak(self, past: Past) -> AsyncGenerator[Event, None]:
        """Rounds until one ends without calls, or as many as are allowed; then one that may only speak."""
        draft = self._scene.draft(self.ask.words, player=self.ask.player, past=past)
        while not self._runs.is_cancelled:
            a_round = Round(has_tools=self._may_call())
            for step in (self._run, self._settle):
                async with aclosing(step(a_round, draft)) as told:
                    async for event in told:
                        yield event
            if not a_round.cases or not a_round.has_tools:
                break
        has_called = any(a_round.cases and a_round.has_tools for a_round in self._rounds)
        self._is_limited = has_called and not self._rounds[-1].has_tools

    def _may_call(self) -> bool:
        """Whether another round may call: each of the reply's and, of those that only went wrong, a few."""
        settings = self._scene.settings
        faults = sum(a_round.is_fault for a_round in self._rounds)
        is_left = len(self._rounds) < settings.tool_rounds and faults <= settings.repair_rounds
        return is_left and self.ask.tool_choice != "none"

    async def _run(self, a_round: Round, draft: Draft) -> AsyncGenerator[Event, None]:
        """One run of the model, heard until it ends or speaks on after a call."""
        said = [message for before in self._rounds for message in before.messages()]
        prompt = self._scene.compile(draft, rounds=said, reply_tokens=self.ask.sampling.max_new_tokens)
        if not self._rounds:
            self.timers = _begun(draft, prompt.trace)
            for event in self._notices(prompt.trace):
                yield event
        constraint = self._gate.begin(prompt.heard, has_tools=a_round.has_tools, is_first=not self._rounds)
        parser = StreamParser(self._scene.tool_format, is_continuing=bool(self.text))
        self._rounds.append(a_round)
        async with aclosing(self._runs.text(prompt, constraint, has_tools=a_round.has_tools)) as pieces:
            async for piece in pieces:
                for event in self._hear(parser.feed(piece), a_round):
                    yield event
        for event in self._hear(parser.finish(), a_round):
            yield event
        if not self._runs.is_cancelled:
            for event in self._sentences(self._cutter.finish()):
                yield event

    def _notices(self, trace: Trace) -> Iterator[Event]:
        """What a writer should hear of this prompt."""
        for part in trace.lost_essentials:
            log.warning("reply %s: %s is essential and out: %s", self.ask.request_id, part.name, part.why)
            yield events.Notice(self.ask.request_id, "essential_dropped", part.name, part.why)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The tools that the game let the NPC use in this reply."""
        cases = (case for a_round in self._rounds for case in a_round.cases if case.call is not None)
        return tuple(case.call.name for case in cases if case.call and case.result and case.result.status == "accepted")

    def _hear(self, items: Iterable[Item], a_round: Round) -> Iterator[Event]:
        """Events for what the model wrote. Mutates: the round."""
        for item in items:
            if a_round.is_cut or self._runs.is_cancelled:
                return
            match item:
                case ParsedCall() | MalformedCall():
                    yield from self._called(item, a_round)
                case _ if a_round.cases and a_round.has_tools:
                    a_round.is_cut = True
                    self._runs.stop()
                case Speech(text=text):
                    a_round.say(text)
                    yield TextDelta(self.ask.request_id, text)
                    yield from self._sentences(self._cutter.feed(text))
                case Emote(text=text, kind=kind):
                    a_round.show(item)
                    yield events.Emote(self.ask.request_id, text, kind)

    def _called(self, item: ParsedCall | MalformedCall, a_round: Round) -> Iterator[Event]:
        """A call ends the sentence before it; one that cannot be is told at once."""
        yield from self._sentences(self._cutter.finish())
        if self._runs.is_cancelled:  # while the sentence was with the game
            return
        case = self.desk.open(item, place=len(a_round.cases))
        a_round.cases.append(case)
        if case.result is not None:
            yield self._tell(case)
        yield from self._put(a_round)

    def _put(self, a_round: Round) -> Iterator[Event]:
        """The calls whose turn it is, for the game, and those that can no longer be."""
        for case in self.desk.put(a_round.cases):
            if case.result is None and case.call is not None:
                yield ToolCall(self.ask.request_id, case.call, needs_confirmation=not case.is_agreed)
            else:
                yield self._tell(case)

    def _sentences(self, texts: Iterable[str]) -> Iterator[Event]:
        for text in texts:
            self._sentence_count += 1
            yield Sentence(self.ask.request_id, self._sentence_count - 1, text)

    async def _settle(self, a_round: Round, _draft: Draft) -> AsyncGenerator[Event, None]:
        """Waits for the game's answer to each call of the round, in their order."""
        for case in a_round.cases:
            for event in self._put(a_round):
                yield event
            if not case.is_told:
                await self._settled(case)
                yield self._tell(case)

    async def _settled(self, case: Case) -> None:
        """Waits until a call has its answer, or is too late for one. Raises: ReplyTimeout."""
        while case.result is None:
            case.news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(case.due_s, self._runs.deadline_s)):
                    await case.news.wait()
            if case.result is None and now_s() >= self._runs.deadline_s:
                raise self._runs.overdue()
            if case.result is None and now_s() >= case.due_s:
                late = "the game did not answer in time" if case.is_agreed else "the player did not answer in time"
                case.settle("timeout", late)

    def _tell(self, case: Case) -> ToolSettled:
        """Mutates: the case is told."""
        assert case.result is not None, "only a settled case is told"
        case.is_told = True
        return ToolSettled(self.ask.request_id, case.result)

    def _terminal(self, failure: NpcError | None) -> Event:
        if failure is not None and not self._runs.is_cancelled:
            return ReplyFailed(self.ask.request_id, failure, self.text, self._bark(failure))
        reason: FinishReason = "cancelled" if self._runs.is_cancelled else self._runs.finish_reason
        if reason != "cancelled" and self._is_limited:
            reason = "tool_limit"
        return ReplyFinished(self.ask.request_id, self.text, reason, self._runs.usage, self._runs.timings)

    def _bark(self, failure: NpcError) -> str:
        """What the NPC says instead, where it would stand there mute. A value was never for anybody's ears."""
        if self.text.strip() or self.ask.json_schema is not None or not is_barked_at(failure):
            return ""
        return self._scene.barks.next(self._scene.npc_id, self._scene.persona.barks)


def _begun(draft: Draft, trace: Trace) -> Timers:
    """The lore's timers after this turn: an effect begins for what stands in the prompt, and for nothing else."""
    told = {part.name for part in trace.parts if part.is_in and part.kind in ("lore", "constant")}
    entries = [match.entry for match in draft.source.matches if match.entry.entry_id in told]
    return started(draft.timers, entries, draft.length)


def _without_frames(fault: NpcError) -> NpcError:
    """Mutates: the fault and what it came of."""
    one: BaseException | None = fault
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return fault


def _crash(exc: Exception) -> EngineCrashed:
    """The one error for everything that nobody foresaw."""
    error = EngineCrashed(f"the reply broke off: {type(exc).__name__}: {exc}", hint="see the log, or ask again")
    error.__cause__ = exc
    return error
