"""The Godot addon in a real engine: the script that every client must pass, golden frames, servers that misbehave."""

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
from game_bridge.plugins import godot
from game_bridge.plugins.godot.__main__ import main
from game_bridge.plugins.godot.conformance.__main__ import ENGINE

pytestmark = pytest.mark.engines

PROGRAM = (sys.executable, "-m", "game_bridge.plugins.godot.conformance")
HERE = Path(godot.__file__).parent
GREETING = bytes.fromhex("ff00000000000000007f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
READY = bytes.fromhex("0429055245414459") + b"\x0bSocket-Type\0\0\0\6ROUTER\x08Identity\0\0\0\0"
LIMITS = next(row for row in vectors.load_valid() if row.name == "welcome").body["limits"]

Part: TypeAlias = Callable[[socket.socket], object]

needs_engine = pytest.mark.skipif(
    shutil.which(ENGINE) is None, reason=f"{ENGINE} is not installed (Debian: apt-get install {ENGINE})"
)


def lines_of(*arguments: str | Path) -> list[str]:
    """What the program prints but for remarks."""
    command = [*PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SCRIPT ERROR" not in done.stderr, done.stderr
    return [line for line in map(str.strip, done.stdout.splitlines()) if line and not line.startswith("#")]


@needs_engine
@pytest.mark.parametrize("token", ["", "s3cret"], ids=["without a token", "with a token"])
def test_the_addon_passes(tmp_path: Path, token: str) -> None:
    assert run_client((*PROGRAM, str(tmp_path)), token=token) == PASSED


@needs_engine
@pytest.mark.parametrize(("token", "shown"), [("s3cret", ""), ("", "s3cret")], ids=["one is wanted", "none is wanted"])
def test_another_mechanism_is_an_auth_error(tmp_path: Path, token: str, shown: str) -> None:
    failed, *rest = run_client((*PROGRAM, str(tmp_path)), token=token, shown=shown)
    assert failed.startswith("failed connect: ")
    assert "auth" in failed
    assert rest == ["exit 1"]


@needs_engine
def test_the_addon_reads_and_writes_the_golden_frames(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, "vectors", Path(vectors.__file__).parent)
    counts = len(vectors.load_valid()), len(vectors.load_invalid())
    assert lines == [f"ok vectors {counts[0]} valid, {counts[1]} invalid, 6 hostile"]


class Serve(Protocol):
    def __call__(self, *parts: Part) -> str: ...


def message(body: object) -> bytes:
    """A map as a frame of one byte's length, or of eight."""
    data: bytes = msgpack.packb(body)
    return (b"\0" + bytes([len(data)]) if len(data) < 256 else b"\2" + len(data).to_bytes(8, "big")) + data


def hear(peer: socket.socket, count: int) -> bytes:
    """Reads until so many frames of a message came, all shorter than 256 bytes; the last of them."""
    frame = b""
    while count > 0:
        flags, size = peer.recv(2, socket.MSG_WAITALL)
        frame = peer.recv(size, socket.MSG_WAITALL)
        count -= flags & 4 == 0
    return frame


def shake_hands(peer: socket.socket) -> None:
    peer.sendall(GREETING)
    peer.recv(64, socket.MSG_WAITALL)
    peer.sendall(READY)


def welcome(peer: socket.socket, **more: object) -> None:
    """Hello, its welcome, a talk, its talking, and a say that is still open. A ping comes along."""
    shake_hands(peer)
    hear(peer, 1)
    npcs = [{"npc_id": "mara", "name": "Mara"}]
    fields = {"protocol": 1, "server": "fake", "capabilities": [], "limits": LIMITS, "npcs": npcs}
    peer.sendall(message({"type": "welcome", "ref": 1, **fields, **more}))
    hear(peer, 1)
    talking = {"type": "talking", "session_id": "s", "npc_id": "mara", "greeting": ""}
    # the ping and the talk may come in either order
    for ref in (2, 3):
        peer.sendall(message({**talking, "ref": ref}))
    hear(peer, 2)


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


@needs_engine
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
    tmp_path: Path,
    serve: Serve,
    part: Part,
    lines: list[str],
) -> None:
    printed = lines_of(tmp_path, "probe", "127.0.0.1", serve(part), "")
    assert [line.partition(":")[0] for line in printed] == lines


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


@needs_engine
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
    tmp_path: Path, serve: Serve, parts: list[Part], lines: list[str]
) -> None:
    printed = lines_of(tmp_path, "probe", "127.0.0.1", serve(welcome_with_a_key, *parts), "")
    assert [line.partition(":")[0] for line in printed] == lines


@needs_engine
@pytest.mark.parametrize("is_there", [True, False], ids=["cannot be read", "is not there"])
def test_a_token_file_that_cannot_be_read_is_told_where_nobody_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, is_there: bool
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    port = serve(hang_up)
    file = tmp_path / "npc-sdk" / f"{port}.token"
    file.parent.mkdir()
    if is_there:
        file.mkdir()  # nobody can read a folder, not even root
    (told,) = lines_of(tmp_path / "project", "probe", "127.0.0.1", port, "")
    assert told.startswith("disconnected auth ")
    assert (f"'{file}' cannot be read" in told) == is_there


@needs_engine
def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    printed = lines_of(tmp_path, "probe", "127.0.0.1", port, "")
    assert printed == [
        f"disconnected connection_lost after 0 ends: nobody answers at 127.0.0.1:{port} (is npc serve running there?)"
    ]


@pytest.mark.parametrize(
    ("project", "asked", "version"),
    [
        pytest.param("config_version=4\n", [], "3", id="a project of Godot 3"),
        pytest.param("; Godot\nconfig_version = 5\n", [], "4", id="a project of Godot 4"),
        pytest.param("config_version=4\n", ["--godot", "3"], "3", id="both agree"),
        pytest.param("", ["--godot", "3"], "3", id="it does not say, 3 is asked"),
        pytest.param("", ["--godot", "4"], "4", id="it does not say, 4 is asked"),
    ],
)
def test_installing_puts_all_files_of_a_version_into_a_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str, asked: list[str], version: str
) -> None:
    (tmp_path / "project.godot").write_text(project, encoding="utf-8")
    assert main([str(tmp_path), *asked]) == 0
    assert f"Godot {version}" in capsys.readouterr().out
    installed = (tmp_path / godot.ADDON / "platform.gd").read_bytes()
    assert installed == (HERE / f"godot{version}" / "platform.gd").read_bytes()
    names = {file.name for file in (tmp_path / godot.ADDON).iterdir()}
    assert {"npc_world.gd", "npc.gd", "platform.gd", "world_base.gd", "link.gd"} <= names
    assert "preload" in (tmp_path / godot.ADDON / "link.gd").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("project", "asked", "told"),
    [
        pytest.param("config_version=4\n", ["--godot", "4"], "Godot 3, not 4", id="4 into 3"),
        pytest.param("config_version=5\n", ["--godot", "3"], "Godot 4, not 3", id="3 into 4"),
        pytest.param("config_version=99\n", [], "--godot 3 or --godot 4", id="a version that nobody knows"),
        pytest.param("[application]\n", [], "--godot 3 or --godot 4", id="no version"),
    ],
)
def test_an_addon_of_another_version_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str, asked: list[str], told: str
) -> None:
    (tmp_path / "project.godot").write_text(project, encoding="utf-8")
    assert main([str(tmp_path), *asked]) == 2
    assert told in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["project.godot"]


def test_the_example_takes_the_addon_that_it_needs(tmp_path: Path) -> None:
    shutil.copytree(HERE / "example", tmp_path, dirs_exist_ok=True)
    assert main([str(tmp_path)]) == 0
    assert "PAUSE_MODE_PROCESS" in (tmp_path / godot.ADDON / "platform.gd").read_text(encoding="utf-8")


def test_installing_into_what_is_no_project_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "project.godot" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@needs_engine
def test_nodes_end_every_request_once_also_at_the_edges_of_their_lives(tmp_path: Path) -> None:
    lines = run_client((*PROGRAM, str(tmp_path), "nodes"), token="s3cret")
    assert lines[-1] == "done", lines
    assert len(lines) == 15


@needs_engine
def test_the_example_plays(tmp_path: Path) -> None:
    lines = run_client((*PROGRAM, str(tmp_path), "example"), token="s3cret")
    assert lines == ["connected to: [Mara, Pip]", "said: Good day to you. Come in."]


def names_of(source: str) -> set[str]:
    return {line.partition("(")[0] for line in source.splitlines() if line.startswith("static func")}


def test_both_versions_have_the_same_files_and_functions() -> None:
    old, new = HERE / "godot3", HERE / "godot4"
    files = {file.name for file in old.iterdir()}
    assert files == {file.name for file in new.iterdir()}
    platforms = [names_of((folder / "platform.gd").read_text(encoding="utf-8")) for folder in (old, new)]
    assert platforms[0] == platforms[1]
    assert platforms[0]
