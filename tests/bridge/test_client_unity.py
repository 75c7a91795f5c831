"""The Unity client's core under mono: golden frames, the conformance script, and servers that mean no good."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgpack
import pytest

import game_bridge
from game_bridge.conformance.run import PASSED, run_client

_PLUGIN = Path(game_bridge.__file__).parent / "plugins" / "unity"
_VECTORS = Path(game_bridge.__file__).parent / "vectors"
_TOOLS = ("mcs", "mono")
_BUILD_S = 300.0
_RUN_S = 180.0
_PEER_S = 60.0

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),  # the compiler and the clients have a patience of their own
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in _TOOLS),
        reason="needs mcs and mono (Debian: mono-mcs mono-runtime libmono-system-core4.0-cil); CI installs them",
    ),
]


def _build(built: Path, *patterns: str, more: Sequence[Path] = ()) -> tuple[str, ...]:
    """A warning of the compiler is an error."""
    sources = [str(path) for pattern in patterns for path in sorted(_PLUGIN.glob(pattern))]
    command = ["mcs", "-langversion:7.2", "-warnaserror", "-warn:4", f"-out:{built}", *sources, *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return ("mono", str(built))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The core and its conformance program."""
    built = tmp_path_factory.mktemp("unity") / "conformance.exe"
    return _build(built, "Runtime/Core/*.cs", "Conformance~/*.cs")


@pytest.mark.parametrize("token", ["", "s3cret"], ids=["without a token", "with a token"])
def test_it_passes_the_conformance_script(program: tuple[str, ...], token: str) -> None:
    assert run_client(program, token=token) == PASSED


@pytest.mark.parametrize(("token", "shown"), [("s3cret", ""), ("", "s3cret")], ids=["one is wanted", "none is wanted"])
def test_another_mechanism_is_an_auth_error(program: tuple[str, ...], token: str, shown: str) -> None:
    failed, *rest = run_client(program, token=token, shown=shown)
    assert failed.startswith("failed connect: ")
    assert "auth" in failed
    assert rest == ["exit 1"]


def test_it_reads_and_writes_the_golden_frames(program: tuple[str, ...]) -> None:
    done = subprocess.run([*program, "vectors", str(_VECTORS)], capture_output=True, text=True, timeout=_RUN_S)
    assert done.stdout.splitlines()[-1] == "done", done.stdout + done.stderr
    assert done.returncode == 0


def test_it_stands_what_a_game_may_do(program: tuple[str, ...]) -> None:
    lines = run_client([*program, "habits"], token="s3cret")
    assert lines[-1] == "done", lines
    assert len(lines) > 1


def test_the_example_talks(tmp_path: Path) -> None:
    lines = run_client(_build(tmp_path / "talk.exe", "Runtime/Core/*.cs", "Examples/*.cs"), token="s3cret")
    assert lines[:1] == ["Mara: What do you want?"]
    assert lines[-2:] == ["Mara does: give_item sword", "Mara: Here you are."]


def test_the_core_knows_nothing_of_unity() -> None:
    core = list(_PLUGIN.glob("Runtime/Core/*.cs"))
    assert core
    assert not [path.name for path in core if "UnityEngine" in path.read_text(encoding="utf-8")]


_GREETING = bytes.fromhex("ff00000000000000017f03") + b"\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_PLAIN = _GREETING.replace(b"NULL\0", b"PLAIN")
_READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00"
_OPENED = _GREETING + _READY
_LIMITS = {"heartbeat_s": 0.2, "idle_s": 1.0, "reply_timeout_s": 60.0}


def _frame(body: dict[str, object]) -> bytes:
    data: bytes = msgpack.packb(body)
    return bytes([2]) + len(data).to_bytes(8, "big") + data


def _welcome(**limits: object) -> bytes:
    cast = [{"npc_id": "mara", "name": "Mara"}]
    body = {"type": "welcome", "ref": 1, "protocol": 1, "server": "bad", "capabilities": ["images"], "npcs": cast}
    return _frame({**body, "limits": {**_LIMITS, **limits}})


_TALKING = _frame({"type": "talking", "ref": 2, "session_id": "s-1", "npc_id": "mara", "greeting": ""})
_TEXT = _frame({"type": "text", "request_id": "q-1", "text": "Good "})
_PONG = _frame({"type": "pong"})
_PING = b"\x04\x07\x04PING\x00\x00"

Behaviour = Callable[[socket.socket], None]
Turn = tuple[bytes, bytes]  # what is waited for, and what is sent then

_WELCOMED: tuple[Turn, ...] = ((b"", _OPENED), (b"hello", _welcome()))
_TALKED: tuple[Turn, ...] = (*_WELCOMED, (b"talk", _TALKING))
_PATIENT: tuple[Turn, ...] = ((b"", _OPENED), (b"hello", _welcome(idle_s=60.0)), (b"talk", _TALKING))


def _play(peer: socket.socket, turns: Sequence[Turn]) -> None:
    for awaited, data in turns:
        heard = b""
        while awaited not in heard:
            piece = peer.recv(4096)
            if not piece:
                return
            heard += piece
        peer.sendall(data)


def _sends(data: bytes = b"", *, turns: Sequence[Turn] = ()) -> Behaviour:
    """Sends, and reads until the client has had enough."""

    def serve(peer: socket.socket) -> None:
        _play(peer, [*turns, (b"", data)])
        while peer.recv(65536):
            pass

    return serve


def _closes_after(turns: Sequence[Turn]) -> Behaviour:
    def serve(peer: socket.socket) -> None:
        _play(peer, turns)

    return serve


def _beats_after(turns: Sequence[Turn], beat: bytes) -> Behaviour:
    """Reads nothing any more; goes on with beats until the client closes."""

    def serve(peer: socket.socket) -> None:
        _play(peer, turns)
        for _ in range(600):
            peer.sendall(beat)
            time.sleep(0.1)

    return serve


def _hangs_up(peer: socket.socket) -> None:
    peer.recv(64)


def _drips(peer: socket.socket) -> None:
    for number in range(64):
        peer.sendall(_GREETING[number : number + 1])
        time.sleep(0.2)


def _floods_pings(peer: socket.socket) -> None:
    _play(peer, _WELCOMED)
    while True:
        peer.sendall(_PING * 1_000)


@contextmanager
def bad_server(*behaviours: Behaviour) -> Iterator[int]:
    """Serves one connection after the other in these ways, and then nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(_PEER_S)

        def serve() -> None:
            for left, behaviour in zip(range(len(behaviours) - 1, -1, -1), behaviours, strict=True):
                with suppress(OSError):
                    peer, _ = listening.accept()
                    if left == 0:
                        listening.close()
                    with peer, suppress(OSError):
                        peer.settimeout(_PEER_S)
                        behaviour(peer)

        port = int(listening.getsockname()[1])
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            thread.join(_RUN_S)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(_sends(b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 80), "protocol", id="something else listens"),
        pytest.param(_sends(_PLAIN), "auth", id="wants a token"),
        pytest.param(_sends(_GREETING + b"\x04\x0a\x05ERROR\x03400"), "auth", id="refuses"),
        pytest.param(_sends(b""), "connection_lost", id="says nothing"),
        pytest.param(_drips, "connection_lost", id="a byte now and then"),
        pytest.param(_sends(_OPENED), "connection_lost", id="no welcome"),
        pytest.param(_sends(_OPENED + b"\x02" + b"\xff" * 8), "protocol", id="a frame of 16 exabytes"),
        pytest.param(_sends(_OPENED + b"\x02" + (2**24 + 1).to_bytes(8, "big")), "protocol", id="over 16 MB"),
        pytest.param(_sends(_OPENED + b"\x01\x00" * 1_000), "protocol", id="endless frames"),
        pytest.param(_sends(_OPENED + b"\x05\x00"), "protocol", id="a command with more"),
        pytest.param(_sends(_OPENED + b"\xff\x00"), "protocol", id="flags that there are not"),
        pytest.param(_sends(_OPENED + b"\x00\x01\xc1"), "protocol", id="no msgpack"),
        pytest.param(_sends(_OPENED + b"\x00\x05\xdf\xff\xff\xff\xff"), "protocol", id="a map of four billion"),
        pytest.param(_sends(_OPENED + b"\x00\xfa" + b"\x91" * 250), "protocol", id="nested deeply"),
        pytest.param(_sends(_OPENED + b"\x01\x00\x00\x00"), "protocol", id="two frames"),
        pytest.param(_sends(_OPENED + _frame({"type": "welcome"})), "protocol", id="half a welcome"),
        pytest.param(_sends(_OPENED + _welcome(idle_s="long")), "protocol", id="a word for a number"),
        pytest.param(_closes_after(_WELCOMED), "connection_lost", id="gone after the welcome"),
        pytest.param(_sends(turns=_WELCOMED), "connection_lost", id="answers nothing"),
        pytest.param(_sends(turns=_TALKED), "connection_lost", id="silent for too long"),
        pytest.param(_closes_after((*_TALKED, (b"say", _TEXT))), "connection_lost", id="gone in a reply"),
        pytest.param(_beats_after(_PATIENT, _PONG), "connection_lost after dispose", id="reads and answers nothing"),
        pytest.param(_floods_pings, "connection_lost", id="a flood of PINGs"),
    ],
)
def test_a_bad_server_costs_the_connection_and_nothing_else(
    program: tuple[str, ...], behaviour: Behaviour, code: str
) -> None:
    assert meet(program, "hostile", behaviour) == code


def meet(program: tuple[str, ...], mode: str, *behaviours: Behaviour) -> str:
    """How the client's one reply, or its connection, ended there. Nothing of the client is left."""
    with bad_server(*behaviours) as port:
        command = [*program, mode, "127.0.0.1", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_S)
    error, *rest = done.stdout.splitlines()
    assert rest == ["disposed in time", "state Closed", "threads 0"], done.stderr
    return error.removeprefix("error ")


def test_a_server_of_another_mechanism_that_just_hangs_up_is_an_auth_error(program: tuple[str, ...]) -> None:
    assert meet(program, "hostile", _hangs_up, _hangs_up) == "auth"


_DIALS = """\
public static class Dials
{
    public static void Main(string[] arguments)
    {
        using (var client = new NpcBridge.NpcClient(new NpcBridge.NpcClientOptions { Port = int.Parse(arguments[0]) }))
            try { client.ConnectAsync().GetAwaiter().GetResult(); }
            catch (NpcBridge.NpcException error) { System.Console.WriteLine(error); }
    }
}
"""


@pytest.mark.parametrize("is_there", [True, False], ids=["cannot be read", "is not there"])
def test_a_token_file_that_cannot_be_read_is_told_where_nobody_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    monkeypatch.delenv("NPC_SERVER_TOKEN", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "Dials.cs").write_text(_DIALS, encoding="utf-8")
    command = _build(tmp_path / "dials.exe", "Runtime/Core/*.cs", more=[tmp_path / "Dials.cs"])
    with bad_server(_hangs_up, _hangs_up) as port:
        file = tmp_path / "npc-sdk" / f"{port}.token"
        file.parent.mkdir()
        if is_there:
            file.mkdir()  # nobody can read a folder, not even root
        done = subprocess.run([*command, str(port)], capture_output=True, text=True, timeout=_RUN_S, check=True)
    assert done.stdout.startswith("auth: ")
    assert (f"'{file}' cannot be read" in done.stdout) == is_there


_KEY = "0123456789abcdef01234567"


def _keyed(ref: int, **fields: object) -> bytes:
    """A welcome whose connection may break."""
    limits = {**_LIMITS, "idle_s": 60.0}
    body = {"type": "welcome", "ref": ref, "protocol": 1, "server": "bad", "capabilities": ["resume"], "npcs": []}
    return _frame({**body, "limits": limits, "resume": _KEY, "resume_s": 60.0, **fields})


_BREAKS = _closes_after(((b"", _OPENED), (b"hello", _keyed(1)), (b"talk", _TALKING), (b"say", _TEXT)))
_FINISHED = _frame({"type": "finished", "request_id": "q-1", "text": "Good day.", "finish_reason": "stop"})


def _goes_on_after(*turns: Turn) -> Behaviour:
    return _sends(turns=((b"", _OPENED), *turns))


@pytest.mark.parametrize(
    ("behaviours", "code"),
    [
        pytest.param(
            [_goes_on_after((b"heard", _keyed(4, resumed=True, heard=0)), (b"say", _FINISHED))], "none", id="goes on"
        ),
        pytest.param(
            [_hangs_up, _goes_on_after((b"heard", _keyed(4, resumed=True, heard=0)), (b"say", _FINISHED))],
            "none",
            id="goes on at the second attempt",
        ),
        pytest.param([_goes_on_after((b"heard", _keyed(4, resumed=False)))], "connection_lost", id="is not known"),
        pytest.param(
            [_goes_on_after((b"heard", _keyed(4, resumed=True, heard=99)))], "connection_lost", id="heard too much"
        ),
        pytest.param([_sends(_PLAIN)], "auth", id="wants a token now"),
        pytest.param([], "connection_lost", id="nobody listens"),
    ],
)
def test_a_reply_goes_on_after_a_break_or_ends_once(
    program: tuple[str, ...], behaviours: list[Behaviour], code: str
) -> None:
    assert meet(program, "fragile", _BREAKS, *behaviours) == code
