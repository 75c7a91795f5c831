"""The child as the parent sees it: two pipes, and an end that can be told in words. Knows no engine.

Portable: pipes and exit codes, no signals but kill. Used by supervisor.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from npc_sdk.engine.process.message import HEADER, Load, ToChild, ToParent, body_length, decode, encode
from npc_sdk.errors import EngineCrashed, Overloaded, RequestError, SettingsError

MAX_UNSENT_BYTES = 16 * 1024 * 1024  # beyond it the child does not read
FEW_UNSENT_BYTES = 1024 * 1024
EXIT_S = 3.0  # for a child to free its model by itself
DEAD_S = 10.0  # for the system to take a killed one away
_ROOT = Path(__file__).parents[3]
_TOKEN = "NPC_SERVER_TOKEN"  # for clients of the server; a model needs none
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows opens one for a game that has no console


class ChildProcess:
    """One process. Made by spawn; whoever made it ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    @classmethod
    async def spawn(cls, maker: str, load: Load) -> ChildProcess:
        """Starts Python anew, with our package's folder on its path and the caller's working folder off it.

        Raises: SettingsError for what cannot be sent; EngineCrashed where the system starts no process.
        """
        try:
            first = encode(load)  # before there is a process that nobody would end
        except RequestError as exc:
            message = f"what the model is made from cannot be handed to its process: {exc.__cause__ or exc.message}"
            raise SettingsError(message, hint="give text, numbers, paths, and lists of them") from exc
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        environ = {name: value for name, value in os.environ.items() if name != _TOKEN}
        command = (sys.executable, "-P", "-m", "npc_sdk.engine.process.child", maker)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**environ, "PYTHONPATH": path},
                creationflags=_NO_WINDOW,
            )
        except (OSError, ValueError) as exc:  # the latter for a name that no command line can hold
            message = f"no process could be started for the model: {exc}"
            raise EngineCrashed(
                message, hint="see what the system allows; engine.isolated: false goes without"
            ) from exc
        child = cls(process)
        child._input.write(first)
        return child

    @property
    def process_id(self) -> int:
        """As the system counts."""
        return self._process.pid

    def ask(self, message: ToChild) -> None:
        """Queues a request. Raises: Overloaded where the process does not read; RequestError as send()."""
        if self._input.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            raise Overloaded("the model's process takes no more requests", hint="ask again in a moment")
        self.send(message)

    def send(self, message: ToChild) -> None:
        """Queues a message; one for a process that is gone is lost with it.

        Raises: RequestError for one that cannot be sent.
        """
        raw = encode(message)
        if not self._input.is_closing():
            self._input.write(raw)

    def offer(self, message: ToChild) -> None:
        """Queues what may be lost where the process is behind with reading."""
        if self._input.transport.get_write_buffer_size() <= FEW_UNSENT_BYTES:
            self.send(message)

    async def messages(self) -> AsyncIterator[ToParent]:
        """All that the process says, until it ends. Raises: EngineCrashed for what is no message."""
        while True:
            try:
                header = await self._output.readexactly(HEADER.size)
                body = await self._output.readexactly(body_length(header))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield decode(body)

    async def obituary(self) -> str:
        """How the process ended, whose output has; kills it where it has not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 0.5)
        if self._process.returncode is None:
            self.kill()
            return "it closed its output"
        return _cause(self._process.returncode)

    def kill(self) -> None:
        """Ends it, whatever it does. Does not wait."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self, grace_s: float = EXIT_S) -> None:
        """Closes its input, which asks it to end, kills it after the grace, and waits until it is gone.

        Who is cancelled meanwhile leaves no process either: it is killed at once.
        """
        self._input.close()
        try:
            await self._wait_or_kill(grace_s)
            await self._wait_or_kill(DEAD_S)
        except BaseException:
            self.kill()
            raise
        with contextlib.suppress(ConnectionError):
            await self._input.wait_closed()

    async def _wait_or_kill(self, patience_s: float) -> None:
        """Waits for its end, and kills it where that does not come."""
        if self._process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience_s)
        if self._process.returncode is None:
            self.kill()


def _cause(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "it was killed (SIGKILL), perhaps because memory ran out"
    return f"it ended with {name}"
