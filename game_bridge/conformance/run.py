"""Runs a client's conformance program against the scripted server, which is killed and started anew when it asks;
connections are cut when it asks for that.

By hand: ``python -m game_bridge.conformance.run [--token T] -- PROGRAM …``. Knows processes and lines, no client.
"""

from __future__ import annotations

import argparse
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from game_bridge.conformance.proxy import Proxy
from npc_sdk.errors import EngineError

STEPS = (
    "connect", "wrong_token", "talk", "stream", "tool_accepted", "tool_refused", "tool_timeout", "screenshot", "cancel",
    "unknown_npc", "state", "learn", "two_at_once", "sessions", "structured", "confirm", "emote", "bark", "happen",
    "forget", "stats", "resume", "heartbeat", "restart", "bye",
)  # fmt: skip
PASSED = [*(f"ok {step}" for step in STEPS), "done"]
_HERE = Path(__file__).parents[2]
_READY_S = 120.0
_CLIENT_S = 300.0
_DOWN_S = 0.5  # between the death of one server and the birth of the next
_END_S = 5.0


class ConformanceError(EngineError):
    """The server did not start, or the client's program did not end in time; its lines so far stand in the message."""


def run_client(
    command: Sequence[str], *, token: str = "", shown: str | None = None, timeout_s: float = _CLIENT_S
) -> list[str]:
    """The lines that ``command HOST PORT TOKEN`` printed, with ``exit N`` as the last unless N is 0.

    shown is what the client is told to show, where that is not the server's token. Compare with PASSED; lines that
    begin with # are remarks and left out. Nothing that was started here is left behind.
    Raises: ConformanceError.
    """
    with (
        _held_port() as port,
        _Server(port, token) as server,
        _running([*command, "127.0.0.1", str(server.port), token if shown is None else shown]) as client,
    ):
        deadline = time.monotonic() + timeout_s
        lines: list[str] = []
        for line in _lines(client, deadline, lines):
            if line == "RESTART":
                server.restart()
            elif line == "CUT":
                server.cut()
            elif line and not line.startswith("#"):
                lines.append(line)
        try:
            code = client.wait(max(_END_S, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as exc:
            raise ConformanceError(f"{command[0]} did not end after {lines}") from exc
        return lines if code == 0 else [*lines, f"exit {code}"]


class _Server:
    """The scripted server as a process, behind a proxy that keeps one port for all its lives."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self._token = token
        self._process: subprocess.Popen[str] | None = None
        self._proxy: Proxy | None = None

    def __enter__(self) -> _Server:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def restart(self) -> None:
        """The old one dies without a word. Raises: ConformanceError."""
        self._kill()
        time.sleep(_DOWN_S)
        self._start()

    def cut(self) -> None:
        """All connections break; the server lives on."""
        if self._proxy is not None:
            self._proxy.drop()

    def _start(self) -> None:
        command = [sys.executable, "-m", "game_bridge.conformance.server"]
        command += ["--token", self._token] if self._token else []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_HERE)
        try:
            ready = next(_lines(self._process, time.monotonic() + _READY_S, []), "")
            if not ready.startswith("ready tcp://127.0.0.1:"):
                raise ConformanceError(f"the scripted server did not start: {ready!r}")  # noqa: TRY301
            proxy = Proxy(self.port, int(ready.rpartition(":")[2]))
            proxy.start()
        except BaseException:
            self._kill()
            raise
        self._proxy = proxy
        self.port = proxy.port

    def _kill(self) -> None:
        """The port is closed first, so that no client comes to a server that is half gone."""
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.stop()
        process, self._process = self._process, None
        if process is not None:
            _end(process)


@contextmanager
def _held_port() -> Iterator[int]:
    """A port of loopback that nobody else is given between two lives of the server; 0, any, where it cannot be held."""
    if os.name != "posix":
        yield 0
        return
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that the proxy can listen there
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _lines(process: subprocess.Popen[str], deadline: float, so_far: Sequence[str]) -> Iterator[str]:
    """Lines as they come, on a thread of their own since a read from a pipe has no time limit.

    Raises: ConformanceError when the time is over.
    """
    arrived: queue.Queue[str | None] = queue.Queue()
    stdout = process.stdout
    assert stdout is not None

    def read() -> None:
        try:
            for line in stdout:
                arrived.put(line.strip())
        except ValueError:  # closed meanwhile
            pass
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = arrived.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise ConformanceError(f"no end in time; so far: {list(so_far)}") from None
        if line is None:
            return
        yield line


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 where every step passed."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.conformance.run")
    parser.add_argument("--token", default="", help="what the client must show; none if empty")
    parser.add_argument("command", nargs="+", help="the client's program; HOST PORT TOKEN are added")
    options = parser.parse_args(arguments)
    lines = run_client(options.command, token=options.token)
    print("\n".join(lines))
    return 0 if lines == PASSED else 1


if __name__ == "__main__":
    sys.exit(main())
