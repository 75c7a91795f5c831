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
from game_bridge.plugins.godot import Version
from npc_sdk.errors import ConnectionLost, SettingsError

HEADLESS = ("godot3-server",)
WINDOWED = ("godot3-runner", "godot3", "godot")
GODOT_4 = ("godot4", "godot")  # with a window and without one
WIDTH, HEIGHT = 1920, 1080
_DOWN_S = 0.5  # between the death of one server and the birth of the next
_END_S = 5.0
_ASK_S = 20.0  # for an engine to tell its version
# the game is silent: without the last two the engine complains of a machine without a sound card
_WINDOW: dict[Version, tuple[str, ...]] = {
    "3": ("--video-driver", "GLES2", "--audio-driver", "Dummy"),
    "4": ("--rendering-driver", "opengl3", "--audio-driver", "Dummy"),
}


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


def version_for(*, has_window: bool) -> Version:
    """Which Godot plays where none was asked for: 3 where it is installed, so that an evening is the same one."""
    return "4" if _program("3", has_window) is None and _program("4", has_window) is not None else "3"


def engine_for(version: Version = "3", *, has_window: bool, is_pictured: bool) -> list[str]:
    """The command that starts Godot. Raises: SettingsError where it is not installed."""
    found = _program(version, has_window)
    if found is None:
        names = _names(version, has_window)
        hint = f"apt-get install {names[0]}" if version == "3" else f"put Godot 4 into PATH as {names[0]}"
        raise SettingsError(f"Godot {version} is not installed: no {' and no '.join(names)}", hint=hint)
    if not has_window:
        return [found] if version == "3" else [found, "--headless"]
    command = [found, *_WINDOW[version]]
    if not is_pictured:
        _check_display()
        return command
    screen = shutil.which("xvfb-run")
    if screen is None:
        raise SettingsError("pictures want a screen: no xvfb-run", hint="apt-get install xvfb")
    size = f"{WIDTH}x{HEIGHT}"
    return [screen, "-a", "-s", f"-screen 0 {size}x24", *command, "--resolution", size]


def _names(version: Version, has_window: bool) -> tuple[str, ...]:
    if version == "4":
        return GODOT_4
    return WINDOWED if has_window else HEADLESS


def _program(version: Version, has_window: bool) -> str | None:
    """The first that is installed; a name without a number is asked for it."""
    for name in _names(version, has_window):
        path = shutil.which(name)
        if path is not None and (name != "godot" or _is_version(path, version)):
            return path
    return None


def _is_version(path: str, version: Version) -> bool:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.startswith(f"{version}.")


def _check_display() -> None:
    """Raises: SettingsError where there is nowhere to show a window; the engine would end without a word."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        raise SettingsError("no display to show a window on", hint="use --evening, or xvfb-run")


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
