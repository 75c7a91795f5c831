"""llama.cpp's server in the tavern, by a stand-in: heard over HTTP, hung up on, and told of where it fails."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from npc_sdk.bench.tavern.completion import Completion
from npc_sdk.bench.tavern.server import ServerVoice, build_server
from npc_sdk.bench.tavern.trace import Line
from npc_sdk.errors import EngineError
from npc_sdk.requests import Priority

AMBIENT = Priority.AMBIENT
PATIENCE_S = 60.0

SERVER = """#!{python}
import http.server, json, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.end_headers()
        slot, tokens = body["id_slot"], body["n_predict"] - (body["id_slot"] == 7)
        print("slot", slot, "is asked", flush=True)
        def send(event): self.wfile.write(b"data: " + json.dumps(event).encode() + b"\\n\\n")
        last = {{"stop": True, "tokens_predicted": tokens, "timings": {{"cache_n": len(body["prompt"])}}}}
        for event in ({{"content": "a", "stop": False}}, last)[: (2, 2, 2, 0, 1, 1, 2, 2)[slot]]:
            send(event)
        try:
            while slot == 4 or (slot == 3 and self.connection.recv(1)):
                send({{"content": "a", "stop": False}}); time.sleep(0.01)
                print("slot", slot, "speaks on", flush=True)
        except OSError: pass
        print("slot", slot, "was left", flush=True)
    def log_message(self, *args): pass

class Server(socketserver.ThreadingTCPServer):  # one of HTTP's own would look its name up first
    daemon_threads = allow_reuse_address = True

Server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerVoice]:
    """A stand-in. Slot 3 is silent and slot 4 speaks until it is left; slot 5 breaks off; slot 7 says too little."""
    program = tmp_path / "llama-server"
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)
    with closing(ServerVoice(program, tmp_path / "model", threads=1, slot_tokens=64, log=tmp_path / "log")) as voice:
        yield voice


async def test_the_servers_replies_are_heard_slot_by_slot(server: ServerVoice, line: Line) -> None:
    heard = await server.say(replace(line, npc=1), AMBIENT, 60.0)
    assert 0 < (heard.first_s or 0) <= heard.total_s
    assert heard.cached_tokens == len(line.prompt.ids)
    assert heard.end == "whole"
    with pytest.raises(EngineError, match="ended after 47 tokens"):
        await server.say(replace(line, npc=7), AMBIENT)
    with pytest.raises(EngineError, match="without its last event"):
        await server.say(replace(line, npc=5), AMBIENT)


async def asked(log: Path, slot: int) -> None:
    """Waits until the server has read what a slot is asked for."""
    await told(log, f"slot {slot} is asked")


async def told(log: Path, words: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while words not in log.read_text():
            await asyncio.sleep(0.01)


async def test_the_server_is_hung_up_on_while_it_speaks(server: ServerVoice, line: Line, tmp_path: Path) -> None:
    log = tmp_path / "log"
    saying = asyncio.create_task(server.say(replace(line, npc=4), AMBIENT, 600.0))
    await asked(log, 4)
    completion = server._saying[4]
    async with asyncio.timeout(PATIENCE_S):
        while completion._first_s is None:
            await asyncio.sleep(0.01)
    completion.drop()  # as its time to begin is over
    server.cancel(1)
    spoken = log.read_text().count("speaks on")
    async with asyncio.timeout(PATIENCE_S):
        while log.read_text().count("speaks on") < spoken + 2:
            await asyncio.sleep(0.01)
    assert not saying.done()
    server.cancel(4)
    heard = await saying
    assert (heard.end, heard.first_s is not None) == ("cut", True)
    await told(log, "slot 4 was left")


async def test_the_server_is_hung_up_on_before_it_speaks(server: ServerVoice, line: Line, tmp_path: Path) -> None:
    saying = asyncio.create_task(server.say(replace(line, npc=3), AMBIENT))
    await asked(tmp_path / "log", 3)
    server.cancel(1)
    server.cancel(3)
    heard = await saying
    assert (heard.end, heard.first_s) == ("cut", None)
    await told(tmp_path / "log", "slot 3 was left")


async def test_the_server_is_hung_up_on_when_it_is_too_late(
    server: ServerVoice, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[tuple[float, Callable[[], None]]] = []
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as held:
        held.setattr(loop, "call_later", lambda after_s, do: timers.append((after_s, do)) or mock.Mock())
        saying = asyncio.create_task(server.say(replace(line, npc=3), AMBIENT, 0.2))
        while not timers:
            await asyncio.sleep(0)
    ((after_s, hang_up),) = timers
    assert after_s == 0.2
    await asked(tmp_path / "log", 3)
    assert not saying.done()
    hang_up()
    heard = await saying
    assert (heard.end, heard.first_s) == ("late", None)
    await told(tmp_path / "log", "slot 3 was left")


def test_a_server_that_is_cut_before_it_was_reached_is_not_asked(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        completion = Completion(listener.getsockname()[1], line)
        completion.cut()
        assert completion.read().end == "cut"
        with listener.accept()[0] as connection:
            assert connection.recv(1) == b""


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did not start"):
        ServerVoice(Path("/bin/false"), tmp_path / "m", threads=1, slot_tokens=64, log=tmp_path / "log")


def test_without_cmake_the_server_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npc_sdk.bench.tavern.server.shutil.which", lambda _name: None)
    with pytest.raises(EngineError, match="no cmake"):
        build_server(tmp_path, lambda _text: None)
