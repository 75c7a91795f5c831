"""One engine in a process of its own, told over pipes what to do next; between orders it sleeps.

Lines of JSON both ways: an order {"do": name, …} is answered with {"ok": figures} or {"error": text}. Called by the
benches; the other end is runner/__main__.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from npc_sdk.errors import EngineCrashed

START_TIMEOUT_S = 240.0
ORDER_TIMEOUT_S = 420.0
CLOSE_TIMEOUT_S = 20.0
LOG_LINES = 6


class Child:
    """A runner of a kind. Raises: EngineCrashed from any call where the process dies, fails or takes too long."""

    def __init__(self, name: str, kind: str, options: Mapping[str, Any], log: Path) -> None:
        self.name = name
        self.kind = kind
        self._log_path = log
        self._left = b""
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "npc_sdk.bench.runner", kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                env=_environment(),
                start_new_session=True,  # with what it starts itself, so that all of it can be ended together
            )
        self.started = self._start(options)

    @property
    def pid(self) -> int:
        """The process, to read its memory."""
        return self._process.pid

    def ask(self, order: str, *, timeout_s: float = ORDER_TIMEOUT_S, **arguments: Any) -> dict[str, Any]:
        """Has the runner do one thing and waits for its figures."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": order, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as exc:  # a broken pipe, or one that was closed
            raise self._crashed(f"is gone: {exc}") from exc
        return self._answer(order, timeout_s)

    def close(self) -> None:
        """Lets the process end; one that does not is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            self._kill()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, options: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.ask("start", timeout_s=START_TIMEOUT_S, options=dict(options))
        except EngineCrashed:
            self.close()
            raise

    def _answer(self, order: str, timeout_s: float) -> dict[str, Any]:
        """The next line, read as the answer to an order."""
        answer = json.loads(self._line(order, timeout_s))
        if "error" in answer:
            message = f"{self.name} failed at {order!r}: {answer['error']}"
            raise EngineCrashed(message, hint=f"more is in {self._log_path}")
        figures: dict[str, Any] = answer["ok"]
        return figures

    def _line(self, order: str, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._left:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._kill()
                    raise self._crashed(f"took more than {timeout_s:g} s for {order!r}")
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise self._crashed(f"died at {order!r}")
                self._left += piece
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _kill(self) -> None:
        """Ends the process with all that it started, if any of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _crashed(self, what: str) -> EngineCrashed:
        lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return EngineCrashed(f"{self.name} {what}", hint=" | ".join(lines) or f"its log is {self._log_path}")


def _environment() -> dict[str, str]:
    """Ours without what is said to OpenMP: each engine's threads wait in its own way."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    return {**kept, "HF_HUB_OFFLINE": "1"}
