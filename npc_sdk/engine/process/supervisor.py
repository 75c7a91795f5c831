"""Keeps one child alive: loads it, watches it, and after a crash or a hang starts it anew with a growing pause.

A child that hangs is stalled first: nobody waits for it any longer, and it may still go on. Knows processes and life
signs, not what runs are; who listens is told of messages and of each end. Used by engine.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from npc_sdk.engine.interface import EngineInfo
from npc_sdk.engine.process.child_process import EXIT_S, ChildProcess
from npc_sdk.engine.process.message import Beat, Ended, Filled, Progress, Ready, Refused, ToParent, error_of
from npc_sdk.engine.process.pulse import Pulse, counted_s
from npc_sdk.errors import EngineCrashed, NpcError

TICK_S = 0.1  # between two looks at the pulse
LOADS = 5  # that may fail one after the other before nothing is tried any more until somebody asks

State: TypeAlias = Literal["loading", "ready", "stalled", "backing_off", "down", "closed"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a start: longer each time, until a process was healthy for a while. Units: seconds."""

    first_s: float = 0.5
    most_s: float = 30.0
    healthy_s: float = 60.0

    def pause_s(self, ends: int) -> float:
        """After so many ends, one soon after the other."""
        return min(self.most_s, self.first_s * 2.0 ** min(ends - 1, 20))


class Listener(Protocol):
    """Who has runs in the child. Called from the loop; raises nothing."""

    @property
    def has_runs(self) -> bool: ...

    def hear(self, message: ToParent) -> None: ...

    def lose(self, stalled: ChildProcess | None = None) -> None:
        """The child is gone, and every run in it; or only the runs, of a child that is stalled."""
        ...


class Supervisor:
    """One child after the other, from start() to close()."""

    def __init__(
        self,
        spawn: Callable[[], Awaitable[ChildProcess]],
        listener: Listener,
        *,
        pulse: Pulse,
        backoff: Backoff,
        on_progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.state: State = "loading"
        self.restarts = 0
        self.load_s = 0.0
        self._spawn = spawn
        self._listener = listener
        self._pulse = pulse
        self._backoff = backoff
        self._on_progress = on_progress
        self._child: ChildProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[EngineInfo] | None = None
        self._wanted = asyncio.Event()
        self._why = ""
        self._ends = self._failed_loads = 0
        self._started_s = self._ready_s = self._again_s = 0.0

    async def start(self) -> EngineInfo:
        """Loads for the first time. Raises: what the load raised; EngineCrashed where the child died over it."""
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            return await self._first
        except BaseException:
            await self.close()
            raise

    @property
    def process_id(self) -> int | None:
        """The child's, also while it loads."""
        return self._child.process_id if self._child else None

    @property
    def listening(self) -> ChildProcess | None:
        """The child that hears what it is told, now or when it goes on."""
        return self._child if self.state in ("ready", "stalled") else None

    def child(self) -> ChildProcess:
        """The child that takes requests. Raises: EngineCrashed, which says when there is one again."""
        if self.state == "ready" and self._child is not None:
            return self._child
        self._wanted.set()
        raise self.loss()

    def loss(self) -> EngineCrashed:
        """What a request is told whose child is gone: what happened, and when it is worth asking again."""
        if self.state == "closed":
            return EngineCrashed("the engine is closed", hint="make a new one")
        if self.state == "down":
            message = f"the model could not be loaded {self._failed_loads} times in a row: {self._why}"
            return EngineCrashed(message, hint="it is tried once more when somebody asks")
        if self.state == "stalled":
            hint = "ask again in a moment; it goes on, or is started anew"
            return EngineCrashed(f"the model's process does not answer: {self._why}", hint=hint)
        left_s = max(0.0, self._again_s - _now_s()) + self.load_s
        hint = f"it is being started anew; ask again in about {max(1, round(left_s))} s"
        return EngineCrashed(f"the model's process was lost: {self._why}", hint=hint)

    async def close(self) -> None:
        """Ends the child and waits until nothing is left of it. Can be repeated."""
        was_closed, self.state = self.state == "closed", "closed"
        if not was_closed:
            self._listener.lose()
            if self._task is not None:
                self._task.cancel()  # once: a second time would end the wait for the child's end
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        """Lives until closed, or until the first load has failed."""
        while True:
            self._why = await self._live()
            assert self._first is not None
            if not self._first.done():
                hint = "see what the model's process wrote to standard error"
                self._first.set_exception(EngineCrashed(f"the model could not be loaded: {self._why}", hint=hint))
            if self._first.exception() is not None:
                return
            await self._pause()
            self.restarts += 1

    async def _pause(self) -> None:
        """Waits before the next start; after too many failed loads also for somebody who wants one."""
        is_hopeless = self._failed_loads >= LOADS
        log.warning("the model's process was lost: %s; it is started anew%s", self._why, " later" * is_hopeless)
        self._wanted.clear()
        await asyncio.sleep(self._again_s - _now_s())
        if is_hopeless:
            await self._wanted.wait()

    async def _live(self) -> str:
        """One child from its start to its end; why it ended."""
        self.state = "loading"
        self._started_s, self._ready_s = _now_s(), 0.0
        self._pulse.begin(self._started_s)
        try:
            child = self._child = await self._spawn()
        except Exception as exc:  # whatever it is: who waits must be told, and the next start be tried
            error = exc if isinstance(exc, NpcError) else _unforeseen(exc)
            self._refuse(error)
            self._lose(error.message)
            return error.message
        grace_s = EXIT_S
        try:
            why, is_over = await self._watch(child)
            if not is_over:
                child.kill()
            grace_s = 0.0
            self._lose(why)
            return why
        finally:
            self._child = None
            await child.end(grace_s if self._ready_s else 0.0)

    async def _watch(self, child: ChildProcess) -> tuple[str, bool]:
        """Until the child ends or hangs: why, and whether its process is over."""
        reading = asyncio.get_running_loop().create_task(self._read(child))
        looked_s = _now_s()
        try:
            while True:
                await asyncio.wait({reading}, timeout=TICK_S)
                now = _now_s()
                if reading.done():
                    return await self._farewell(child, reading)
                self._pulse.forgive(now, now - looked_s - counted_s(now - looked_s, TICK_S))
                looked_s = now
                if why := self._judge(child, now):
                    return why, False
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    def _judge(self, child: ChildProcess, now: float) -> str:
        """Stalls a child that hangs, or welcomes it back; why it is to be given up, or ""."""
        has_runs = self._listener.has_runs
        why = self._pulse.fault(now, has_runs=has_runs)
        if why and self._pulse.is_final(now, has_runs=has_runs):
            self._pulse.note_given_up(now, has_runs=has_runs)
            return why
        if why and self.state == "ready":
            self._stall(child, why)
        elif not why and self.state == "stalled":
            self._pulse.note_recovery()
            self.state = "ready"
            log.warning("the model's process goes on")
        return ""

    def _stall(self, child: ChildProcess, why: str) -> None:
        """Nobody waits for this child any longer."""
        self.state, self._why = "stalled", why
        self._pulse.note_told()
        log.warning("the model's process does not answer: %s", why)
        self._listener.lose(child)

    async def _farewell(self, child: ChildProcess, reading: asyncio.Task[str]) -> tuple[str, bool]:
        """Why a child ended that says no more."""
        try:
            told = reading.result()
        except NpcError as exc:
            return exc.message, False
        except Exception as exc:  # of whoever listens: the runs must end all the same
            log.exception("the model's process cannot be heard out")
            return f"{type(exc).__name__}: {exc}", False
        return (told, False) if told else (await child.obituary(), True)

    async def _read(self, child: ChildProcess) -> str:
        """Hears the child out; what it gave up for, "" where it just ended. Raises: EngineCrashed for no message."""
        async for message in child.messages():
            now = _now_s()
            self._pulse.hear(now)
            match message:
                case Beat(at_s=at_s, effort_s=effort_s, life=life, is_busy=is_busy, has_work=has_work):
                    self._pulse.beat(now, at_s, life, is_busy=is_busy, has_work=has_work, effort_s=effort_s)
                case Ended() | Filled():
                    self._pulse.note_end()
                case Progress(done=done, total=total, what=what):
                    if self._on_progress is not None:
                        self._on_progress(done, total, what)
                case Ready(info=info):
                    self._welcome(info)
                case Refused(fault=fault):
                    self._refuse(error_of(fault))
                    return fault.message
            self._listener.hear(message)
        return ""

    def _welcome(self, info: EngineInfo) -> None:
        """The child takes requests from now on."""
        now = _now_s()
        self.state = "ready"
        self._failed_loads = 0
        self._ready_s, self.load_s = now, now - self._started_s
        self._pulse.note_loaded()
        self._on_progress = None  # nobody waits for a later load
        assert self._first is not None
        if not self._first.done():
            self._first.set_result(info)

    def _refuse(self, error: NpcError) -> None:
        """The first load's error is the starter's, as it is."""
        assert self._first is not None
        if not self._first.done():
            self._first.set_exception(error)

    def _lose(self, why: str) -> None:
        """The child is gone: counts it, plans the next start, and tells the listener at once."""
        now = _now_s()
        if self._ready_s and now - self._ready_s >= self._backoff.healthy_s:
            self._ends = 0
        self._ends += 1
        self._failed_loads += not self._ready_s
        self._why, self._child = why, None
        self._again_s = now + self._backoff.pause_s(self._ends)
        self.state = "down" if self._failed_loads >= LOADS else "backing_off"
        self._listener.lose()


def _unforeseen(exc: Exception) -> EngineCrashed:
    """An error that nobody thought of, on the way to a process."""
    message = f"no process could be started for the model: {type(exc).__name__}: {exc}"
    error = EngineCrashed(message, hint="engine.isolated: false goes without")
    error.__cause__ = exc
    return error


def _now_s() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()
