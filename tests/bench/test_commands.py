"""The commands from end to end on the tiny shape, without any peer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from npc_sdk.bench.child import Child
from npc_sdk.bench.runner.game import FIRST_FRAMES, play
from npc_sdk.cli.app import app
from npc_sdk.errors import SettingsError


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each first token that was measured, how much of its prompt was known."""
    counts: list[int] = []
    ask = Child.ask

    def noted(child: Child, order: str, **arguments: Any) -> dict[str, Any]:
        figures = ask(child, order, **arguments)
        if order == "first_token":
            counts.append(figures["cached_tokens"])
        return figures

    monkeypatch.setattr(Child, "ask", noted)
    return counts


@pytest.fixture
def bench(work: Path, tmp_path: Path) -> Callable[..., tuple[dict[str, Any], str]]:
    """Runs a command once; its file and what it printed."""

    def run(name: str, *options: str) -> tuple[dict[str, Any], str]:
        path = tmp_path / "figures.json"
        asked = ["bench", name, "--runs", "1", "--work", str(work), "--json", str(path), *options]
        result = CliRunner().invoke(app, asked, catch_exceptions=False)
        assert result.exit_code == 0
        return json.loads(path.read_text()), result.output

    return run


def _values(stored: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(one["what"], one["who"]): one["median"] for one in stored["figures"]}


def test_engine_measures_everything(bench: Callable[..., tuple[dict[str, Any], str]], known: list[int]) -> None:
    stored, printed = bench("engine", "--shape", "tiny")
    values = _values(stored)
    assert stored["is_whole"]
    assert stored["skipped"] == {}
    assert {what for what, _ in values} == {
        "decode, one stream",
        "decode beside a busy core",
        "decode just after a busy core",
        "prefill, 512 tokens",
        "decode, 8 streams",
        "decode, 8 streams of 900 tokens",
        "first token, 960 tokens cold",
        "first token, 900 warm and 60 new",
        "load",
        "resident, 2,048 tokens of cache",
        "resident at most",
    }
    assert all(value > 0 for value in values.values())
    assert sorted(known) == [0, 900]
    assert "against the aim" in printed


@pytest.mark.usefixtures("no_peers")
def test_peers_that_are_not_installed_are_skipped_with_a_word(
    bench: Callable[..., tuple[dict[str, Any], str]],
) -> None:
    stored, printed = bench("peers", "--shape", "tiny")
    assert {who for _, who in _values(stored)} == {"ours"}
    assert set(stored["skipped"]) == {"llama.cpp", "onnxruntime-genai", "transformers"}
    assert "pip install -e .[bench]" in " ".join(printed.split())


@pytest.mark.usefixtures("no_peers")
def test_the_tavern_goes_on_without_the_server(bench: Callable[..., tuple[dict[str, Any], str]]) -> None:
    stored, _ = bench("tavern", "--shape", "tiny", "--turns", "1")
    values = _values(stored)
    assert set(stored["skipped"]) == {"llama-server"}
    assert values["first token, player, median", "ours"] <= values["first token, player, p95", "ours"]
    assert values["whole trace, flat out", "ours"] > 0


def test_ahead_finds_typed_words_sooner(bench: Callable[..., tuple[dict[str, Any], str]], known: list[int]) -> None:
    values = _values(bench("ahead", "--shape", "tiny")[0])
    ways = ("nothing known", "warm prefix", "warm prefix and typed words")
    assert all(values[f"first token, {way}", "ours"] > 0 for way in ways)
    cold, warm, typed = sorted(known)
    assert (cold, warm) == (0, 900)
    assert 950 <= typed < 960


def test_copy_says_the_same_words_in_fewer_passes(bench: Callable[..., tuple[dict[str, Any], str]]) -> None:
    stored, _ = bench("copy")
    values = _values(stored)
    assert stored["skipped"] == {}
    passes = "passes of the model a token"
    assert values[passes, "guessing ahead"] < values[passes, "one token a pass"]


def test_frames_are_counted_silent_and_speaking(bench: Callable[..., tuple[dict[str, Any], str]]) -> None:
    stored, _ = bench("frames", "--shape", "tiny", "--seconds", "3")
    values = _values(stored)
    assert stored["skipped"] == {}
    for who in ("silent", "speaking, governor off", "speaking, governor on"):
        assert 0 <= values["frames over 20 ms", who] <= 100
        assert values["median frame", who] >= 6
    assert values["speed beside the game", "speaking, governor on"] > 0


def test_an_unknown_shape_ends_with_the_names() -> None:
    with pytest.raises(SettingsError, match="'vast'"):
        CliRunner().invoke(app, ["bench", "engine", "--shape", "vast"], catch_exceptions=False)


def test_the_game_shows_frames_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    play(1.0)
    frames = [float(line) for line in capsys.readouterr().out.split()]
    assert len(frames) == 60 - FIRST_FRAMES
    assert all(frame >= 1 / 60 - 1e-3 for frame in frames)
