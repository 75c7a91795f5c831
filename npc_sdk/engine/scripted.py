"""An engine without a model: replies come from rules, a list or a function. For a game's own tests, and for ours.

Streams, cancels, times out and breaks like a real one. Knows no torch. Made by engine/create.py or by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from npc_sdk.engine.interface import Chunk, EngineInfo, EngineItem, Generated
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import (
    DeadlineMissed,
    DuplicateRequest,
    EngineCrashed,
    NpcError,
    PromptTooLong,
    ReplyTimeout,
    SettingsError,
)
from npc_sdk.events import Timings, Usage
from npc_sdk.messages import Message
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment

Rule: TypeAlias = tuple[str | re.Pattern[str], str]
Script: TypeAlias = str | Sequence[str] | Sequence[Rule] | Mapping[str, str] | Callable[[GenerateRequest], str]

WORD = re.compile(r"\s*\S+|\s+\Z")
KEPT = 1_024  # of each kind of thing that was asked, so that a server of many days does not grow

Kept = TypeVar("Kept")


class ScriptedEngine:
    """Says what it is told to. Fits interface.Engine; a word, with the space before it, counts as a token.

    script is one reply for everything, or a list of replies in order (then SettingsError), or rules (pattern, reply)
    of which the first wins that is found in the last user text or tool result, or a function of the request. In rules a
    str is a substring, whatever its case, and "" fits everything; re.Pattern searches.

    Units: delay_s passes before each word. fail_after counts words before error is raised.
    """

    def __init__(
        self,
        script: Script,
        *,
        delay_s: float = 0.0,
        fail_after: int | None = None,
        error: NpcError | None = None,
        context_tokens: int = 4096,
        chat_format: str = "nemotron",
        tool_format: str = "nemotron",
        has_vision: bool = False,
        image_px: int = 0,
        name: str = "scripted",
    ) -> None:
        self._answer = _as_function(script)
        self._delay_s = delay_s
        self._fail_after = fail_after
        self._error = error
        self._info = EngineInfo(name, context_tokens, chat_format, tool_format, "none", has_vision, image_px)
        self._running: dict[str, asyncio.Event] = {}
        self._is_closed = False
        # What was asked last, for a test to look at.
        self.requests: list[GenerateRequest] = []
        self.prefills: list[PrefillRequest] = []
        self.frames_s: list[float] = []
        self.forgotten: list[tuple[Segment, ...]] = []

    @property
    def info(self) -> EngineInfo:
        """What sessions must know of the model."""
        return self._info

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """Words of the joined text."""
        return len(WORD.findall("".join(segment.text for segment in segments)))

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        """The scripted reply word by word, then one Generated. Raises: NpcError subclasses, as a real engine would."""
        run = self._start(request)
        try:
            async for item in run.items():
                yield item
        finally:
            self._running.pop(request.request_id, None)

    async def prefill(self, request: PrefillRequest) -> Usage:
        """Nothing to compute."""
        _keep(self.prefills, request)
        return Usage()

    def note_frame(self, frame_s: float) -> None:
        """Nothing to slow down."""
        _keep(self.frames_s, frame_s)

    def forget(self, front: Sequence[Segment], kept: Sequence[Segment] = ()) -> None:  # noqa: ARG002
        """Nothing is kept."""
        _keep(self.forgotten, tuple(front))

    def stats(self) -> EngineStats:
        """How many streams are open."""
        return EngineStats(running=len(self._running))

    def cancel(self, request_id: str) -> None:
        """Ends a run before its next word. Unknown ids are ignored."""
        if request_id in self._running:
            self._running[request_id].set()

    async def close(self) -> None:
        """Ends open streams with EngineCrashed and refuses new ones."""
        self._is_closed = True
        for woken in self._running.values():
            woken.set()

    def _start(self, request: GenerateRequest) -> _Run:
        """Checks a request and picks its reply. Raises: EngineCrashed, RequestError and its kind, SettingsError."""
        if self._is_closed:
            raise EngineCrashed("the engine is closed", hint="make a new one")
        if request.request_id in self._running:
            raise DuplicateRequest(
                f"request {request.request_id!r} is running already", hint="give every request its own id"
            )
        prompt_tokens = self.count_tokens(request.segments)
        if prompt_tokens >= self._info.context_tokens:
            message = f"the prompt takes {prompt_tokens} of {self._info.context_tokens} tokens"
            raise PromptTooLong(message, hint="shorten it, or set context_tokens")
        _keep(self.requests, request)
        text = self._answer(request)
        woken = self._running[request.request_id] = asyncio.Event()
        return _Run(self, request, text, prompt_tokens, woken)

    def check_fault(self, words_said: int) -> None:
        """Raises: the scripted error, once so many words are said."""
        if self._fail_after is not None and words_said >= self._fail_after:
            raise self._error or EngineCrashed("the script breaks here", hint="fail_after asked for it")

    @property
    def delay_s(self) -> float:
        """Seconds before each word."""
        return self._delay_s

    @property
    def is_closed(self) -> bool:
        """Whether close() was called."""
        return self._is_closed


class _Run:
    """One reply on its way out."""

    def __init__(
        self, engine: ScriptedEngine, request: GenerateRequest, text: str, prompt_tokens: int, woken: asyncio.Event
    ) -> None:
        self._engine = engine
        self._request = request
        cut = min((at for stop in request.sampling.stop if (at := text.find(stop)) >= 0), default=len(text))
        self._words = WORD.findall(text[:cut])
        self._prompt_tokens = prompt_tokens
        self._woken = woken
        self._started = time.perf_counter()
        self._first: float | None = None

    async def items(self) -> AsyncIterator[EngineItem]:
        """Words, then the terminal item. Raises: EngineCrashed, ReplyTimeout, the scripted error."""
        limit = min(self._request.sampling.max_new_tokens, self._engine.info.context_tokens - self._prompt_tokens)
        for index, word in enumerate(self._words):
            self._engine.check_fault(index)
            if index >= limit:
                yield self._generated("length", index)
                return
            if await self._is_cut_short():
                yield self._generated("cancelled", index)
                return
            self._first = self._first or time.perf_counter()
            yield Chunk(word)
        self._engine.check_fault(len(self._words))
        yield self._generated("stop", len(self._words))

    async def _is_cut_short(self) -> bool:
        """Waits a word's time; whether the run was cancelled meanwhile.

        Raises: EngineCrashed, ReplyTimeout, DeadlineMissed.
        """
        left_s, lateness = self._time_left()
        is_late = left_s <= self._engine.delay_s
        wait_s = min(self._engine.delay_s, max(left_s, 0.0))
        if wait_s > 0 and not self._woken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
        else:
            await asyncio.sleep(0)  # streams take turns, as they do on a real engine
        if self._engine.is_closed:
            raise EngineCrashed("the engine was closed while it answered", hint="ask again once it is back")
        if is_late and not self._woken.is_set():
            raise lateness
        return self._woken.is_set()

    def _time_left(self) -> tuple[float, NpcError]:
        """Seconds until the reply is too late, infinite where nothing presses, and the error that it then ends in."""
        whole_s, start_s = self._request.deadline_s, self._request.start_by_s
        age_s = time.perf_counter() - self._started
        until_end = math.inf if whole_s is None else whole_s - age_s
        until_start = math.inf if start_s is None or self._first is not None else start_s - age_s
        if until_start < until_end:
            return until_start, DeadlineMissed(
                f"no first word within {start_s:g} s", hint="too late to be said; nothing was"
            )
        return until_end, ReplyTimeout(
            f"no whole reply within {whole_s or 0:g} s", hint="allow more time or fewer tokens"
        )

    def _generated(self, reason: str, words: int) -> Generated:
        """The terminal item, with true counts and times."""
        now = time.perf_counter()
        first = self._first or now
        timings = Timings(first_token_s=first - self._started, decode_s=now - first, total_s=now - self._started)
        usage = Usage(self._prompt_tokens, 0, words)
        return Generated(reason, usage, timings)  # type: ignore[arg-type]


def _keep(kept: list[Kept], one: Kept) -> None:
    """Mutates: kept, which loses the oldest of very many."""
    kept.append(one)
    if len(kept) > KEPT:
        del kept[0]


def heard_text(messages: Sequence[Message]) -> str:
    """What rules match: the last user message's text, or the last tool result where that came later."""
    for message in reversed(messages):
        if message.tool_result is not None:
            result = message.tool_result
            return f"{result.name} {result.status} {result.content} {message.text}"
        if message.role in ("user", "tool"):
            return message.text
    return ""


def _as_function(script: Script) -> Callable[[GenerateRequest], str]:
    """Every kind of script as a function. Raises: SettingsError for an empty or mixed one."""
    if callable(script):
        return script
    if isinstance(script, str):
        return lambda _request: script
    entries = list(script.items()) if isinstance(script, Mapping) else list(script)
    if entries and all(isinstance(entry, str) for entry in entries):
        return _InOrder([str(entry) for entry in entries])
    if entries and all(isinstance(entry, tuple) and len(entry) == 2 for entry in entries):
        return _ByRule([(entry[0], str(entry[1])) for entry in entries])
    hint = "give a reply, a list of replies, a list of (pattern, reply), or a function"
    raise SettingsError(f"script is {script!r}", hint=hint)


class _InOrder:
    """Replies one after the other. Raises: SettingsError when they run out."""

    def __init__(self, replies: list[str]) -> None:
        self._replies = replies
        self._next = 0

    def __call__(self, request: GenerateRequest) -> str:
        if self._next >= len(self._replies):
            message = f"the script has {len(self._replies)} replies, request {request.request_id!r} wants one more"
            raise SettingsError(message, hint="add replies, or use rules")
        self._next += 1
        return self._replies[self._next - 1]


class _ByRule:
    """The first rule that fits. Raises: SettingsError where none does."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules

    def __call__(self, request: GenerateRequest) -> str:
        heard = heard_text(request.messages) or "".join(segment.text for segment in request.segments)
        for pattern, reply in self._rules:
            if _fits(pattern, heard):
                return reply
        raise SettingsError(f"no rule of the script fits {heard!r}", hint='end the rules with ("", "…") for all else')


def _fits(pattern: str | re.Pattern[str], heard: str) -> bool:
    """Whether a rule's pattern is found in the text."""
    return pattern.casefold() in heard.casefold() if isinstance(pattern, str) else bool(pattern.search(heard))
