"""The Godot addon as files: put into a project of the right version, and alike for both versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from game_bridge.plugins import godot
from game_bridge.plugins.godot.__main__ import main

HERE = Path(godot.__file__).parent


@pytest.mark.parametrize(
    ("project", "asked", "version"),
    [
        pytest.param("config_version=4\n", [], "3", id="a project of Godot 3"),
        pytest.param("; Godot\nconfig_version = 5\n", [], "4", id="a project of Godot 4"),
        pytest.param("config_version=4\n", ["--godot", "3"], "3", id="both agree"),
        pytest.param("", ["--godot", "3"], "3", id="it does not say, 3 is asked"),
        pytest.param("", ["--godot", "4"], "4", id="it does not say, 4 is asked"),
    ],
)
def test_installing_puts_all_files_of_a_version_into_a_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str, asked: list[str], version: str
) -> None:
    (tmp_path / "project.godot").write_text(project, encoding="utf-8")
    assert main([str(tmp_path), *asked]) == 0
    assert f"Godot {version}" in capsys.readouterr().out
    installed = (tmp_path / godot.ADDON / "platform.gd").read_bytes()
    assert installed == (HERE / f"godot{version}" / "platform.gd").read_bytes()
    names = {file.name for file in (tmp_path / godot.ADDON).iterdir()}
    assert {"npc_world.gd", "npc.gd", "platform.gd", "world_base.gd", "link.gd"} <= names
    assert "preload" in (tmp_path / godot.ADDON / "link.gd").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("project", "asked", "told"),
    [
        pytest.param("config_version=4\n", ["--godot", "4"], "Godot 3, not 4", id="4 into 3"),
        pytest.param("config_version=5\n", ["--godot", "3"], "Godot 4, not 3", id="3 into 4"),
        pytest.param("config_version=99\n", [], "--godot 3 or --godot 4", id="a version that nobody knows"),
        pytest.param("[application]\n", [], "--godot 3 or --godot 4", id="no version"),
    ],
)
def test_an_addon_of_another_version_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str, asked: list[str], told: str
) -> None:
    (tmp_path / "project.godot").write_text(project, encoding="utf-8")
    assert main([str(tmp_path), *asked]) == 2
    assert told in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["project.godot"]


@pytest.mark.parametrize("version", ["3", "4"])
def test_each_example_takes_the_addon_that_it_needs(tmp_path: Path, version: str) -> None:
    shutil.copytree(HERE / "example" / f"godot{version}", tmp_path, dirs_exist_ok=True)
    assert main([str(tmp_path)]) == 0
    installed = (tmp_path / godot.ADDON / "platform.gd").read_bytes()
    assert installed == (HERE / f"godot{version}" / "platform.gd").read_bytes()


def test_installing_into_what_is_no_project_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "project.godot" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def names_of(source: str) -> set[str]:
    return {line.partition("(")[0] for line in source.splitlines() if line.startswith("static func")}


def test_both_versions_have_the_same_files_and_functions() -> None:
    old, new = HERE / "godot3", HERE / "godot4"
    files = {file.name for file in old.iterdir()}
    assert files == {file.name for file in new.iterdir()}
    platforms = [names_of((folder / "platform.gd").read_text(encoding="utf-8")) for folder in (old, new)]
    assert platforms[0] == platforms[1]
    assert platforms[0]
