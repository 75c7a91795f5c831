"""``python -m npc_sdk.engine.process.child MAKER``: the process that holds the model and answers on its pipes.

MAKER names the function that makes the engine, as module:function; it is called with what the first message holds and
on_progress. Standard output belongs to the messages alone: whatever prints goes to standard error. The end of standard
input is the end of the process, also where its parent was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from npc_sdk.engine.interface import Chunk, Engine
from npc_sdk.engine.process.effort import Effort
from npc_sdk.engine.process.message import (
    HEADER,
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
    Progress,
    Ready,
    Refused,
    Said,
    Stream,
    ToParent,
    body_length,
    decode,
    encode,
    fault_of,
)
from npc_sdk.engine.process.pulse import BEAT_S
from npc_sdk.engine.stats import EngineStats
from npc_sdk.errors import EngineCrashed
from npc_sdk.requests import GenerateRequest, PrefillRequest, Priority

END_S = 5.0  # for the engine to let go after the end of input
CRASHES = 3  # steps that failed one after the other: then the model is not right any more, and is loaded anew

log = logging.getLogger(__name__)

_FOR_THE_PARENT = {"SIGINT", "SIGHUP", "SIGBREAK"}  # Ctrl-C or a closed terminal: the parent ends us in its own time


class Maker(Protocol):
    """Makes an engine, and blocks while it loads."""

    def __call__(self, *, on_progress: Callable[[int, int, str], None], **arguments: Any) -> Engine: ...


def main(arguments: Sequence[str]) -> None:
    """Serves until standard input ends."""
    input_fd, output_fd = _own_pipes()
    for name in _FOR_THE_PARENT & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="model's process: %(message)s")
    module, _, name = arguments[0].partition(":")
    maker: Maker = getattr(importlib.import_module(module), name)
    asyncio.run(_Child(maker, input_fd, output_fd).run())


class _Child:
    """One engine between two pipes. Its loop is never blocked by the model, which has threads of its own."""

    def __init__(self, maker: Maker, input_fd: int, output_fd: int) -> None:
        self._maker = maker
        self._input_fd = input_fd
        self._outbox = _Outbox(output_fd)
        self._effort = Effort()
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._requests: dict[int, GenerateRequest | PrefillRequest] = {}
        self._waiting: set[int] = set()  # runs whose id another one has to let go of
        self._cancelled: set[int] = set()  # those of them that are to end as soon as they begin
        self._crashes = 0

    async def run(self) -> None:
        """Loads, then serves."""
        loop = asyncio.get_running_loop()
        arguments = (self._input_fd, loop, self._inbox, self._effort)
        reader = threading.Thread(target=_read, args=arguments, daemon=True)
        reader.start()
        load = await self._inbox.get()
        if not isinstance(load, Load):
            return
        engine = await self._make(loop, load)
        if engine is None:
            return
        beating = loop.create_task(self._beat(engine))
        try:
            self._outbox.send(Ready(engine.info))
            while (message := await self._inbox.get()) is not None:
                self._take(engine, message)
        finally:
            beating.cancel()
            for run in self._runs.values():
                run.cancel()
            await engine.close()

    async def _make(self, loop: asyncio.AbstractEventLoop, load: Load) -> Engine | None:
        """The engine; None where it cannot be made, which the parent is told, or is not wanted any more."""

        def on_progress(done: int, total: int, what: str) -> None:
            loop.call_soon_threadsafe(self._outbox.send, Progress(done, total, what))

        try:
            return await asyncio.to_thread(lambda: self._maker(**load.arguments, on_progress=on_progress))
        except Exception as exc:
            log.debug("the model cannot be loaded", exc_info=True)
            self._outbox.send(Refused(fault_of(exc)))
            self._outbox.flush()
            return None

    def _take(self, engine: Engine, message: object) -> None:
        """One message of the parent's."""
        match message:
            case Stream():
                self._begin(engine, message, lambda: self._stream(engine, message))
            case Prefill():
                self._begin(engine, message, lambda: self._prefill(engine, message))
            case Cancel(number=number):
                self._cancel(engine, number)
            case Drop(number=number):
                if number in self._runs:
                    self._runs[number].cancel()
            case Forget(front=front, kept=kept):
                engine.forget(front, kept)
            case Frame(frame_s=frame_s):
                engine.note_frame(frame_s)

    def _begin(self, engine: Engine, asked: Stream | Prefill, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts a run. One of the same id that was dropped must have let go of it before."""
        number, request_id = asked.number, asked.request.request_id
        earlier = [self._runs[other] for other, one in self._requests.items() if one.request_id == request_id]
        self._waiting.add(number)
        task = asyncio.get_running_loop().create_task(self._in_turn(engine, number, earlier, run))
        self._requests[number], self._runs[number] = asked.request, task
        task.add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        """Forgets a run that is over."""
        del self._requests[number], self._runs[number]
        self._waiting.discard(number)
        self._cancelled.discard(number)

    def _cancel(self, engine: Engine, number: int) -> None:
        """Ends one run: by its number, for the engine may know its id as that of an earlier one still."""
        if number in self._waiting:
            self._cancelled.add(number)
        elif number in self._requests:
            engine.cancel(self._requests[number].request_id)

    async def _in_turn(
        self,
        engine: Engine,
        number: int,
        earlier: list[asyncio.Task[None]],
        run: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """A run once its id is free; one that was cancelled until then is cancelled as soon as the engine knows it."""
        if earlier:
            await asyncio.wait(earlier)
        self._waiting.discard(number)
        if number in self._cancelled:
            asyncio.get_running_loop().call_soon(self._cancel, engine, number)
        await self._guarded(number, run)

    async def _guarded(self, number: int, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A run that ends in exactly one message, unless nobody listens any more."""
        try:
            await run()
            self._crashes = 0
        except Exception as exc:
            self._outbox.send(Failed(number, fault_of(exc)))
            self._note_crash(exc)

    async def _stream(self, engine: Engine, asked: Stream) -> None:
        async for item in engine.stream(asked.request):
            if isinstance(item, Chunk):
                self._outbox.say(asked.number, item.text)
            else:
                self._outbox.send(Ended(asked.number, item))

    async def _prefill(self, engine: Engine, asked: Prefill) -> None:
        self._outbox.send(Filled(asked.number, await engine.prefill(asked.request)))

    def _note_crash(self, exc: Exception) -> None:
        """Gives up where the engine's thread has died, or fails whatever is asked: a new process does better."""
        if not isinstance(exc, EngineCrashed):
            return
        self._crashes += 1
        is_dead = exc.__cause__ is None  # nobody but its own thread closes the engine here
        if is_dead or self._crashes >= CRASHES:
            self._outbox.send(Refused(fault_of(exc)))
            self._inbox.put_nowait(None)

    async def _beat(self, engine: Engine) -> None:
        """Life signs, each with what was done since the last."""
        told = EngineStats()
        is_computed = engine.info.device != "none"  # what only recites makes no steps
        while True:
            stats = engine.stats()
            has_work = stats.running + stats.waiting > 0 or stats.life.has_job
            is_due = is_computed and self._is_due(stats)
            news = stats if stats != told else None
            effort_s = self._effort.now_s(engine.info.device, is_due=is_due)
            self._outbox.send(Beat(time.monotonic(), effort_s, stats.life, is_due, has_work, news))
            told = stats
            await asyncio.sleep(BEAT_S)

    def _is_due(self, stats: EngineStats) -> bool:
        """Whether the model should be making steps: a throttled one may leave all but the player's undone."""
        is_player = any(one.priority == Priority.PLAYER for one in self._requests.values())
        return stats.running + stats.waiting > 0 and (is_player or not stats.governor.is_throttling)


class _Outbox:
    """Messages to the parent. What is said within one turn of the loop goes out in one write."""

    def __init__(self, output_fd: int) -> None:
        self._fd = output_fd
        self._waiting: list[ToParent] = []

    def say(self, number: int, text: str) -> None:
        """Text of a run, joined with what is already on its way."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Said) and last.number == number:
            self._waiting[-1] = Said(number, last.text + text)
        else:
            self.send(Said(number, text))

    def send(self, message: ToParent) -> None:
        """Queues a message for the end of this turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(message)

    def flush(self) -> None:
        """Writes what waits. Blocks where the parent does not read, which slows nobody but us."""
        waiting, self._waiting = self._waiting, []
        left = memoryview(b"".join(map(encode, waiting)))
        with contextlib.suppress(BrokenPipeError):  # the end of input says the same
            while left:
                left = left[os.write(self._fd, left) :]


def _own_pipes() -> tuple[int, int]:
    """Standard input and output for us alone. Mutates: file descriptors 0, which is empty then, and 1, which is 2."""
    input_fd, output_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for fd in (input_fd, output_fd):
            msvcrt.setmode(fd, os.O_BINARY)
    return input_fd, output_fd


def _read(fd: int, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Any], effort: Effort) -> None:
    """A thread of its own, since a pipe cannot be awaited everywhere; ends the process if the loop does not."""
    try:
        while (header := _exactly(fd, HEADER.size)) and (body := _exactly(fd, body_length(header))):
            loop.call_soon_threadsafe(inbox.put_nowait, decode(body))
            effort.set_aside()
    except (OSError, EngineCrashed) as exc:
        log.warning("the parent cannot be heard: %s", exc)
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(inbox.put_nowait, None)
    threading.Event().wait(END_S)
    os._exit(1)


def _exactly(fd: int, length: int) -> bytes:
    """So many bytes; b"" at the end of input."""
    parts: list[bytes] = []
    while length:
        part = os.read(fd, min(length, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
