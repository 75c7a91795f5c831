"""`npc check`: every mistake on a line of its own, a summary, an exit status, never a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from npc_sdk.cli.check import check

PERSONAS = Path(__file__).parents[2] / "personas"
PERSONA = "name: Ada\nrole: the miller\nvoice:\n  style: proud and grand\n"

app = typer.Typer()
app.command()(check)


def _check(*paths: Path | str) -> Result:
    """Runs the command; options may stand among the paths."""
    result = CliRunner().invoke(app, [str(path) for path in paths])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("path", "summary"),
    [
        pytest.param(PERSONAS, r"5 characters, \d+ lore entries: no mistakes", id="whole folder"),
        pytest.param(PERSONAS / "mara", "1 character, 1 lore entry: no mistakes", id="one character"),
        pytest.param(PERSONAS / "mara/persona.yaml", "1 character, 0 lore entries: no mistakes", id="one file"),
        pytest.param(PERSONAS / "world", "0 characters, 34 lore entries: no mistakes", id="world alone"),
        pytest.param(PERSONAS / "world/world.yaml", "0 characters, 0 lore entries: no mistakes", id="world file"),
    ],
)
def test_what_ships_is_right(path: Path, summary: str) -> None:
    result = _check(path)
    assert result.exit_code == 0
    assert re.fullmatch(summary, result.stdout.strip())


def test_mistakes_are_printed_with_place_and_hint(tmp_path: Path) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(PERSONA + "goal: [x]\nsampling: {top_p: 2}\n", encoding="utf-8")
    result = _check(path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{path}:5:1: goal: unknown key 'goal' (did you mean 'goals'?)",
        f"{path}:6:12: sampling.top_p: should be 1 or less, not 2",
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
        f"{folder / 'own.md'}:2:1: The mill: unknown attribute 'kyes' (did you mean 'keys'?)",
        "0 characters, 1 lore entry: 1 mistake in 1 file",
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A world with a mistake in a kind, one in lore and one that only may be one."""
    files = {
        "world/world.yaml": "name: W\ntools: [{name: give, description: Give., params: {item: {from: state.holds}}}]\n",
        "world/kinds/villager.yaml": "goal: [x]\n",
        "world/lore/places.md": "## The mill\nkyes: mill\nIt is old.\n",
        "ada/persona.yaml": PERSONA + "extends: villager\nsituation: ['You have: {{ hold }}.']\ntools: [give]\n",
    }
    for name, text in files.items():
        path = tmp_path / "my world" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "my world"


def test_files_stand_apart_in_the_text(root: Path) -> None:
    lines = _check(root).stdout.splitlines()
    assert [line.replace(f"{root}/", "").partition(": ")[0] for line in lines[:3]] == [
        "world/kinds/villager.yaml:1:1", "", "world/lore/places.md:2:1",
    ]  # fmt: skip


def test_json_is_a_list_with_every_field(root: Path) -> None:
    result = _check(root, "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found[0] == {
        "path": str(root / "world/kinds/villager.yaml"),
        "line": 1,
        "column": 1,
        "field": "goal",
        "message": "unknown key 'goal'",
        "hint": "did you mean 'goals'?",
        "severity": "error",
        "rule": "content/unknown-key",
    }
    assert [row["rule"] for row in found] == ["content/unknown-key", "content/unknown-key"]


def test_json_of_what_is_right_is_an_empty_list() -> None:
    result = _check(PERSONAS, "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def _sarif(result: Result) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(result.stdout)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    return log


def test_sarif_has_relative_addresses_and_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    log = _sarif(_check("my world", "--format", "sarif"))
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    kind, lore = log["runs"][0]["results"]
    assert kind["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "my%20world/world/kinds/villager.yaml"},
                "region": {"startLine": 1, "startColumn": 1},
            }
        }
    ]
    assert lore["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "my%20world/world/lore/places.md"
    assert lore["message"]["text"] == "The mill: unknown attribute 'kyes' (did you mean 'keys'?)"
    for found in (kind, lore):
        assert rules[found["ruleIndex"]]["id"] == found["ruleId"]
        assert found["level"] == "error"


def test_sarif_of_a_file_elsewhere_names_the_whole_address(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "ada")
    log = _sarif(_check(root / "world/kinds/villager.yaml", "--format", "sarif"))
    (found,) = log["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")


def test_a_file_is_checked_with_what_is_around_it(root: Path) -> None:
    (root / "world/lore/places.md").write_text("## The mill\nnpcs: adda\nIt is old.\n", encoding="utf-8")
    told = _check(root / "world/lore/places.md").stdout
    assert "did you mean 'ada'?" in told
    assert "goal" not in told, "another file's mistake is not this one's"
    kind = _check(root / "world/kinds/villager.yaml").stdout
    assert "0 characters, 0 lore entries, 1 kind: 1 mistake in 1 file" in kind
    assert "villager.yaml:1:1: goal:" in _check(root / "ada").stdout, "a kind's mistake is that of all who extend it"


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_notes_fail_only_where_it_is_asked_for(root: Path, options: tuple[str, ...], status: int) -> None:
    (root / "world/kinds/villager.yaml").write_text("goals: [x]\n", encoding="utf-8")
    (root / "world/lore/places.md").unlink()
    result = _check(root, *options)
    assert "note: " in result.stdout
    assert result.stdout.strip().endswith("no mistakes, 1 note")
    assert result.exit_code == status
    severities = [row["severity"] for row in json.loads(_check(root, "--format", "json").stdout)]
    assert severities == ["note"]
