"""The view of a running server: what it says of the figures, live and once, and of a server that is not there."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from test_npc_command import ENVIRON
from test_serve import PATIENCE_S, address_of, start
from typer.testing import CliRunner

from game_bridge import message as wire
from game_bridge.client import NpcClient
from npc_sdk.cli import top
from npc_sdk.cli.app import app
from npc_sdk.errors import AuthenticationFailed, ConnectionLost

REPLY = wire.RequestFields(
    is_front=False,
    end="stop",
    prompt_tokens=412,
    reused_tokens=384,
    new_tokens=9,
    queued_s=0.0015,
    prefill_s=0.125,
    first_token_s=0.25,
    decode_s=0.5,
    total_s=0.75,
    median_gap_s=0.0625,
    longest_gap_s=0.1875,
    tokens_per_s=16.0,
)
FRONT = REPLY.model_copy(update={"is_front": True, "new_tokens": 0})
GIVEN_UP = FRONT.model_copy(update={"end": "cancelled"})
SILENT = REPLY.model_copy(update={"end": "failed", "queued_s": 0.5, "new_tokens": 0})


def figures(*requests: wire.RequestFields, governor: wire.GovernorFields | None = None) -> wire.Figures:
    return wire.Figures(
        ref=1,
        name="hearth",
        device="cpu",
        bridge=wire.BridgeFields(peers=2, sessions=3, replies=1),
        engine=wire.EngineFields(running=1, waiting=4, steps=40, preemptions=5, drafted_tokens=12, accepted_tokens=9),
        batches=(wire.BatchFields(requests=1, steps=30), wire.BatchFields(requests=3, steps=10)),
        cache=wire.CacheFields(pool_bytes=2**28, used_bytes=2**20, kept_bytes=2**24, evictions=7),
        governor=governor or wire.GovernorFields(),
        requests=requests,
    )


def shown(what: wire.Figures, rows: int = 20) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=120).print(top.board(what, "tcp://127.0.0.1:5577", rows))
    return out.getvalue().splitlines()


def test_the_board_tells_every_figure() -> None:
    told = dict(line.split(maxsplit=1) for line in shown(figures(FRONT, REPLY, GIVEN_UP)) if line)
    assert told["model"] == "hearth on cpu, at tcp://127.0.0.1:5577"
    assert told["now"] == "running 1, waiting 4; open replies 1, conversations 3, connections 2"
    assert told["speed"] == "16.0 tokens/s, 250.0 ms to the first (medians of 1)"
    assert told["ahead"] == "1 prompts begun in advance (384 of 412 tokens known), 1 given up"
    assert told["steps"] == "40, 1.5 requests each (30 of 1, 10 of 3); pre-empted 5"
    assert told["guesses"] == "9 of 12 drafted tokens were right"
    assert told["cache"] == "1.0 MB in use and 16.0 MB kept of 256.0 MB; blocks evicted 7"
    assert told["governor"] == "full speed; 0 × slower, 0 × faster"
    assert told["frames"] == "no game tells of its frames"
    assert told["1.5"].split() == "125.0 384 412 250.0 9 62.5 187.5 16.0 stop".split()


def test_the_newest_replies_stand_first_and_no_more_than_there_is_room_for() -> None:
    older = REPLY.model_copy(update={"queued_s": 0.25})
    lines = shown(figures(older, REPLY, FRONT, SILENT), rows=2)
    assert [line.split()[0] for line in lines[-2:]] == ["500.0", "1.5"]
    assert lines[-2].split() == ["500.0", "125.0", "384", "412", "0", "failed"]


def test_a_server_that_has_done_nothing_yet_can_be_shown() -> None:
    text = "\n".join(shown(figures().model_copy(update={"batches": (), "engine": wire.EngineFields()})))
    assert "no replies yet" in text
    assert "none shared" in text


def test_the_governor_says_how_far_it_gives_way() -> None:
    governor = wire.GovernorFields(
        is_throttling=True, frame_s=0.0175, budget_s=0.0167, share=0.5, threads=1, frames=600, late_frames=4,
        slowdowns=2, recoveries=1,
    )  # fmt: skip
    lines = shown(figures(governor=governor))
    assert "governor  gives way: works 50% of the time, threads 1; 2 × slower, 1 × faster" in lines
    assert "frames    17.5 ms in 16.7 ms, 4 of 600 late" in lines


@pytest.fixture
def address() -> Iterator[str]:
    with start("--until-input-closes") as server:
        yield address_of(server)
        server.communicate(timeout=PATIENCE_S)


# As `npc`, with more patience than a player at a terminal has.
PATIENT_NPC = f"from npc_sdk.cli import app, top; top.PATIENCE_S = {PATIENCE_S}; app.main()"


def test_once_prints_the_figures_of_a_running_server(address: str) -> None:
    with NpcClient.connect(address, timeout_s=PATIENCE_S) as client:
        client.talk("pip").say("Hello.").read()
        command = [sys.executable, "-c", PATIENT_NPC, "top", "--once", "--port", address.rpartition(":")[2]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=ENVIRON)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"scripted on none, at {address}" in done.stdout
    assert "conversations 1, connections 2" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_is_redrawn_until_somebody_leaves(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(top, "time", SimpleNamespace(sleep=wait))
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=30)
    with NpcClient.connect(address, timeout_s=PATIENCE_S) as client:
        top._watch(client, address, console, 0.5)
    assert looks == [0.5] * 3
    assert out.getvalue().count("scripted on none") == 3


def test_the_token_can_lie_in_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "PATIENCE_S", PATIENCE_S)
    file, wrong = tmp_path / "token", tmp_path / "wrong"
    wrong.write_text("another\n", encoding="ascii")
    with start("--until-input-closes", "--token-file", str(file)) as server:
        look = ["top", "--once", "--port", address_of(server).rpartition(":")[2]]
        let_in, refused, stranger = (
            CliRunner().invoke(app, [*look, *options])
            for options in (["--token-file", str(file)], ["--token-file", str(wrong)], [])
        )
        server.communicate(timeout=PATIENCE_S)
    assert (let_in.exit_code, "scripted on none" in let_in.output) == (0, True)
    for done in (refused, stranger):
        assert isinstance(done.exception, AuthenticationFailed)
        assert "--token-file" in done.exception.hint


def test_no_server_is_told_in_a_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "PATIENCE_S", 0.2)
    with pytest.raises(ConnectionLost, match="no server answers") as caught:
        top._connect("tcp://127.0.0.1:9")
    assert "127.0.0.1:9" in caught.value.message
    assert "npc serve" in caught.value.hint
