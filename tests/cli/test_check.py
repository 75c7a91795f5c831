"""`npc check`: every mistake on a line of its own, a summary, an exit status, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from npc_sdk.cli.check import check

PERSONAS = Path(__file__).parents[2] / "personas"
PERSONA = "name: Ada\nrole: the miller\nvoice:\n  style: proud and grand\n"

app = typer.Typer()
app.command()(check)


def _check(*paths: Path) -> Result:
    result = CliRunner().invoke(app, [str(path) for path in paths])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("path", "summary"),
    [
        pytest.param(PERSONAS, "5 characters, 39 lore entries: no mistakes", id="whole folder"),
        pytest.param(PERSONAS / "mara", "1 character, 1 lore entry: no mistakes", id="one character"),
        pytest.param(PERSONAS / "mara/persona.yaml", "1 character, 0 lore entries: no mistakes", id="one file"),
        pytest.param(PERSONAS / "world", "0 characters, 34 lore entries: no mistakes", id="world alone"),
        pytest.param(PERSONAS / "world/world.yaml", "0 characters, 0 lore entries: no mistakes", id="world file"),
    ],
)
def test_what_ships_is_right(path: Path, summary: str) -> None:
    result = _check(path)
    assert (result.exit_code, result.stdout.strip()) == (0, summary)


def test_mistakes_are_printed_with_place_and_hint(tmp_path: Path) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(PERSONA + "goal: [x]\nsampling: {top_p: 2}\n", encoding="utf-8")
    result = _check(path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{path}:5: goal: unknown key 'goal' (did you mean 'goals'?)",
        f"{path}:6: sampling.top_p: should be 1 or less, not 2",
        "1 character, 0 lore entries: 2 mistakes in 1 file",
    ]


def test_a_persona_beside_a_world_is_held_against_its_tools(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "ada").mkdir()
    (tmp_path / "world/world.yaml").write_text("name: T\ntools: [{name: wave, description: Wave.}]\n", encoding="utf-8")
    (tmp_path / "ada/persona.yaml").write_text(PERSONA + "tools: [wawe]\n", encoding="utf-8")
    for path in (tmp_path, tmp_path / "ada", tmp_path / "ada/persona.yaml"):
        result = _check(path)
        assert result.exit_code == 1
        assert "the world has no tool 'wawe' (did you mean 'wave'?)" in result.stdout


def test_a_mistake_reached_twice_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(PERSONA + "goal: [x]\n", encoding="utf-8")
    assert _check(path, path, tmp_path).stdout.count("unknown key") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("persona.yaml", b"\xff\xfe\x00", id="not text"),
        pytest.param("persona.yaml", b"[" * 9000, id="deep"),
        pytest.param("persona.yaml", b"a: &a [*a]", id="alias"),
        pytest.param("persona.yaml", b"", id="empty"),
        pytest.param("persona.yaml", b'name: "\\ud800"', id="half a surrogate"),
        pytest.param("world.yaml", b"tools: [{name: a, parameters: 3}]", id="world"),
        pytest.param("portrait.png", b"\x89PNG", id="no YAML"),
        pytest.param("world.yaml", b"tools: {a: 1}\n? {b: 2}\n: 3", id="map as key"),
    ],
)
def test_broken_files_are_told_not_raised(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    result = _check(path)
    assert result.exit_code == 1
    assert str(path) in result.stdout


def test_paths_that_hold_nothing_are_told(tmp_path: Path) -> None:
    assert "nothing to check" in _check(tmp_path).stdout


def test_a_path_that_does_not_exist_is_told_with_the_nearest_name() -> None:
    missing = _check(PERSONAS / "mora")
    assert missing.exit_code == 1
    assert "there is no such file or folder (did you mean 'mara'?)" in missing.stdout


def test_one_lore_file_is_checked_as_lore(tmp_path: Path) -> None:
    folder = tmp_path / "ada" / "lore"
    folder.mkdir(parents=True)
    for name in ("own.md", "other.md"):
        (folder / name).write_text("## The mill\nkyes: mill\nIt is old.\n", encoding="utf-8")
    result = _check(folder / "own.md")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{folder / 'own.md'}:2: The mill: unknown attribute 'kyes' (did you mean 'keys'?)",
        "0 characters, 1 lore entry: 1 mistake in 1 file",
    ]
