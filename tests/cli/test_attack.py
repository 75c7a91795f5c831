"""`npc bench attack`: a table of figures beside their limits, a file, and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from game_bridge.attack import catalog
from game_bridge.attack.verdict import Figure, Verdict
from npc_sdk.cli.app import app
from npc_sdk.errors import ConnectionLost, SettingsError

Attacker = Callable[[bool, Callable[[str], None]], Verdict]


def _stands_in(monkeypatch: pytest.MonkeyPatch, run: Attacker, name: str = "stall") -> None:
    monkeypatch.setitem(sys.modules, f"game_bridge.attack.{name}", SimpleNamespace(run=run))


def _verdict(value: float) -> Verdict:
    figures = (Figure("lost", value, limit=0), Figure("words", 1234.5, "/s"), Figure("cuts", 3, least=1))
    return Verdict("B4", "readers that stall", figures, ("16 of 64 [bold] stop",))


@pytest.mark.parametrize(("lost", "code", "told"), [(0, 0, "kept"), (2, 1, "BROKEN"), (float("nan"), 1, "BROKEN")])
def test_figures_stand_beside_their_limits_and_make_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: float, code: int, told: str
) -> None:
    asked: list[bool] = []

    def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
        asked.append(is_whole)
        say("under way")
        return _verdict(lost)

    _stands_in(monkeypatch, run)
    path = tmp_path / "b4.json"
    done = CliRunner().invoke(
        app, ["bench", "attack", "stall", "--whole", "--json", str(path)], env={"COLUMNS": "120", "NO_COLOR": "1"}
    )
    assert (done.exit_code, asked) == (code, [True]), done.output
    assert told in done.output
    assert "at most 0" in done.output
    assert "1,234 /s" in done.output or "1,235 /s" in done.output
    assert "B4: 16 of 64 [bold] stop" in done.output
    (row,) = json.loads(path.read_text())["attacks"]
    assert (row["code"], row["has_passed"]) == ("B4", code == 0)
    assert [one["is_kept"] for one in row["figures"]] == [code == 0, True, True]


def test_an_attack_that_ends_in_an_error_is_broken_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_is_whole: bool, _say: Callable[[str], None]) -> Verdict:
        raise ExceptionGroup("clients", [ConnectionLost("an honest client was cut"), ConnectionLost("another")])

    _stands_in(monkeypatch, run)
    (attack,) = catalog.named("stall")
    verdict = attack.run(False, lambda _line: None)
    assert (verdict.has_passed, verdict.code) == (False, "B4")
    assert verdict.notes == ("an honest client was cut", "another")


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match="there is no attack 'flood'") as caught:
        catalog.named("flood")
    assert "half-open" in caught.value.hint
    assert [one.code for one in catalog.named("all")] == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "I1", "T1"]
    assert [one.name for one in catalog.named("B3")] == ["half-open"]
