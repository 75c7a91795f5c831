"""The C++ client: builds without a warning, reads the golden frames, ends every request, passes the shared script."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import msgpack
import pytest

import game_bridge
from game_bridge.conformance.run import PASSED, run_client

from .bad_server import OPENED, bad_server, frame, keyed
from .bad_server import play as play_turns
from .bare_server import LIMITS, hear, message, shake_hands

# compilers and clients have a patience of their own
pytestmark = [pytest.mark.engines, pytest.mark.timeout(1_200)]

_BRIDGE = Path(game_bridge.__file__).parent
_CPP = _BRIDGE / "plugins" / "cpp"
_STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{_CPP / 'include'}"]
_SANITIZED = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
_BUILD_S = 600.0
_RUN_S = 180.0
_PEER_S = 60.0


def compiled(compiler: str, source: str, target: Path, options: Sequence[str]) -> Path:
    """Skips the test where the compiler is missing; .ci/run installs both."""
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"{compiler} is not installed")
    command = [found, *_STRICT, *options, str(_CPP / source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return target


def lines_of(program: Path, *arguments: str) -> list[str]:
    command = [str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.splitlines()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The conformance program, which stops at the first wrong access to memory."""
    return compiled("g++", "conformance/main.cpp", tmp_path_factory.mktemp("cpp") / "conformance", _SANITIZED)


@pytest.mark.parametrize("token", [pytest.param("", id="anonymous"), pytest.param("a-token-of-this-test", id="token")])
def test_the_cpp_client_passes_the_conformance_script(program: Path, token: str) -> None:
    assert run_client([str(program)], token=token) == PASSED


@pytest.mark.parametrize(("token", "shown"), [("s3cret", ""), ("", "s3cret")], ids=["one is wanted", "none is wanted"])
def test_another_mechanism_is_an_auth_error(program: Path, token: str, shown: str) -> None:
    failed, *rest = run_client([str(program)], token=token, shown=shown)
    assert failed.startswith("failed connect: ")
    assert "auth" in failed
    assert rest == ["exit 1"]


def test_the_cpp_client_reads_the_golden_frames_and_refuses_hostile_ones(program: Path) -> None:
    (summary,) = lines_of(program, "vectors", str(_BRIDGE / "vectors"))
    assert summary.endswith("passed, 0 failed")


def test_every_request_of_the_cpp_client_ends_once(program: Path) -> None:
    assert all(line.startswith("ok ") for line in lines_of(program, "promises"))


def test_clang_builds_the_same_client(tmp_path: Path) -> None:
    built = compiled("clang++", "conformance/main.cpp", tmp_path / "conformance", ["-O1"])
    (summary,) = lines_of(built, "vectors", str(_BRIDGE / "vectors"))
    assert summary.endswith("passed, 0 failed")


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_example_plays_when_built_without_exceptions_and_rtti(compiler: str, tmp_path: Path) -> None:
    engine = ["-O0", "-fno-exceptions", "-fno-rtti", "-Wshadow"]
    built = compiled(compiler, "example/talk.cpp", tmp_path / "talk", engine)
    player = ["sh", "-c", f'echo Hello. | "{built}" "$1" "$2" "$3" mara', "talk"]
    assert run_client(player) == ["What do you want?", "Good day to you. Come in."]


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The example."""
    return str(compiled("g++", "example/talk.cpp", tmp_path_factory.mktemp("talk") / "talk", ["-O0", "-pthread"]))


def test_an_npc_that_there_is_not_ends_the_example_with_an_error(talk: str) -> None:
    told, status = run_client(["sh", "-c", f'"{talk}" "$1" "$2" "$3" nobody', "talk"], token="s3cret")
    assert told.startswith("[unknown_npc: ")
    assert status == "exit 1"


@pytest.mark.parametrize("shown", [pytest.param("another", id="wrong"), pytest.param("", id="missing")])
def test_a_token_that_does_not_do_ends_the_example_with_an_error(talk: str, shown: str) -> None:
    player = ["sh", "-c", f'"{talk}" "$1" "$2" "$3" mara', "talk"]
    told, status = run_client(player, token="s3cret", shown=shown)
    assert told.startswith("[auth: ")
    assert status == "exit 1"


def hear_until(peer: socket.socket, kind: str, count: int = 1) -> dict[str, Any]:
    """Reads so many messages of a kind; the last of them."""
    body: dict[str, Any] = {}
    while count > 0:
        body = msgpack.unpackb(hear(peer, 1))
        count -= body["type"] == kind
    return body


def player_types(keys: IO[str], line: str) -> None:
    """And goes away."""
    keys.write(f"{line}\n")
    keys.close()


def play(peer: socket.socket, is_thinking: Callable[[], object]) -> None:
    """A server whose player thinks until a few heartbeats have come."""
    shake_hands(peer)
    limits = {**LIMITS, "heartbeat_s": 0.05, "idle_s": _PEER_S}
    known = {"protocol": 1, "server": "fake", "capabilities": [], "limits": limits, "npcs": []}
    peer.sendall(message({"type": "welcome", "ref": hear_until(peer, "hello")["ref"], **known}))
    talking = {"type": "talking", "session_id": "s", "npc_id": "mara", "greeting": "Yes?"}
    peer.sendall(message({**talking, "ref": hear_until(peer, "talk")["ref"]}))
    hear_until(peer, "ping", 5)
    is_thinking()
    said = hear_until(peer, "say")
    end = {"type": "finished", "request_id": said["request_id"], "text": "", "finish_reason": "stop"}
    peer.sendall(message(end))
    peer.sendall(message({"type": "goodbye", "reason": "bye", "ref": hear_until(peer, "bye")["ref"]}))


def test_a_player_of_the_example_may_think_for_as_long_as_they_like(talk: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PEER_S)
        command = [talk, "127.0.0.1", str(listener.getsockname()[1]), "", "mara"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as player:
            keys = player.stdin
            assert keys is not None
            # before the end of the input, should the server give up
            giving_up = threading.Timer(2 * _PEER_S, player.kill)
            giving_up.start()
            try:
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(_PEER_S)
                    play(peer, lambda: player_types(keys, "Hello."))
                assert player.wait(_PEER_S) == 0
            finally:
                giving_up.cancel()
                player.kill()


def test_a_line_of_the_cpp_client_is_judged_by_what_was_heard(program: Path) -> None:
    """A game stood still for an hour, twice; then the server is silent for some beats: a break as any other."""
    has_answered = threading.Event()

    def answers_and_falls_silent(peer: socket.socket) -> None:
        state_ok = frame({"type": "state_ok", "ref": 2})
        play_turns(
            peer, ((b"", OPENED), (b"hello", keyed(1, capabilities=["resume", "state"])), (b"weather", state_ok))
        )
        has_answered.set()
        while peer.recv(65536):
            pass

    def goes_on(peer: socket.socket) -> None:
        shake_hands(peer)
        peer.sendall(keyed(hear_until(peer, "hello")["ref"], resumed=True, heard=0))
        while peer.recv(65536):
            pass

    with bad_server(answers_and_falls_silent, goes_on) as port:
        command = [str(program), "patience", str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as game:
            giving_up = threading.Timer(_RUN_S, game.kill)
            giving_up.start()
            assert has_answered.wait(_PEER_S)
            told, _ = game.communicate("\n")
            giving_up.cancel()
    yes = ["connected yes", "answer taken", "sound yes", "interrupted yes", "resumed yes"]
    assert told.splitlines() == [*yes, "lost "]


@pytest.mark.parametrize("header", sorted(path.name for path in (_CPP / "include" / "npc").glob("*.hpp")))
def test_no_file_of_the_client_is_longer_than_a_reader_likes(header: str) -> None:
    lines = (_CPP / "include" / "npc" / header).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 120
