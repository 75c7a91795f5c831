"""One reply: prompt → engine → parser → events, over as many rounds as its tool calls take.

A round ends where its calls do: words after a call are generated once the game has answered, so that no NPC claims
what the game then refuses. Ends in exactly one terminal event, whatever happens. Driven by session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from npc_sdk.decoding.sentence import SentenceCutter
from npc_sdk.decoding.stream_parser import Item, Speech, StreamParser
from npc_sdk.engine.interface import EngineItem, Generated
from npc_sdk.errors import DeadlineMissed, EngineCrashed, NpcError, ReplyTimeout
from npc_sdk.events import (
    Event,
    FinishReason,
    ReplyFailed,
    ReplyFinished,
    Sentence,
    TextDelta,
    Timings,
    ToolCall,
    ToolSettled,
    Usage,
)
from npc_sdk.messages import Message
from npc_sdk.requests import GenerateRequest, Priority, Sampling
from npc_sdk.session.call_desk import CallDesk, Case
from npc_sdk.session.scene import Draft, Scene
from npc_sdk.session.turn import Round, exchange

GRACE_S = 1.0  # for the engine to end a cancelled run by itself, which keeps the account of its tokens true

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """What was said to the NPC and how it is to be answered. run_id is unique in the engine.

    Units: timeout_s for the whole reply; start_by_s until its first token, None where it is never too late.
    """

    request_id: str
    run_id: str
    words: Message
    player: str
    sampling: Sampling
    priority: Priority
    timeout_s: float
    start_by_s: float | None = None


class _CancelledError(Exception):
    """The reply was cancelled and the engine did not end its run within the grace."""


class Reply:
    """Driven by one consumer; cancel and desk.answer may come between its steps, from the same loop."""

    def __init__(self, scene: Scene, ask: Ask, call_ids: Iterator[str]) -> None:
        self.ask = ask
        self.desk = CallDesk(scene.belt, call_ids)
        self._scene = scene
        self._rounds: list[Round] = []
        self._cutter = SentenceCutter()
        self._sentence_count = 0
        self._runs: list[Generated] = []
        self._finish_reason: FinishReason = "stop"
        self._is_cancelled = False
        self._run_id: str | None = None
        self._waiting: asyncio.Timeout | None = None
        self._started_s = 0.0
        self._deadline_s = 0.0
        self._first_token_s: float | None = None

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
        if self._is_cancelled:
            return
        self._is_cancelled = True
        self.desk.abandon("the reply was cancelled")
        if self._run_id is not None:
            self._scene.engine.cancel(self._run_id)
            self._deadline_s = min(self._deadline_s, _now() + GRACE_S)
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(self._deadline_s)

    async def events(self, history: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """All events, the last of them terminal. Closing the iterator early stops the engine."""
        self._started_s = _now()
        self._deadline_s = self._started_s + self.ask.timeout_s
        failure: NpcError | None = None
        try:
            async with aclosing(self._speak(history)) as spoken:
                async for event in spoken:
                    yield event
        except _CancelledError:
            log.debug("reply %s: the engine did not stop within %g s", self.ask.request_id, GRACE_S)
        except NpcError as exc:
            failure = exc
        except Exception as exc:
            log.exception("reply %s crashed", self.ask.request_id)
            failure = _crash(exc)
        finally:
            self.desk.abandon("the reply ended")
        for case in self.desk.untold():
            yield self._tell(case)
        yield self._terminal(failure)

    async def _speak(self, history: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """Rounds until one ends without calls, or as many as are allowed."""
        if self._is_cancelled:
            return
        draft = self._scene.draft(self.ask.words, player=self.ask.player, history=history)
        limit = self._scene.settings.tool_rounds
        for number in range(limit + 1):
            a_round = Round(has_tools=number < limit)
            for step in (self._run, self._settle):
                async with aclosing(step(a_round, draft)) as events:
                    async for event in events:
                        yield event
            if self._is_cancelled or not a_round.cases:
                break
        if limit and number == limit:
            self._finish_reason = "tool_limit"

    async def _run(self, a_round: Round, draft: Draft) -> AsyncGenerator[Event, None]:
        """One run of the model, heard until it ends or speaks on after a call."""
        request = self._request(a_round, draft)
        parser = StreamParser(self._scene.tool_format, is_continuing=bool(self.text))
        self._rounds.append(a_round)
        self._run_id = request.request_id
        stream = self._scene.engine.stream(request)
        try:
            while not isinstance(item := await self._next(stream), Generated):
                for event in self._hear(parser.feed(item.text), a_round):
                    yield event
        finally:
            self._run_id = None
            await _close(stream)
        self._runs.append(item)
        self._finish_reason = item.finish_reason
        for event in self._hear(parser.finish(), a_round):
            yield event
        if not self._is_cancelled:
            for event in self._sentences(self._cutter.finish()):
                yield event

    def _request(self, a_round: Round, draft: Draft) -> GenerateRequest:
        """Raises: PromptTooLong, ReplyTimeout, DeadlineMissed."""
        left_s = self._deadline_s - _now()
        if left_s <= 0:
            raise self._overdue()
        start_by_s = self._start_by_s()
        prompt = self._scene.compile(
            draft,
            rounds=[message for before in self._rounds for message in before.messages()],
            tools=None if a_round.has_tools else (),
            reply_tokens=self.ask.sampling.max_new_tokens,
        )
        return GenerateRequest(
            request_id=f"{self.ask.run_id}/{len(self._rounds)}",
            segments=prompt.segments,
            messages=prompt.messages,
            tools=prompt.tools,
            sampling=self.ask.sampling,
            priority=self.ask.priority,
            deadline_s=left_s,
            start_by_s=start_by_s,
            bulk_segments=prompt.bulk_segments,
            npc_id=self._scene.npc_id,
        )

    def _start_by_s(self) -> float | None:
        """What is left until the first word must come; None once it has. Raises: DeadlineMissed."""
        if self.ask.start_by_s is None or self._rounds:
            return None
        left_s = self._started_s + self.ask.start_by_s - _now()
        if left_s <= 0:
            message = f"no first word within {self.ask.start_by_s:g} s"
            raise DeadlineMissed(message, hint="too late to be said; nothing was")
        return left_s

    async def _next(self, stream: AsyncIterator[EngineItem]) -> EngineItem:
        """The engine's next item. Raises: ReplyTimeout, EngineCrashed, _CancelledError."""
        try:
            async with asyncio.timeout_at(self._deadline_s) as self._waiting:
                return await anext(stream)
        except TimeoutError:
            if self._waiting is None or not self._waiting.expired():
                raise
            raise (_CancelledError() if self._is_cancelled else self._overdue()) from None
        except StopAsyncIteration:
            raise EngineCrashed("the engine's stream ended without a last item", hint="ask again") from None
        finally:
            self._waiting = None

    def _hear(self, items: Iterable[Item], a_round: Round) -> Iterator[Event]:
        """Events for what the model wrote. Mutates: the round."""
        if self._first_token_s is None:
            self._first_token_s = _now() - self._started_s
        for item in items:
            if a_round.is_cut or self._is_cancelled:
                return
            if not isinstance(item, Speech):
                yield from self._sentences(self._cutter.finish())
                if self._is_cancelled:  # while the sentence was with the game
                    return
                case = self.desk.open(item, place=len(a_round.cases), has_tools=a_round.has_tools)
                a_round.cases.append(case)
                yield self._opened(case)
            elif a_round.cases and a_round.has_tools:
                a_round.is_cut = True
                if self._run_id is not None:
                    self._scene.engine.cancel(self._run_id)
            else:
                a_round.text += item.text
                yield TextDelta(self.ask.request_id, item.text)
                yield from self._sentences(self._cutter.feed(item.text))

    def _opened(self, case: Case) -> Event:
        """A call for the game, or the end of one that is not for it."""
        if case.result is not None or case.call is None:
            return self._tell(case)
        return ToolCall(self.ask.request_id, case.call)

    def _sentences(self, texts: Iterable[str]) -> Iterator[Event]:
        for text in texts:
            self._sentence_count += 1
            yield Sentence(self.ask.request_id, self._sentence_count - 1, text)

    async def _settle(self, a_round: Round, _draft: Draft) -> AsyncGenerator[Event, None]:
        """Waits for the game's answer to each call of the round, in their order."""
        for case in a_round.cases:
            if case.is_told:
                continue
            try:
                async with asyncio.timeout_at(min(self._tool_deadline_s(case), self._deadline_s)):
                    await case.settled.wait()
            except TimeoutError:
                if case.result is None and _now() >= self._deadline_s:
                    raise self._overdue() from None
            if case.result is None:
                case.settle("timeout", "the game did not answer in time")
            yield self._tell(case)

    def _tool_deadline_s(self, case: Case) -> float:
        return case.asked_s + self._scene.settings.tool_timeout_s

    def _tell(self, case: Case) -> ToolSettled:
        """Mutates: the case is told."""
        assert case.result is not None, "only a settled case is told"
        case.is_told = True
        return ToolSettled(self.ask.request_id, case.result)

    def _overdue(self) -> ReplyTimeout:
        return ReplyTimeout(f"the reply took longer than {self.ask.timeout_s:g} s", hint="ask again, or give it longer")

    def _terminal(self, failure: NpcError | None) -> Event:
        if failure is not None and not self._is_cancelled:
            return ReplyFailed(self.ask.request_id, failure, self.text)
        reason: FinishReason = "cancelled" if self._is_cancelled else self._finish_reason
        usage = sum((run.usage for run in self._runs), Usage())
        return ReplyFinished(self.ask.request_id, self.text, reason, usage, self._timings())

    def _timings(self) -> Timings:
        """Queue, prefill and first token are the first round's: what the player waited for. Decoding is all rounds'."""
        first = self._runs[0].timings if self._runs else Timings()
        return Timings(
            queued_s=first.queued_s,
            prefill_s=first.prefill_s,
            first_token_s=self._first_token_s or 0.0,
            decode_s=sum(run.timings.decode_s for run in self._runs),
            total_s=_now() - self._started_s,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _close(stream: AsyncIterator[EngineItem]) -> None:
    """Cancels what is left of a run."""
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()


def _crash(exc: Exception) -> EngineCrashed:
    """The one error for everything that nobody foresaw."""
    error = EngineCrashed(f"the reply broke off: {type(exc).__name__}: {exc}", hint="see the log, or ask again")
    error.__cause__ = exc
    return error
