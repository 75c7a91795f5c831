"""The two processes of the sample, server and engine: started, heard line by line, restarted, and never left behind.

Knows command lines and lines, nothing of what they mean. Called by __main__.py.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from game_bridge.credential import TOKEN_VARIABLE, new_token
from npc_sdk.errors import ConnectionLost, SettingsError

HEADLESS = ("godot3-server",)
WINDOWED = ("godot3-runner", "godot3", "godot")
WIDTH, HEIGHT = 1920, 1080
_DOWN_S = 0.5  # between the death of one server and the birth of the next
_END_S = 5.0


class Server:
    """The village, on one port with one token for all its lives. Close it with a with statement."""

    def __init__(self, arguments: Sequence[str], patience_s: float) -> None:
        self.address = ""
        self.token = new_token()
        self._arguments = list(arguments)
        self._patience_s = patience_s
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        try:
            self._start("0")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def restart(self) -> None:
        """The old one dies without a word. Raises: ConnectionLost."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._kill()
        time.sleep(_DOWN_S)
        self._start(self.address.rpartition(":")[2])

    def _start(self, port: str) -> None:
        """Raises: ConnectionLost."""
        command = [sys.executable, *self._arguments, "--port", port]
        self._process = _open(command, {TOKEN_VARIABLE: self.token}, errors=sys.stderr.fileno())
        for line in _lines(self._process, time.monotonic() + self._patience_s):
            if line.startswith("ready "):
                self.address = line.removeprefix("ready ").strip()
                return
        raise ConnectionLost("the server ended before it was ready", hint="its own words stand above")

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process)


@contextlib.contextmanager
def running_game(
    engine: Sequence[str], project: Path, arguments: Sequence[str], token: str, deadline: float | None
) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """The engine with the game, and its lines as they come. Units: deadline on the monotonic clock, None for none.

    Raises: ConnectionLost from the lines, when the time is over.
    """
    home = project / "home"
    home.mkdir(exist_ok=True)
    # the engine keeps its settings below these: nothing of the user's is touched
    environment = {f"XDG_{name}_HOME": str(home) for name in ("DATA", "CONFIG", "CACHE")}
    environment |= {"LANG": "en_US.UTF-8", TOKEN_VARIABLE: token}
    process = _open([*engine, "--path", str(project), *arguments], environment, errors=subprocess.STDOUT)
    try:
        yield process, _lines(process, deadline)
    finally:
        _end(process)


def exit_code(process: subprocess.Popen[str]) -> int:
    """Of an engine that has said its last; 1 where it does not end by itself."""
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        return 1


def engine_for(*, has_window: bool, is_pictured: bool) -> list[str]:
    """The command that starts Godot 3. Raises: SettingsError where it is not installed."""
    names = WINDOWED if has_window else HEADLESS
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        told = f"Godot 3 is not installed: no {' and no '.join(names)}"
        raise SettingsError(told, hint=f"apt-get install {names[0]}")
    if not has_window:
        return [found]
    command = [found, "--video-driver", "GLES2"]
    if not is_pictured:
        _check_display()
        return command
    screen = shutil.which("xvfb-run")
    if screen is None:
        raise SettingsError("pictures want a screen: no xvfb-run", hint="apt-get install xvfb")
    size = f"{WIDTH}x{HEIGHT}"
    return [screen, "-a", "-s", f"-screen 0 {size}x24", *command, "--audio-driver", "Dummy", "--resolution", size]


def _check_display() -> None:
    """Raises: SettingsError where there is nowhere to show a window; the engine would end without a word."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise SettingsError("no display to show a window on", hint="use --evening (godot3-server), or xvfb-run")


def _open(command: Sequence[str], environment: dict[str, str], errors: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="replace",
        env=os.environ | environment,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """With all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _lines(process: subprocess.Popen[str], deadline: float | None) -> Iterator[str]:
    """Lines as they come, read by a thread since a pipe has no time limit. Raises: ConnectionLost."""
    arrived: queue.Queue[str | None] = queue.Queue()
    stdout = process.stdout
    assert stdout is not None

    def read() -> None:
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in stdout:
                arrived.put(line.rstrip("\n"))
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = arrived.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise ConnectionLost("server or engine took too long", hint="raise --time-limit") from None
        if line is None:
            return
        yield line
