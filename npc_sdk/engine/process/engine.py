"""The engine seam over a child process: a crash, a hang or a lack of memory there ends replies, and nothing else here.

Loads no torch. Made by its start(), from the loop that it is used from; `npc serve` does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

from npc_sdk.engine.interface import Chunk, EngineInfo, EngineItem, Generated
from npc_sdk.engine.process import maker
from npc_sdk.engine.process.child_process import ChildProcess
from npc_sdk.engine.process.counter import Counter, token_counter
from npc_sdk.engine.process.message import (
    Beat,
    Cancel,
    Drop,
    Ended,
    Failed,
    Filled,
    Forget,
    Frame,
    Load,
    Prefill,
    Said,
    Stream,
    ToParent,
    error_of,
)
from npc_sdk.engine.process.pulse import Pulse
from npc_sdk.engine.process.run import Run
from npc_sdk.engine.process.supervisor import Backoff, State, Supervisor
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import DuplicateRequest, EngineCrashed
from npc_sdk.events import Usage
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment
from npc_sdk.settings import GovernorSettings

DEFAULT_BACKOFF = Backoff()


class ProcessEngine:
    """Fits interface.Engine. While the child is away or hangs every request fails at once with EngineCrashed."""

    def __init__(self, supervise: Callable[[ProcessEngine], Supervisor]) -> None:
        self._count: Counter | None = None
        self._info: EngineInfo | None = None
        self._runs: dict[int, Run] = {}
        self._ids: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._stats = EngineStats()
        self._supervisor = supervise(self)

    @classmethod
    async def start(
        cls,
        kind_or_path: str,
        *,
        governor: GovernorSettings | None = None,
        hang_s: float | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
        on_progress: Callable[[int, int, str], None] | None = None,
        made_by: str = maker.NAME,
        **arguments: Any,
    ) -> Self:
        """Loads a model as create_engine does, whose other arguments these are, in a process of its own.

        made_by names the function that makes the engine there, as module:function.
        Raises: what create_engine raises; EngineCrashed where the process dies before the model is loaded.
        """
        told = {"kind_or_path": str(kind_or_path), "governor": governor and governor.model_dump(), **arguments}

        def supervise(engine: ProcessEngine) -> Supervisor:
            return Supervisor(
                lambda: ChildProcess.spawn(made_by, Load(told)),
                engine,
                pulse=Pulse(hang_s),
                backoff=backoff,
                on_progress=on_progress,
            )

        options = {key: arguments[key] for key in ("tokenizer", "chat_format") if key in arguments}
        counting = asyncio.create_task(asyncio.to_thread(token_counter, str(kind_or_path), **options))
        engine = cls(supervise)
        try:
            engine._info = await engine._supervisor.start()
            engine._count = await counting
        except BaseException:
            counting.cancel()
            await engine.close()
            await asyncio.wait({counting})
            _ = counting.cancelled() or counting.exception()  # the child's word on the same folder has been said
            raise
        return engine

    @property
    def info(self) -> EngineInfo:
        """What sessions must know of the model."""
        assert self._info is not None, "start() has loaded the model"
        return self._info

    @property
    def process_id(self) -> int | None:
        """The child's, as the system counts; None while there is none."""
        return self._supervisor.process_id

    @property
    def state(self) -> State:
        """What the child is at."""
        return self._supervisor.state

    @property
    def restarts(self) -> int:
        """How often it was started anew."""
        return self._supervisor.restarts

    @property
    def load_s(self) -> float:
        """How long its last load took."""
        return self._supervisor.load_s

    @property
    def has_runs(self) -> bool:
        """Whether somebody waits for the child."""
        return bool(self._runs)

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """The exact number of prompt tokens that these segments become."""
        assert self._count is not None, "start() has loaded the tokenizer"
        return self._count(segments)

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        """Chunks, then one Generated. Raises: NpcError subclasses; closing the iterator early cancels the run."""
        child = self._supervisor.child()
        run = self._enter(request.request_id)
        try:
            child.ask(Stream(run.number, request))
            while not isinstance(item := await run.take(), Generated):
                assert isinstance(item, Chunk), "a reply is no front"
                yield item
            self._leave(run, child)  # before its end is heard, for its id is free then
            yield item
        finally:
            self._leave(run, child)

    async def prefill(self, request: PrefillRequest) -> Usage:
        """Computes a prompt's front for prompts to come. Raises: NpcError subclasses; its own cancel ends it early."""
        child = self._supervisor.child()
        run = self._enter(request.request_id)
        try:
            child.ask(Prefill(run.number, request))
            usage = await run.take()
        finally:
            self._leave(run, child)
        assert isinstance(usage, Usage), "a front says nothing"
        return usage

    def forget(self, front: Sequence[Segment], kept: Sequence[Segment] = ()) -> None:
        """Has the child free the cache of prompts that begin with front. One that is away has nothing to free."""
        if (child := self._supervisor.listening) is not None:
            child.send(Forget(tuple(front), tuple(kept)))

    def cancel(self, request_id: str) -> None:
        """Asks a run to end before its next token. Unknown ids are ignored."""
        if request_id in self._ids and (child := self._supervisor.listening) is not None:
            child.send(Cancel(self._ids[request_id]))

    def note_frame(self, frame_s: float) -> None:
        """Tells the child's governor how long the game took for a frame; a child that is behind misses some."""
        if (child := self._supervisor.listening) is not None:
            child.offer(Frame(frame_s))

    def stats(self) -> EngineStats:
        """What the child last told of itself."""
        return self._stats

    async def close(self) -> None:
        """Ends the process. Streams still open end with EngineCrashed."""
        await self._supervisor.close()

    def hear(self, message: ToParent) -> None:
        """What the child says of its runs and of itself. Called by the supervisor."""
        match message:
            case Beat(stats=EngineStats() as stats):
                self._stats = stats
            case Said(number=number, text=text) if number in self._runs:
                self._runs[number].say(text)
            case Ended(number=number, end=end) if number in self._runs:
                self._runs[number].end(end)
            case Filled(number=number, usage=usage) if number in self._runs:
                self._runs[number].end(usage)
            case Failed(number=number, fault=fault) if number in self._runs:
                self._runs[number].end(error_of(fault))

    def lose(self, stalled: ChildProcess | None = None) -> None:
        """The child is gone or does not answer: every run ends now. Called by the supervisor."""
        self._stats = dataclasses.replace(self._stats, running=0, waiting=0)
        for run in self._runs.values():
            if stalled is not None and not run.is_ended:
                stalled.send(Drop(run.number))  # it may go on after all, and is not to speak to nobody
            run.end(self._loss())

    def _loss(self) -> EngineCrashed:
        if self.state == "closed":
            return EngineCrashed("the engine was closed while it answered", hint="ask again once it is back")
        return self._supervisor.loss()

    def _enter(self, request_id: str) -> Run:
        """Raises: DuplicateRequest."""
        if request_id in self._ids:
            raise DuplicateRequest(f"request {request_id!r} is running already", hint="give every request its own id")
        run = Run(next(self._numbers), request_id)
        self._runs[run.number], self._ids[request_id] = run, run.number
        return run

    def _leave(self, run: Run, child: ChildProcess) -> None:
        """Nobody listens to a run any more; the child is told where it does not know. Can be repeated."""
        if self._runs.pop(run.number, None) is None:
            return
        del self._ids[run.request_id]
        if not run.is_ended:
            child.send(Drop(run.number))
