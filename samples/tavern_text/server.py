"""Runs the NPC server as a child process, as a shipped game would: start it, wait until ready, never leave it behind.

Knows the command line and the two kinds of lines that the server prints; nothing of the game.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from game_bridge.credential import TOKEN_VARIABLE, new_token
from npc_sdk.errors import ConnectionLost

START_TIMEOUT_S = 300.0  # a large model on a slow disk
STOP_TIMEOUT_S = 10.0
READY, LOADING = "ready ", "loading "
_TAIL_LINES = 4


@contextmanager
def running_server(arguments: Sequence[str], on_progress: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """The address of a server that runs for as long as the block does, and the token that it asks for.

    The token goes over by the environment, so that it stands in no file and on no command line. The server stops by
    itself when its standard input closes, so that it ends even if this process is killed.
    Raises: ConnectionLost where it does not come up, with its own last words.
    """
    command = [sys.executable, "-m", "npc_sdk.cli", "serve", "--port", "0", "--until-input-closes", *arguments]
    token = new_token()
    environ = {**os.environ, TOKEN_VARIABLE: token}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,
            env=environ,
        )
        try:
            yield _await_ready(process, complaints, on_progress), token
        finally:
            _stop(process)


def _await_ready(process: subprocess.Popen[str], complaints: IO[str], on_progress: Callable[[str], None]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_drain, args=(process.stdout, lines), daemon=True).start()
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while (left_s := give_up_at - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left_s)
        except queue.Empty:
            break
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
        if not line:
            process.wait()
            raise ConnectionLost(
                f"the NPC server ended with exit code {process.returncode} before it was ready",
                hint=_last_words(complaints),
            )
        if line.startswith(LOADING):
            on_progress(line.removeprefix(LOADING).strip())
    raise ConnectionLost(f"the NPC server was not ready within {START_TIMEOUT_S:.0f} s", hint=_last_words(complaints))


def _drain(stdout: IO[str] | None, lines: queue.Queue[str]) -> None:
    """Reads until the end, so that the server never waits for us; an empty line stands for the end."""
    for line in stdout or ():
        lines.put(line)
    lines.put("")


def _last_words(complaints: IO[str]) -> str:
    complaints.seek(0)
    tail = [line.strip() for line in complaints.read().splitlines() if line.strip()][-_TAIL_LINES:]
    return "it said: " + " ".join(tail) if tail else "it said nothing; run `npc serve` to see more"


def _stop(process: subprocess.Popen[str]) -> None:
    """Asks, then insists."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
