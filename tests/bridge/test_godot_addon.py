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


CLASHES = [
    pytest.param("4", "class_name Npc\nextends Node2D\n", "Npc", id="an NPC of its own"),
    pytest.param("4", '@icon("a.svg")\nclass_name NpcWorld extends Node\n', "NpcWorld", id="on one line"),
    pytest.param("3", 'extends Node\nclass_name NpcAsk, "ask.png"\n', "NpcAsk", id="Godot 3, with a picture"),
]


@pytest.mark.parametrize(("version", "script", "name"), CLASHES)
def test_a_project_with_a_class_of_the_same_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, script: str, name: str
) -> None:
    config = "config_version=4\n" if version == "3" else "config_version=5\n"
    (tmp_path / "project.godot").write_text(config, encoding="utf-8")
    (tmp_path / "actors").mkdir()
    (tmp_path / "actors" / "other.gd").write_text(script, encoding="utf-8")
    assert main([str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"has the class_name {name}, " in told
    assert "other.gd" in told
    assert "--unnamed" in told
    assert not (tmp_path / godot.ADDON).exists()


@pytest.mark.parametrize("version", ["3", "4"])
def test_an_addon_without_names_goes_beside_a_class_of_the_same_name(tmp_path: Path, version: str) -> None:
    config = "config_version=4\n" if version == "3" else "config_version=5\n"
    (tmp_path / "project.godot").write_text(config, encoding="utf-8")
    (tmp_path / "npc.gd").write_text("class_name Npc\nextends Node2D\n", encoding="utf-8")
    assert main([str(tmp_path), "--unnamed"]) == 0
    scripts = list((tmp_path / godot.ADDON).glob("*.gd"))
    assert scripts
    assert not [file.name for file in scripts if b"class_name" in file.read_bytes()]


def test_installing_again_does_not_clash_with_the_addon_itself(tmp_path: Path) -> None:
    (tmp_path / "project.godot").write_text("config_version=5\n", encoding="utf-8")
    (tmp_path / "player.gd").write_text("class_name NpcWorldMap\n# class_name Npc is the addon's\n", encoding="utf-8")
    assert [main([str(tmp_path)]), main([str(tmp_path)])] == [0, 0]


def test_the_licence_goes_along(tmp_path: Path) -> None:
    folder = godot.install(tmp_path, "4")
    assert (folder / "LICENSE").read_bytes() == (HERE.parents[2] / "LICENSE").read_bytes()


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
