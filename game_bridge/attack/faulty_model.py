"""The engine of a model's process under attack: a real one whose steps go wrong while a file says so.

Made in the child alone, by name; what serves games has no such switch. Used by kill.py and fault.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.process.maker import make

Fault: TypeAlias = Literal["memory", "nan", "hang", "freeze", "crash", "disk"]

NAME = f"{__name__}:make_faulty"
_NO_ROOM_BYTES = 1 << 50  # more than an address can reach, so that it is refused on every machine
_FOREVER_S = 3600


def make_faulty(
    *,
    kind_or_path: str,
    fault_file: str,
    step_s: float,
    on_progress: Callable[[int, int, str], None] | None = None,
    **arguments: Any,
) -> Engine:
    """A model whose every step takes step_s longer, and fails as fault_file's text says for as long as it exists."""
    engine = make(kind_or_path=kind_or_path, on_progress=on_progress, **arguments)
    _spoil(Path(fault_file), step_s)
    return engine


def _spoil(file: Path, step_s: float) -> None:
    """Mutates: the model's step and the disk's last word, for this whole process."""
    import torch

    from npc_sdk.engine.local import snapshot
    from npc_sdk.engine.local.runner import Runner

    step, sync = Runner.run, os.fsync

    def run(runner: Runner, *arguments: Any) -> list[Any]:
        time.sleep(step_s)
        match _told(file):
            case "memory":
                torch.empty(_NO_ROOM_BYTES, dtype=torch.uint8)
            case "hang":
                time.sleep(_FOREVER_S)
            case "freeze":
                _hold_interpreter()
            case "crash":
                os.abort()
            case "nan":
                return [None if scores is None else scores * torch.nan for scores in step(runner, *arguments)]
        return step(runner, *arguments)

    def fsync(fd: int) -> None:
        if _told(file) == "disk":
            _refuse_room()
        sync(fd)

    Runner.run = run  # type: ignore[assignment]
    snapshot.os.fsync = fsync  # type: ignore[attr-defined]


def _hold_interpreter() -> None:
    """A sleep that keeps the interpreter's lock: no other thread of the process does anything either."""
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(1000 * _FOREVER_S)
    else:
        ctypes.PyDLL(None).sleep(_FOREVER_S)


def _refuse_room() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _told(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
