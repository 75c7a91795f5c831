"""The Godot addon in real engines: the script that every client must pass, golden frames, servers that misbehave."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import msgpack
import pytest

from game_bridge import vectors
from game_bridge.conformance.run import PASSED, run_client
from game_bridge.plugins.godot.conformance.__main__ import ENGINES

from .asking import dead_port
from .bare_server import LIMITS, hear, message, shake_hands, welcome

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]  # engines and run_client have a patience of their own

Part: TypeAlias = Callable[[socket.socket], object]
Program: TypeAlias = tuple[str, ...]

SOURCES = {"3": "apt-get install godot3-server", "4": ".ci/godot4 FOLDER, and FOLDER on PATH"}


@pytest.fixture(params=[pytest.param(version, id=f"Godot {version}") for version in ENGINES])
def program(request: pytest.FixtureRequest) -> Program:
    """The addon's test programs in an engine of that version."""
    engine, *_ = ENGINES[request.param]
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed (Debian: {SOURCES[request.param]})")
    return (sys.executable, "-m", "game_bridge.plugins.godot.conformance", "--godot", request.param)


def output_of(program: Program, *arguments: str | Path) -> tuple[list[str], str]:
    """What the program prints but for remarks, and what it complains of."""
    command = [*program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SCRIPT ERROR" not in done.stderr, done.stderr
    return [line for line in map(str.strip, done.stdout.splitlines()) if line and not line.startswith("#")], done.stderr


def lines_of(program: Program, *arguments: str | Path) -> list[str]:
    return output_of(program, *arguments)[0]


@pytest.mark.parametrize("token", ["", "s3cret"], ids=["without a token", "with a token"])
def test_the_addon_passes(program: Program, tmp_path: Path, token: str) -> None:
    assert run_client((*program, str(tmp_path)), token=token) == PASSED


@pytest.mark.parametrize(("token", "shown"), [("s3cret", ""), ("", "s3cret")], ids=["one is wanted", "none is wanted"])
def test_another_mechanism_is_an_auth_error(program: Program, tmp_path: Path, token: str, shown: str) -> None:
    failed, *rest = run_client((*program, str(tmp_path)), token=token, shown=shown)
    assert failed.startswith("failed connect: ")
    assert "auth" in failed
    assert rest == ["exit 1"]


def test_the_addon_reads_and_writes_the_golden_frames(program: Program, tmp_path: Path) -> None:
    lines = lines_of(program, tmp_path, "vectors", Path(vectors.__file__).parent)
    counts = len(vectors.load_valid()), len(vectors.load_invalid())
    assert lines == [f"ok vectors {counts[0]} valid, {counts[1]} invalid, 6 hostile"]


class Serve(Protocol):
    def __call__(self, *parts: Part) -> str: ...


def text(said: str) -> bytes:
    return message({"type": "text", "request_id": "g-1", "text": said})


def finished(said: str) -> bytes:
    return message({"type": "finished", "request_id": "g-1", "text": said, "finish_reason": "stop"})


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that plays one part for each connection in turn and then closes; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(*parts: Part) -> str:
        def play() -> None:
            for part in parts:
                peer, _ = listener.accept()
                with peer:
                    part(peer)

        threads.append(threading.Thread(target=play, daemon=True))
        threads[0].start()
        return str(listener.getsockname()[1])

    with listener:
        yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def rest(peer: socket.socket) -> None:
    """Reads until the client hangs up, so that it is the client who ends it."""
    peer.settimeout(60)
    while peer.recv(65_536):
        pass


def hang_up(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_RDWR)


def garble(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    rest(peer)


def flood(peer: socket.socket) -> None:
    shake_hands(peer)
    peer.sendall(b"\1\0" * 40)
    rest(peer)


def overgrow(peer: socket.socket) -> None:
    shake_hands(peer)
    peer.sendall(b"\2" + (2**40).to_bytes(8, "big"))
    rest(peer)


def misspell(peer: socket.socket) -> None:
    welcome(peer)
    peer.sendall(text("Well, ") + message({"type": "text", "request_id": "g-1"}))
    rest(peer)


def break_off(peer: socket.socket) -> None:
    welcome(peer)
    peer.sendall(text("Well, "))


def end_twice(peer: socket.socket) -> None:
    welcome(peer)
    peer.sendall(text("Well.") + finished("Well.") + text("More") + finished("More"))
    peer.sendall(message({"type": "goodbye", "reason": "shutdown"}))
    rest(peer)


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        pytest.param(rest, ["disconnected connection_lost after 0 ends"], id="silent"),
        pytest.param(hang_up, ["disconnected auth after 0 ends"], id="closes before its greeting"),
        pytest.param(garble, ["disconnected protocol after 0 ends"], id="not ZMTP"),
        pytest.param(flood, ["disconnected protocol after 0 ends"], id="endless frames"),
        pytest.param(overgrow, ["disconnected protocol after 0 ends"], id="a frame of a terabyte"),
        pytest.param(
            misspell, ["connected", "failed protocol", "disconnected protocol after 1 ends"], id="a field is missing"
        ),
        pytest.param(
            break_off,
            ["connected", "failed connection_lost", "disconnected connection_lost after 1 ends"],
            id="breaks off within a reply",
        ),
        pytest.param(
            end_twice,
            ["connected", "finished Well.", "disconnected connection_lost after 1 ends"],
            id="ends a reply twice",
        ),
    ],
)
def test_a_server_that_misbehaves_ends_in_one_error(
    program: Program,
    tmp_path: Path,
    serve: Serve,
    part: Part,
    lines: list[str],
) -> None:
    printed = lines_of(program, tmp_path, "probe", "127.0.0.1", serve(part), "")
    assert [line.partition(":")[0] for line in printed] == lines


def test_an_error_that_nobody_listens_for_is_a_warning(program: Program, tmp_path: Path, serve: Serve) -> None:
    _, complaints = output_of(program, tmp_path, "probe", "127.0.0.1", serve(end_twice), "")
    warnings = [line.partition("npc_sdk: ")[2] for line in complaints.splitlines() if "npc_sdk: " in line]
    assert warnings == ["state: the server does not know 'state' (it is older than this client)"]


KEY = {"resume": "0123456789abcdef01234567", "resume_s": 60.0}


def welcome_with_a_key(peer: socket.socket) -> None:
    """As welcome, breaking off in the midst of the reply."""
    welcome(peer, **KEY)
    peer.sendall(text("Well"))


def come_back(peer: socket.socket, **fields: object) -> None:
    """What the second connection begins with; its hello is the client's fifth message, or a later one."""
    shake_hands(peer)
    hello = msgpack.unpackb(hear(peer, 1))
    assert (hello["resume"], hello["heard"] > 0) == (KEY["resume"], True)
    npcs = [{"npc_id": "mara", "name": "Mara"}]
    known = {"protocol": 1, "server": "fake", "capabilities": [], "limits": LIMITS, "npcs": npcs, **KEY}
    peer.sendall(message({"type": "welcome", "ref": hello["ref"], **known, **fields}))


def go_on(peer: socket.socket) -> None:
    come_back(peer, resumed=True, heard=0)
    hear(peer, 3)  # a ping, the talk and the say, once more
    peer.sendall(text(".") + finished("Well."))
    peer.sendall(message({"type": "goodbye", "reason": "shutdown"}))
    rest(peer)


def know_nothing(peer: socket.socket) -> None:
    come_back(peer, resumed=False)
    rest(peer)


def have_heard_too_much(peer: socket.socket) -> None:
    come_back(peer, resumed=True, heard=99)
    rest(peer)


LOST = ["connected", "failed connection_lost", "disconnected connection_lost after 1 ends"]


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        pytest.param([go_on], ["connected", "finished Well.", LOST[-1]], id="goes on"),
        pytest.param([hang_up, go_on], ["connected", "finished Well.", LOST[-1]], id="goes on at the second attempt"),
        # the new connection begins at once; the probe leaves at the first loss
        pytest.param([know_nothing], [*LOST, "connected", "finished"], id="is not known"),
        pytest.param([have_heard_too_much], LOST, id="has heard too much"),
    ],
)
def test_a_reply_goes_on_after_a_break_or_ends_once(
    program: Program, tmp_path: Path, serve: Serve, parts: list[Part], lines: list[str]
) -> None:
    printed = lines_of(program, tmp_path, "probe", "127.0.0.1", serve(welcome_with_a_key, *parts), "")
    assert [line.partition(":")[0] for line in printed] == lines


@pytest.mark.parametrize("is_there", [True, False], ids=["cannot be read", "is not there"])
def test_a_token_file_that_cannot_be_read_is_told_where_nobody_is_let_in(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, is_there: bool
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    port = serve(hang_up)
    file = tmp_path / "npc-sdk" / f"{port}.token"
    file.parent.mkdir()
    if is_there:
        file.mkdir()  # nobody can read a folder, not even root
    (told,) = lines_of(program, tmp_path / "project", "probe", "127.0.0.1", port, "")
    assert told.startswith("disconnected auth ")
    assert (f"'{file}' cannot be read" in told) == is_there


def test_nobody_listens(program: Program, tmp_path: Path) -> None:
    with dead_port() as port:
        printed = lines_of(program, tmp_path, "probe", "127.0.0.1", str(port), "")
    assert printed == [
        f"disconnected connection_lost after 0 ends: nobody answers at 127.0.0.1:{port} (is npc serve running there?)"
    ]


def test_nodes_end_every_request_once_also_at_the_edges_of_their_lives(program: Program, tmp_path: Path) -> None:
    lines = run_client((*program, str(tmp_path), "nodes"), token="s3cret")
    assert lines[-1] == "done", lines
    assert len(lines) == 31


def test_the_example_plays(program: Program, tmp_path: Path) -> None:
    lines = run_client((*program, str(tmp_path), "example"), token="s3cret")
    assert lines == ["connected to: Mara, Pip", "said: Good day to you. Come in."]
