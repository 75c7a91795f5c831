"""Engines that a test's child makes. Loaded by path, so that it knows no other module of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from npc_sdk.engine.interface import EngineInfo, EngineItem
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.engine.stats import EngineStats, LifeStats
from npc_sdk.errors import EngineCrashed, ModelFormatError, PromptTooLong
from npc_sdk.requests import GenerateRequest

Told = Callable[[int, int, str], None]


def slow(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:
    """Says a word every few milliseconds, and prints as much where messages should be."""
    on_progress(1, 2, "words")
    print("a library talks " * 100)
    on_progress(2, 2, kind_or_path)
    return ScriptedEngine("word " * 3000, delay_s=0.01, context_tokens=8192, name="slow")


def talkative(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Says as much at once as it can."""
    return ScriptedEngine("".join(f"w{number} " for number in range(3000)), context_tokens=8192)


class _Patient(ScriptedEngine):
    """Says all but its first word only once a file is there."""

    def __init__(self, script: str, file: Path) -> None:
        super().__init__(script, context_tokens=8192)
        self._file = file

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        items = super().stream(request)
        yield await anext(items)
        while not self._file.exists():
            await asyncio.sleep(0.01)
        async for item in items:
            yield item


def patient(*, kind_or_path: str, on_progress: Told, waits_for: str, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Says one word, and much more once it may."""
    return _Patient("word " * 3000, Path(waits_for))


class _Kernel(ScriptedEngine):
    """Seems to be a model on the processor, whose every reply waits for one long kernel on a thread."""

    def __init__(self, kernel: Callable[[], None]) -> None:
        super().__init__("Done.")
        self._kernel = kernel
        self._under_way = self._done = 0

    @property
    def info(self) -> EngineInfo:
        return dataclasses.replace(super().info, device="cpu")

    def stats(self) -> EngineStats:
        return EngineStats(running=self._under_way, life=LifeStats(self._done))

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        loop, is_done = asyncio.get_running_loop(), asyncio.Event()

        def run() -> None:
            self._kernel()
            self._done += 1
            self._under_way -= 1
            loop.call_soon_threadsafe(is_done.set)

        self._under_way += 1
        threading.Thread(target=run, daemon=True).start()
        await is_done.wait()
        async for item in super().stream(request):
            yield item


def standing(*, kind_or_path: str, on_progress: Told, waits_for: str, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Does nothing, though a step is due, until a file is there."""

    def wait() -> None:
        while not Path(waits_for).exists():
            time.sleep(0.5)

    return _Kernel(wait)


class _Resting(_Kernel):
    """Makes no step at all, and lets go of a reply that nobody waits for."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:  # noqa: ARG002
        self._under_way += 1
        try:
            yield await asyncio.get_running_loop().create_future()
        finally:
            self._under_way -= 1


def resting(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Rests though a step is due."""
    return _Resting()


def computing(*, kind_or_path: str, on_progress: Told, waits_for: str, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Computes until a file is there, with the interpreter free meanwhile."""

    def compute() -> None:
        while not Path(waits_for).exists():
            hashlib.pbkdf2_hmac("sha256", b"a", b"b", 100_000)

    return _Kernel(compute)


def wrong(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Fails every request with an error that says what it should."""
    return ScriptedEngine("a b c", fail_after=1, error=PromptTooLong("too long by far", hint="shorten it"))


def broken(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Fails every request as a model does whose thread has died."""
    return ScriptedEngine("a b c", fail_after=0, error=EngineCrashed("the engine is closed"))


def moody(*, kind_or_path: str, on_progress: Told, in_the_way: str, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Cannot be loaded while a file is there."""
    if Path(in_the_way).exists():
        raise ModelFormatError("not today", hint="try tomorrow")
    return ScriptedEngine("Fine.")


def fatal(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Takes the process down while it loads."""
    os._exit(7)


def discreet(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Says which of the server's secrets it was handed."""
    return ScriptedEngine(os.environ.get("NPC_SERVER_TOKEN", "none"))


def garbled(*, kind_or_path: str, on_progress: Told, **_arguments: Any) -> ScriptedEngine:  # noqa: ARG001
    """Writes what is no message wherever it can, once it is asked anything."""

    def answer(_request: GenerateRequest) -> str:
        for fd in range(3, 32):
            with contextlib.suppress(OSError):
                os.write(fd, b"this is no message\n")
        return "Well."

    return ScriptedEngine(answer)
