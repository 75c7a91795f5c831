"""A conversation is recorded on its way, shown, and played again; damaged files are refused with the place."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
import zmq
import zmq.asyncio
from typer.testing import CliRunner

from game_bridge import message as wire
from game_bridge.attack.victim import Victim
from game_bridge.cli import app
from game_bridge.client import NpcClient
from game_bridge.server import BridgeServer
from game_bridge.trace.file import Record, TraceWriter, read_trace
from game_bridge.trace.outcome import Outcome, differences
from game_bridge.trace.record import Recorder
from game_bridge.trace.replay import Playing, replay
from game_bridge.trace.show import json_of, line_of
from npc_sdk.errors import AuthenticationFailed, ConnectionLost, ContentError, NpcError, SettingsError
from npc_sdk.messages import ImagePart

from .asking import dead_port
from .conftest import RawClient, quick_settings
from .fakes import FakePersona, FakeWorld

TOKEN = "s3cret-and-long"
PICTURE = b"\x89PNG" * 100


class Guest(RawClient):
    """Shows a token, if it has one, from its first connection on."""

    def __init__(self, address: str, token: str) -> None:
        self._context = zmq.asyncio.Context()
        self.socket = self._context.socket(zmq.DEALER)
        if token:
            self.socket.plain_username, self.socket.plain_password = b"game", token.encode()
        self.socket.connect(address)


async def converse(client: RawClient, *, picture: bool = False) -> None:
    """A talk with a call that the game accepts, and a second reply."""
    await client.hello()
    session_id = await client.talk()
    await client.send(wire.Say(request_id="q-1", session_id=session_id, text="tool"))
    call = await client.next()
    while not isinstance(call, wire.ToolCall):
        call = await client.next()
    await client.send(wire.ToolResult(session_id=session_id, call_id=call.call_id, status="accepted", content="here"))
    await client.until_end("q-1")
    say = wire.Say(
        request_id="q-2", session_id=session_id, text="hello there", images=("image/png",) if picture else ()
    )
    await client.send(say, [PICTURE] if picture else [])
    await client.until_end("q-2")
    await client.ask(wire.Bye(ref=9))


async def recorded(path: Path, *, token: str = "", has_pictures: bool = True, picture: bool = False) -> Path:
    """The trace of one conversation with a fake world."""
    settings = quick_settings(token=token, allow_anonymous=False) if token else quick_settings()
    async with BridgeServer(FakeWorld(has_vision=picture), settings) as server:
        trace = TraceWriter(path, has_pictures=has_pictures)
        async with Recorder(trace, 0, server.address) as recorder:
            client = Guest(recorder.address, token)
            await converse(client, picture=picture)
            client.close()
    return path


async def played(path: Path, world: FakeWorld, **changes: object) -> list[str]:
    async with BridgeServer(world, quick_settings()) as server:
        return await replay(path, replace(Playing(server.address, speed=100.0, patience_s=30.0), **changes))  # type: ignore[arg-type]


def types_of(records: Sequence[Record], kind: str) -> list[str]:
    bodies = [msgpack.unpackb(one.frames[0]) for one in records if one.kind == kind]
    return [body["type"] for body in bodies if body != {"type": "pong"}]


async def test_every_message_is_recorded_with_its_direction_and_the_token_is_not(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "talk.trace", token=TOKEN)
    records = list(read_trace(path))
    assert types_of(records, "client") == ["hello", "talk", "say", "tool_result", "say", "bye"]
    assert types_of(records, "server") == [
        "welcome", "talking", "text", "tool_call", "tool_settled", "finished",
        "text", "sentence", "finished", "goodbye",
    ]  # fmt: skip
    assert (records[0].kind, records[-1].kind, {one.connection for one in records}) == ("open", "close", {1})
    assert [one.at_s for one in records] == sorted(one.at_s for one in records)
    assert TOKEN.encode() not in path.read_bytes()


async def test_a_replay_goes_as_recorded_though_ids_are_others(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "talk.trace")
    world = FakeWorld()
    world.talk("brom")  # takes the first session's number
    assert await played(path, world, is_exact=True) == []
    assert [text for session in world.all_sessions for text, *_ in session.heard] == ["tool", "hello there"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda world: setattr(world, "cast", {"brom": FakePersona("Brom", "")}),
            "became error (unknown_npc)",
            id="npc",
        ),
        pytest.param(lambda world: world.refuse_words("hello"), "q-2: finished (stop) became failed", id="reply"),
    ],
)
async def test_a_server_that_refuses_shows_as_differences(
    tmp_path: Path, change: Callable[[FakeWorld], None], told: str
) -> None:
    path = await recorded(tmp_path / "talk.trace")
    world = RefusingWorld()
    change(world)
    lines = await played(path, world)
    assert [line for line in lines if told in line], lines
    assert all(line.startswith("#1 ") for line in lines)


class RefusingWorld(FakeWorld):
    """Sessions that break at some words."""

    def refuse_words(self, words: str) -> None:
        talk = self.talk

        def talk_and_break(npc_id: str, *, player: str = "Traveller", guest: str = "") -> object:
            session = talk(npc_id, player=player, guest=guest)
            act = session._act
            session._act = lambda text, *rest: act("crash" if words in text else text, *rest)  # type: ignore[method-assign]
            return session

        self.talk = talk_and_break  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("token", ["another", ""])
async def test_a_replay_without_the_token_is_refused(tmp_path: Path, token: str) -> None:
    path = await recorded(tmp_path / "talk.trace")
    settings = quick_settings(token=TOKEN, allow_anonymous=False)
    async with BridgeServer(FakeWorld(), settings) as server:
        with pytest.raises(AuthenticationFailed):
            await replay(path, Playing(server.address, token, speed=100.0))


@pytest.mark.parametrize("records", [(), (Record(0.0, 1, "open"), Record(1.0, 1, "close"))], ids=["none", "hidden"])
def test_a_trace_without_replies_is_not_played(tmp_path: Path, records: tuple[Record, ...]) -> None:
    trace_of(tmp_path / "a.trace", *records)
    done = CliRunner().invoke(app, ["trace", "replay", str(tmp_path / "a.trace"), "--to", "tcp://127.0.0.1:9"])
    assert isinstance(done.exception, ContentError)
    assert done.exception.message.endswith("holds no replies")


async def test_pictures_can_be_left_out_and_then_only_be_shown(tmp_path: Path) -> None:
    whole = await recorded(tmp_path / "whole.trace", picture=True)
    left_out = await recorded(tmp_path / "left.trace", picture=True, has_pictures=False)
    assert PICTURE in whole.read_bytes()
    assert PICTURE not in left_out.read_bytes()
    assert [line for one in read_trace(left_out) if "picture of 400 bytes" in (line := line_of(one))]
    assert await played(whole, FakeWorld(has_vision=True), is_exact=True) == []
    with pytest.raises(ContentError, match="a picture was left out"):
        await played(left_out, FakeWorld(has_vision=True))


async def test_what_is_no_protocol_passes_all_the_same(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    listener = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with Recorder(TraceWriter(tmp_path / "odd.trace"), 0, f"tcp://127.0.0.1:{port}") as recorder:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(recorder.address.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.0\r\n\r\n" + b"\xff" * 70)
        answer = await reader.read()
        writer.close()
    listener.close()
    assert answer == b"GET / HTTP/1.0\r\n\r\n" + b"\xff" * 70
    assert {one.kind for one in read_trace(tmp_path / "odd.trace")} <= {"open", "close"}


def trace_of(path: Path, *records: Record) -> bytes:
    with TraceWriter(path) as trace:
        for one in records:
            trace.add(one)
    return path.read_bytes()


SAY = Record(1.5, 1, "client", (msgpack.packb({"type": "say", "request_id": "q-1", "text": "\x1b[31mhi"}),))


def test_a_record_is_one_line_without_what_a_terminal_obeys() -> None:
    assert line_of(SAY) == "     1.500  #1 -> say           q-1  text '\\x1b[31mhi'"
    assert line_of(Record(0.0, 2, "open")) == "     0.000  #2 -- open"
    assert "4 bytes that are no message" in line_of(Record(0.0, 2, "client", (b"\xc1abc",)))
    assert json.loads(json_of(SAY))["body"]["text"] == "\x1b[31mhi"
    assert json.loads(json_of(Record(0.0, 2, "client", (b"\xc1",))))["frames"] == ["c1"]


def test_a_file_cut_at_any_byte_is_read_up_to_there_or_refused_with_the_place(tmp_path: Path) -> None:
    data = trace_of(tmp_path / "whole.trace", SAY, SAY)
    first = len(trace_of(tmp_path / "one.trace", SAY))
    header = len(trace_of(tmp_path / "none.trace"))
    cut = tmp_path / "cut.trace"
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        if size in (header, first):
            assert len(list(read_trace(cut))) == (size - header) // (first - header)
            continue
        with pytest.raises(ContentError, match=r"byte \d+|is no trace"):
            list(read_trace(cut))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b"", "is no trace", id="empty"),
        pytest.param(b"\x89PNG\r\n", "is no trace|no msgpack|middle", id="picture"),
        pytest.param(msgpack.packb({"format": "npc-bridge trace", "version": 2}), "of version 2", id="version"),
        pytest.param(
            msgpack.packb({"format": "npc-bridge trace", "version": 1}) + msgpack.packb([1, 2]),
            "record 1, byte .*no record",
            id="shape",
        ),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "foreign.trace"
    path.write_bytes(data)
    with pytest.raises(ContentError, match=told):
        list(read_trace(path))


def test_outcomes_differ_by_order_calls_and_words() -> None:
    def outcome(*bodies: dict[str, str]) -> Outcome:
        made = Outcome()
        for body in bodies:
            made.hear(body)
        return made

    first = {"type": "finished", "request_id": "a", "finish_reason": "stop", "text": "x"}
    second = {"type": "finished", "request_id": "b", "finish_reason": "stop", "text": "y"}
    settled = {"type": "tool_settled", "request_id": "a", "name": "give", "status": "accepted"}
    before = outcome(settled, first, second)
    assert list(differences(before, outcome(settled, first, second), is_exact=True)) == []
    assert list(differences(before, outcome(settled, second, first), is_exact=False)) == [
        "requests ended in another order: a, b became b, a"
    ]
    assert list(differences(before, outcome(first, second), is_exact=False)) == ["a: calls give accepted became none"]
    assert list(differences(before, outcome(settled, {**first, "text": "z"}, second), is_exact=False)) == []
    assert list(differences(before, outcome(settled, {**first, "text": "z"}, second), is_exact=True)) == [
        "a: 'x' became 'z'"
    ]
    assert list(differences(before, outcome(settled, first), is_exact=False)) == ["b: finished (stop) became no end"]


def test_the_command_shows_a_trace_and_ends_by_the_exit_codes(tmp_path: Path) -> None:
    trace_of(tmp_path / "a.trace", SAY)
    done = CliRunner().invoke(app, ["trace", "show", str(tmp_path / "a.trace")])
    assert (done.exit_code, "say" in done.output) == (0, True)
    done = CliRunner().invoke(app, ["trace", "show", "--json", str(tmp_path / "a.trace")])
    assert json.loads(done.output)["kind"] == "client"
    assert isinstance(CliRunner().invoke(app, ["trace", "show", str(tmp_path / "no")]).exception, SettingsError)
    assert CliRunner().invoke(app, ["trace", "dance"]).exit_code == 2


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:5577", "5577", "ipc:///tmp/x"])
def test_only_servers_of_this_machine_are_recorded(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError):
        Recorder(TraceWriter(tmp_path / "a.trace"), 0, address)


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """Somebody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def record_in_vain(path: Path, to: int, *options: str) -> NpcError:
    """Why a recording does not begin."""
    done = CliRunner().invoke(app, ["trace", "record", str(path), "--to", f"tcp://127.0.0.1:{to}", *options])
    assert "ready" not in done.output
    assert isinstance(done.exception, NpcError), done.exception
    return done.exception


def test_a_recording_that_cannot_begin_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    before = trace_of(path, SAY)
    with taken_port() as server, taken_port() as listen:
        there = record_in_vain(path, server)
        assert (type(there), "--force" in there.hint) == (SettingsError, True)
        busy = record_in_vain(path, server, "--listen", str(listen), "--force")
        assert "cannot listen" in busy.message
        assert "--force" not in record_in_vain(tmp_path, server).hint
        record_in_vain(tmp_path / "new.trace", server, "--listen", str(listen))
    with dead_port() as server:
        dead = record_in_vain(path, server, "--force")
    assert (type(dead), "no server answers" in dead.message) == (ConnectionLost, True)
    assert path.read_bytes() == before
    assert not (tmp_path / "new.trace").exists()


def test_a_trace_is_replaced_only_where_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.trace"
    trace_of(path, SAY, SAY)
    with pytest.raises(SettingsError, match="--force"), TraceWriter(path):
        pass
    assert len(list(read_trace(path))) == 2
    with TraceWriter(path, replaces=True) as trace:
        trace.add(SAY)
    assert len(list(read_trace(path))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_real_conversation_is_recorded_and_replayed_by_the_command(tmp_path: Path) -> None:
    path = tmp_path / "real.trace"
    with Victim() as victim:
        command = [sys.executable, "-m", "game_bridge.cli", "trace", "record", str(path), "--to", victim.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
            assert recorder.stdout is not None
            address = recorder.stdout.readline().removeprefix("ready ").strip()
            with NpcClient.connect(address, token=victim.token) as client:
                mara = client.talk("mara")
                reply = mara.say("May I have the sword?", on_tool=lambda _call: {"given": "sword"})
                assert reply.read().endswith("Here you are.")
                assert list(mara.say("What is this?", images=[ImagePart("image/png", PICTURE)]))
            recorder.send_signal(signal.SIGINT)
            assert recorder.wait(60) == 0
        options = ["--to", victim.address, "--speed", "100", "--exact"]
        done = CliRunner().invoke(app, ["trace", "replay", str(path), *options, f"--token={victim.token}"])
        assert (done.exit_code, done.output.strip()) == (0, "as recorded")
        file = tmp_path / "token"
        file.write_text(f"{victim.token}\n", encoding="ascii")
        done = CliRunner().invoke(app, ["trace", "replay", str(path), *options, "--token-file", str(file)])
        assert (done.exit_code, done.output.strip()) == (0, "as recorded")
        for token in ("another", ""):
            refused = CliRunner().invoke(app, ["trace", "replay", str(path), *options, f"--token={token}"])
            assert isinstance(refused.exception, AuthenticationFailed)
            assert "--token-file" in refused.exception.hint


def test_a_token_is_named_once_and_its_file_must_hold_it(tmp_path: Path) -> None:
    def refusal(*options: str) -> str:
        done = CliRunner().invoke(app, ["trace", "replay", str(tmp_path / "a.trace"), *options])
        assert isinstance(done.exception, SettingsError)
        return done.exception.message

    file = tmp_path / "token"
    assert "cannot read the token file" in refusal("--token-file", str(file))
    file.touch()
    assert "is empty" in refusal("--token-file", str(file))
    assert "both" in refusal("--token-file", str(file), "--token", "x")


def test_the_help_of_a_replay_warns_of_what_is_seen_and_of_chance() -> None:
    done = CliRunner().invoke(app, ["trace", "replay", "--help"], env={"COLUMNS": "300", "NO_COLOR": "1"})
    told = re.sub(r"\x1b\[[\d;]*m", "", done.output)  # where colours are forced, each half of a name has its own
    assert [word for word in ("process list", "--token-file", "--seed") if word not in told] == []
