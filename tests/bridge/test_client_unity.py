"""The Unity client's core under mono: golden frames, the conformance script, and servers that mean no good."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgpack
import pytest

import game_bridge
from game_bridge.conformance.run import PASSED, run_client

from .bad_server import (
    GREETING,
    OPENED,
    PATIENT,
    PEER_S,
    PLAIN,
    PONG,
    RUN_S,
    TALKED,
    TALKING,
    TEXT,
    WELCOMED,
    Behaviour,
    bad_server,
    beats_after,
    closes_after,
    drips,
    floods_pings,
    frame,
    goes_on_after,
    hangs_up,
    keyed,
    play,
    sends,
    welcome,
)
from .bare_server import hear, shake_hands

_PLUGIN = Path(game_bridge.__file__).parent / "plugins" / "unity"
_VECTORS = Path(game_bridge.__file__).parent / "vectors"
_TOOLS = ("mcs", "mono")
_BUILD_S = 300.0

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
    done = subprocess.run([*program, "vectors", str(_VECTORS)], capture_output=True, text=True, timeout=RUN_S)
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


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(sends(b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 80), "protocol", id="something else listens"),
        pytest.param(sends(PLAIN), "auth", id="wants a token"),
        pytest.param(sends(GREETING + b"\x04\x0a\x05ERROR\x03400"), "auth", id="refuses"),
        pytest.param(sends(b""), "connection_lost", id="says nothing"),
        pytest.param(drips, "connection_lost", id="a byte now and then"),
        pytest.param(sends(OPENED), "connection_lost", id="no welcome"),
        pytest.param(sends(OPENED + b"\x02" + b"\xff" * 8), "protocol", id="a frame of 16 exabytes"),
        pytest.param(sends(OPENED + b"\x02" + (2**24 + 1).to_bytes(8, "big")), "protocol", id="over 16 MB"),
        pytest.param(sends(OPENED + b"\x01\x00" * 1_000), "protocol", id="endless frames"),
        pytest.param(sends(OPENED + b"\x05\x00"), "protocol", id="a command with more"),
        pytest.param(sends(OPENED + b"\xff\x00"), "protocol", id="flags that there are not"),
        pytest.param(sends(OPENED + b"\x00\x01\xc1"), "protocol", id="no msgpack"),
        pytest.param(sends(OPENED + b"\x00\x05\xdf\xff\xff\xff\xff"), "protocol", id="a map of four billion"),
        pytest.param(sends(OPENED + b"\x00\xfa" + b"\x91" * 250), "protocol", id="nested deeply"),
        pytest.param(sends(OPENED + b"\x01\x00\x00\x00"), "protocol", id="two frames"),
        pytest.param(sends(OPENED + frame({"type": "welcome"})), "protocol", id="half a welcome"),
        pytest.param(sends(OPENED + welcome(idle_s="long")), "protocol", id="a word for a number"),
        pytest.param(closes_after(WELCOMED), "connection_lost", id="gone after the welcome"),
        pytest.param(sends(turns=WELCOMED), "connection_lost", id="answers nothing"),
        pytest.param(sends(turns=TALKED), "connection_lost", id="silent for too long"),
        pytest.param(closes_after((*TALKED, (b"say", TEXT))), "connection_lost", id="gone in a reply"),
        pytest.param(beats_after(PATIENT, PONG), "connection_lost after dispose", id="reads and answers nothing"),
        pytest.param(floods_pings, "connection_lost", id="a flood of PINGs"),
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
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S)
    error, *rest = done.stdout.splitlines()
    assert rest == ["disposed in time", "state Closed", "threads 0"], done.stderr
    return error.removeprefix("error ")


def test_a_server_of_another_mechanism_that_just_hangs_up_is_an_auth_error(program: tuple[str, ...]) -> None:
    assert meet(program, "hostile", hangs_up, hangs_up) == "auth"


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
    with bad_server(hangs_up, hangs_up) as port:
        file = tmp_path / "npc-sdk" / f"{port}.token"
        file.parent.mkdir()
        if is_there:
            file.mkdir()  # nobody can read a folder, not even root
        done = subprocess.run([*command, str(port)], capture_output=True, text=True, timeout=RUN_S, check=True)
    assert done.stdout.startswith("auth: ")
    assert (f"'{file}' cannot be read" in done.stdout) == is_there


_BREAKS = closes_after(((b"", OPENED), (b"hello", keyed(1)), (b"talk", TALKING), (b"say", TEXT)))
# a server that only reads on: each beat leaves it two seconds to speak
_SLOW = {"heartbeat_s": 2.0, "idle_s": 60.0, "reply_timeout_s": 60.0}
_FALLS_SILENT = sends(turns=((b"", OPENED), (b"hello", keyed(1, limits=_SLOW)), (b"talk", TALKING), (b"say", TEXT)))
_FINISHED = frame({"type": "finished", "request_id": "q-1", "text": "Good day.", "finish_reason": "stop"})


@pytest.mark.parametrize(
    ("behaviours", "code"),
    [
        pytest.param(
            [goes_on_after((b"heard", keyed(4, resumed=True, heard=0)), (b"say", _FINISHED))], "none", id="goes on"
        ),
        pytest.param(
            [hangs_up, goes_on_after((b"heard", keyed(4, resumed=True, heard=0)), (b"say", _FINISHED))],
            "none",
            id="goes on at the second attempt",
        ),
        pytest.param([goes_on_after((b"heard", keyed(4, resumed=False)))], "connection_lost", id="is not known"),
        pytest.param(
            [goes_on_after((b"heard", keyed(4, resumed=True, heard=99)))], "connection_lost", id="heard too much"
        ),
        pytest.param([sends(PLAIN)], "auth", id="wants a token now"),
        pytest.param([], "connection_lost", id="nobody listens"),
    ],
)
def test_a_reply_goes_on_after_a_break_or_ends_once(
    program: tuple[str, ...], behaviours: list[Behaviour], code: str
) -> None:
    assert meet(program, "fragile", _BREAKS, *behaviours) == code


def test_a_line_that_falls_silent_is_a_break_as_any_other(program: tuple[str, ...]) -> None:
    goes_on = goes_on_after((b"heard", keyed(4, limits=_SLOW, resumed=True, heard=0)), (b"say", _FINISHED))
    assert meet(program, "fragile", _FALLS_SILENT, goes_on) == "none"


@contextmanager
def _playing(program: tuple[str, ...], mode: str, *behaviours: Behaviour) -> Iterator[tuple[IO[str], IO[str]]]:
    """What the client prints, and where to tell it to go on; it may then do so at its own pace."""
    with bad_server(*behaviours) as port:
        command = [*program, mode, "127.0.0.1", str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as game:
            assert game.stdin is not None
            assert game.stdout is not None
            giving_up = threading.Timer(RUN_S, game.kill)
            giving_up.start()
            try:
                yield game.stdout, game.stdin
            finally:
                giving_up.cancel()


def test_a_game_that_stood_still_hears_what_came_before_it_judges(program: tuple[str, ...]) -> None:
    """Neither the line nor a question is given up for time in which the client did not look."""
    has_answered = threading.Event()
    answer = frame({"type": "state_ok", "ref": 4}) + _FINISHED

    def serve(peer: socket.socket) -> None:
        hello = (b"hello", welcome(idle_s=5.0))
        play(peer, ((b"", OPENED), hello, (b"talk", TALKING), (b"say", TEXT), (b"weather", answer)))
        has_answered.set()
        beats_after((), PONG)(peer)

    with _playing(program, "stalled", serve) as (told, tell):
        assert has_answered.wait(PEER_S)
        tell.write("\n")
        tell.flush()
        assert told.read().splitlines() == ["reply none", "answer none", "state Connected"]


def _with_ref(peer: socket.socket) -> dict[str, Any]:
    """The next message but for beats."""
    body: dict[str, Any] = {}
    while "ref" not in body:
        body = msgpack.unpackb(hear(peer, 1))
    return body


def test_what_was_given_up_while_the_line_was_away_is_not_asked_again(program: tuple[str, ...]) -> None:
    """But for the leave; and a session that comes late is left."""
    is_given_up, has_all = threading.Event(), threading.Event()
    heard: list[dict[str, Any]] = []
    breaks = closes_after(((b"", OPENED), (b"hello", keyed(1, limits=_SLOW)), (b"talk", TALKING)))

    def hears_the_rest(peer: socket.socket) -> None:
        shake_hands(peer)
        hello = msgpack.unpackb(hear(peer, 1))
        assert is_given_up.wait(PEER_S)
        peer.sendall(keyed(hello["ref"], limits=_SLOW, resumed=True, heard=0))
        heard.extend(_with_ref(peer) for _ in range(4))
        late = {"type": "talking", "ref": heard[2]["ref"], "session_id": "s-9", "npc_id": "mara", "greeting": ""}
        peer.sendall(frame(late))
        heard.append(_with_ref(peer))
        has_all.set()

    with _playing(program, "regretful", breaks, hears_the_rest) as (told, tell):
        lines = [told.readline().strip() for _ in range(3)]
        is_given_up.set()
        assert has_all.wait(PEER_S), heard
        tell.write("\n")
        tell.flush()
        assert told.read() == ""
    assert lines == ["late connection_lost", "cancelled True", "left connection_lost"]
    assert [body["type"] for body in heard] == ["talk", "ping", "ping", "leave", "leave"]
    assert [body["session_id"] for body in heard[3:]] == ["s-1", "s-9"]
