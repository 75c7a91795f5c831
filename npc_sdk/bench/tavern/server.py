"""llama.cpp's own server in the tavern: one slot a character, each with its prompt cache, replies streamed over HTTP.

Built once from the sources inside llama-cpp-python's archive; needs cmake and a C++ compiler.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from npc_sdk.bench.store import run_logged
from npc_sdk.bench.tavern.completion import Completion
from npc_sdk.bench.tavern.replay import Heard
from npc_sdk.bench.tavern.trace import NPCS, Line
from npc_sdk.bench.vocabulary import Prompt
from npc_sdk.errors import EngineError
from npc_sdk.requests import Priority

ARCHIVE = "llama-cpp-python==0.3.36"
BUILD_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_OPENSSL=OFF",
)
START_TIMEOUT_S = 120.0


def server_program(work: Path) -> Path:
    """Where the built server is, whether it is there or not."""
    return work / "llama-server" / "build" / "bin" / "llama-server"


def build_server(work: Path, say: Callable[[str], None]) -> Path:
    """The program, fetched and compiled if it is not there: some ten minutes on two cores. Raises: EngineError."""
    program, folder = server_program(work), work / "llama-server"
    if program.exists():
        return program
    if shutil.which("cmake") is None:
        raise EngineError("there is no cmake to build llama-server with", hint="pip install cmake, and a C++ compiler")
    folder.mkdir(parents=True, exist_ok=True)
    say(f"fetching the sources of {ARCHIVE}")
    fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", ARCHIVE, "-d", str(folder)]
    run_logged(fetch, folder / "fetch.log")
    with tarfile.open(next(folder.glob("llama_cpp_python-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    sources = next(folder.glob("*/vendor/llama.cpp"))
    say("building llama-server, once")
    build = folder / "build"
    run_logged(["cmake", "-S", str(sources), "-B", str(build), *BUILD_OPTIONS], folder / "configure.log")
    run_logged(["cmake", "--build", str(build), "--target", "llama-server", "--parallel", "2"], folder / "build.log")
    return program


class ServerVoice:
    """A running server. Raises: EngineError where it does not start or breaks off."""

    def __init__(self, program: Path, model: Path, *, threads: int, slot_tokens: int, log: Path) -> None:
        self._port = _free_port()
        self._senders = ThreadPoolExecutor(NPCS, "say")  # one reply at a time each
        self._saying: dict[int, Completion] = {}
        command = [str(program), "-m", str(model), "--port", str(self._port), "--host", "127.0.0.1"]
        command += ["-np", str(NPCS), "-c", str(NPCS * slot_tokens), "-t", str(threads), "-tb", str(threads)]
        command += ["--cache-ram", "0"]  # a character keeps its slot: there is nothing to move out of it
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.close()
            raise

    async def say(self, line: Line, priority: Priority, start_by_s: float | None = None) -> Heard:
        """Streams a reply from the character's slot. The server knows neither priorities nor being late: we hang up.

        Raises: EngineError where it breaks off by itself.
        """
        del priority
        loop = asyncio.get_running_loop()
        completion = self._saying[line.npc] = Completion(self._port, line)
        late = None if start_by_s is None else loop.call_later(start_by_s, completion.drop)
        try:
            return await loop.run_in_executor(self._senders, completion.read)
        finally:
            del self._saying[line.npc]
            if late is not None:
                late.cancel()

    def cancel(self, npc: int) -> None:
        """Hangs up on a character that speaks."""
        if npc in self._saying:
            self._saying[npc].cut()

    def expect(self, npc: int, bulk: Prompt, words: Prompt, priority: Priority) -> None:
        """The server cannot be told."""

    def forget(self, npc: int) -> None:
        """There was nothing."""

    def close(self) -> None:
        """Ends the server."""
        self._process.kill()
        self._process.wait()
        self._senders.shutdown()
        self._log.close()

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._is_ready():
                return
            time.sleep(0.2)
        raise EngineError("llama-server did not start", hint=f"its log is {log}")

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
