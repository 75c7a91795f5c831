"""The tavern in Godot 4: the same scripted evening in the real engine, and how that engine is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scripted_evening import END_S, EVENING, missing

import samples.tavern_godot.__main__ as tavern
from npc_sdk.errors import SettingsError
from samples.tavern_godot.process import GODOT_4, HEADLESS, WINDOWED, engine_for, version_for
from samples.tavern_godot.project import GAME, make_project
from samples.tavern_godot.transcript import read_line

ENGINE = GODOT_4[0]
needs_engine = pytest.mark.skipif(
    shutil.which(ENGINE) is None, reason=f"{ENGINE} is not in PATH (Debian: .ci/godot4 FOLDER puts it into FOLDER)"
)


@pytest.mark.engines
@pytest.mark.timeout(END_S)
@needs_engine
def test_the_scripted_evening_goes_as_expected_and_the_engine_complains_of_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine_lines: list[str] = []

    def listen(line: str) -> object:
        entry = read_line(line)
        if entry is None:
            engine_lines.append(line)
        return entry

    monkeypatch.setattr(tavern, "read_line", listen)
    code = tavern.main(["--godot", "4", *EVENING])
    said = capfd.readouterr()
    assert not missing(said.out), said.out + said.err
    assert any(line.startswith("Godot Engine v4.") for line in engine_lines)
    assert not [line for line in engine_lines if "ERROR" in line], engine_lines
    assert code == 0


def test_a_project_is_made_for_either_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, config in (("3", "config_version=4"), ("4", "config_version=5")):
        folder = tmp_path / version
        assert tavern.main(["--project", str(folder), "--godot", version]) == 0
        assert f"open it in Godot {version}" in capsys.readouterr().out
        assert config in (folder / "project.godot").read_text(encoding="utf-8")


def test_nothing_of_godot_3_is_left_in_a_project_of_godot_4(tmp_path: Path) -> None:
    make_project(tmp_path, "4")
    left = ("yield(", "onready var", "export var", "rect_", "YSort", "Pool", "scancode", "add_color_override")
    for file in sorted(GAME.glob("*.gd")) + sorted(GAME.glob("*.tscn")):
        text = (tmp_path / file.name).read_text(encoding="utf-8").replace("@onready", "").replace("@export", "")
        assert not [word for word in left if word in text], file.name


def test_both_versions_find_the_same_files_beside_the_game() -> None:
    names = [{file.name for file in (GAME / f"godot{version}").iterdir()} for version in ("3", "4")]
    assert names[0] == names[1] == {"desk.gd", "project.godot"}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _install(folder: Path, name: str, version: str) -> str:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {version}.stable\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.usefixtures("path")
def test_a_missing_godot_4_is_named() -> None:
    with pytest.raises(SettingsError, match="Godot 4 is not installed: no godot4"):
        engine_for("4", has_window=False, is_pictured=False)


def test_godot_4_needs_no_program_of_its_own_without_a_window(path: Path) -> None:
    program = _install(path, "godot4", "4.6.3")
    assert engine_for("4", has_window=False, is_pictured=False) == [program, "--headless"]


@pytest.mark.parametrize(("installed", "other"), [("3.6", "4"), ("4.2.1", "3")])
def test_a_name_without_a_number_is_asked_for_its_version(path: Path, installed: str, other: str) -> None:
    _install(path, "godot", installed)
    assert version_for(has_window=True) == installed[0]
    with pytest.raises(SettingsError, match=f"Godot {other} is not installed"):
        engine_for("4" if other == "4" else "3", has_window=True, is_pictured=False)


def test_a_program_that_cannot_be_started_is_no_engine(path: Path) -> None:
    (path / "godot").touch(mode=0o755)
    with pytest.raises(SettingsError, match="is not installed"):
        engine_for("4", has_window=False, is_pictured=False)


@pytest.mark.parametrize(("has_window", "name"), [(False, HEADLESS[0]), (True, WINDOWED[0])])
def test_godot_3_plays_where_both_are_installed(path: Path, has_window: bool, name: str) -> None:
    _install(path, "godot4", "4.6.3")
    assert version_for(has_window=has_window) == "4"
    _install(path, name, "3.2.3")
    assert version_for(has_window=has_window) == "3"
