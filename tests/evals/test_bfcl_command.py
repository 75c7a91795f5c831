"""`npc eval bfcl` from end to end with a scripted engine: its tables, its file, its mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from npc_sdk.cli.app import app
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.evals.bfcl.row import Row

from .rows import LEADERBOARD

WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}


def _npc(*arguments: object) -> Result:
    """The command; errors come through."""
    asked = ["eval", "bfcl", *map(str, arguments), "--engine", "scripted"]
    return CliRunner().invoke(app, asked, env=WIDE, catch_exceptions=False)


def _cells(output: str, name: str) -> list[str]:
    """The cells of the first line of a table that begins with this."""
    lines = [[cell.strip() for cell in line.strip()[1:-1].split("│")] for line in output.splitlines()]
    return next(cells for cells in lines if cells[0] == name)


def test_scores_stand_beside_the_cards(folder: Path) -> None:
    done = _npc("--data", folder)
    assert done.exit_code == 0
    assert _cells(done.output, "simple") == ["simple", "3", "0", "0.00", "0", "0.00", "85.25"]
    assert _cells(done.output, "irrelevance") == ["irrelevance", "1", "1", "100.00", "0", "100.00", "17.08"]
    assert _cells(done.output, "all")[:4] == ["all", "8", "1", "12.50"]
    assert _cells(done.output, "no call") == ["no call", "3", "1", "2", "1", ""]


def test_categories_and_a_limit_choose_rows(folder: Path) -> None:
    done = _npc("--data", folder, "--category", "simple", "--category", "parallel", "--limit", 2)
    assert _cells(done.output, "all")[1] == "4"
    assert "│ irrelevance" not in done.output


def test_an_interrupted_run_goes_on_from_its_file(folder: Path, rows: list[Row], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    _npc("--data", folder, "--limit", 1, "--out", out)
    first = out.read_bytes()
    out.write_bytes(first[:-20])  # as a crash leaves it
    whole = _npc("--data", folder, "--out", out)
    lines = out.read_text(encoding="utf-8").splitlines()
    assert out.read_bytes().startswith(first[: first.rindex(b"\n", 0, -1) + 1])
    assert sorted(json.loads(line)["row_id"] for line in lines[1:]) == sorted(row.row_id for row in rows)
    again = _npc("--data", folder, "--out", out)
    assert out.read_text(encoding="utf-8").splitlines() == lines
    assert _cells(again.output, "all") == _cells(whole.output, "all")


def test_a_file_of_another_setting_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    _npc("--data", folder, "--limit", 1, "--out", out)
    with pytest.raises(SettingsError, match="is_constrained was True and is False"):
        _npc("--data", folder, "--limit", 1, "--out", out, "--free")


def test_rows_that_have_changed_are_asked_again(folder: Path, tmp_path: Path) -> None:
    out, data = tmp_path / "out.jsonl", tmp_path / "data"
    data.mkdir()
    rows = data / "BFCL_v4_irrelevance.json"
    original = (folder / rows.name).read_text(encoding="utf-8")
    for text in (original, original.replace("moon", "sun"), original.replace("moon", "sun")):
        rows.write_text(text, encoding="utf-8")
        done = _npc("--data", data, "--category", "irrelevance", "--out", out)
        assert _cells(done.output, "irrelevance")[1] == "1"
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3  # the setting, the old row, the new one


def test_a_folder_without_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no BFCL_v"):
        _npc("--data", tmp_path)


def test_a_mistake_in_the_rows_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "BFCL_v4_irrelevance.json").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ContentError, match=r"irrelevance\.json:1"):
        _npc("--data", tmp_path, "--category", "irrelevance")


@pytest.mark.parametrize("options", [[], ["--data", ".", "--category", "riddles"], ["--data", ".", "--limit", "0"]])
def test_wrong_usage_exits_with_2(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["eval", "bfcl", *options]).exit_code == 2


def test_help_says_what_it_is_for() -> None:
    whole = CliRunner().invoke(app, ["eval", "--help"], env=WIDE).output
    one = CliRunner().invoke(app, ["eval", "bfcl", "--help"], env=WIDE).output
    assert "bfcl" in whole
    assert [word for word in ("--data", "--category", "--out", "--free", "Leaderboard") if word not in one] == []


def test_the_leaderboards_own_rows_run_through() -> None:
    if not LEADERBOARD.is_dir():
        pytest.skip(f"the leaderboard is not at {LEADERBOARD}; name its folder in BFCL_DATA")
    done = _npc("--data", LEADERBOARD, "--limit", 5)
    assert _cells(done.output, "all")[:3] == ["all", "25", "5"]
