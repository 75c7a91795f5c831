"""Engines that a test's child makes. Loaded by path, so that it knows no other module of the tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from npc_sdk.engine.scripted import ScriptedEngine
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
