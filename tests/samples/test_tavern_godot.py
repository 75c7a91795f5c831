"""The tavern in Godot: its scripted evening in the real engine, its rules' values, and its transcript's lines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from scripted_evening import END_S, EVENING, missing

from npc_sdk.errors import ConnectionLost, SettingsError
from samples.tavern_godot import process
from samples.tavern_godot.__main__ import _parser, _watch, main
from samples.tavern_godot.process import HEADLESS, WINDOWED, Server, engine_for, running_game
from samples.tavern_godot.project import CAST, GAME, make_personas, make_project, village
from samples.tavern_godot.transcript import read_line, told
from samples.tavern_text.rule import RULES

ENGINE = HEADLESS[0]
needs_engine = pytest.mark.skipif(
    shutil.which(ENGINE) is None, reason=f"{ENGINE} is not installed (Debian: apt-get install {ENGINE})"
)


@pytest.mark.engines
@pytest.mark.timeout(END_S)
@needs_engine
def test_the_scripted_evening_goes_as_expected_in_the_engine() -> None:
    command = [sys.executable, "-m", "samples.tavern_godot", *EVENING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=END_S - 100, check=False)
    assert not missing(done.stdout), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_holds_game_addon_and_village(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--project", str(tmp_path)]) == 0
    assert str(tmp_path) in capsys.readouterr().out
    for name in ("project.godot", "tavern.tscn", "addons/npc_sdk/npc.gd"):
        assert (tmp_path / name).is_file()
    assert json.loads((tmp_path / "village.json").read_text(encoding="utf-8")) == village()
    world = yaml.safe_load((tmp_path / "personas/world/world.yaml").read_text(encoding="utf-8"))
    assert [tool["name"] for tool in world["tools"] if tool.get("confirm")] == ["sell_item"]


def test_the_personas_load_and_npcs_of_the_tavern_are_among_them(tmp_path: Path) -> None:
    from npc_sdk import World
    from npc_sdk.engine.scripted import ScriptedEngine

    make_personas(tmp_path)
    assert set(CAST) <= set(World.load(tmp_path, ScriptedEngine("Hm.")).cast)


def test_every_file_that_a_scene_or_script_names_is_there(tmp_path: Path) -> None:
    make_project(tmp_path)
    for file in sorted(GAME.glob("*.tscn")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("[ext_resource"):
                assert (tmp_path / line.split('"')[1].removeprefix("res://")).is_file(), line


def test_the_evening_hopes_for_tools_of_the_village_and_talks_to_its_people() -> None:
    steps = json.loads((GAME / "evening.json").read_text(encoding="utf-8"))
    assert {step["hope"][0] for step in steps if "hope" in step} <= set(RULES)
    assert {step["to"] for step in steps if "to" in step} == set(CAST)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param('entry {"who":"mara","kind":"emote","text":"nods"}', "Mara      *nods*", id="emote"),
        pytest.param(
            'entry {"who":"pip","kind":"end","text":"Hey!","how":"cancelled"}', "Pip       Hey!   [cancelled]", id="end"
        ),
        pytest.param(
            'entry {"who":"pip","kind":"end","text":"*shrugs*","how":"failed","code":"timeout","why":"too late"}',
            "Pip       *shrugs*   [failed: timeout: too late]",
            id="failure",
        ),
        pytest.param('step {"about":"talk","fault":""}', "          -- talk: ok", id="step"),
        pytest.param('step {"about":"talk","fault":"no word"}', "          -- talk: no word", id="fault"),
        pytest.param("restart {}", "Server    is killed and started anew", id="restart"),
    ],
)
def test_lines_of_the_game_are_told(line: str, text: str) -> None:
    found = read_line(line)
    assert found is not None
    assert told(*found) == text


@pytest.mark.parametrize("line", ["Godot Engine v3.2.3", "entry level", "step", ""])
def test_lines_of_the_engine_are_left_out(line: str) -> None:
    assert read_line(line) is None


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="godot3-server") as caught:
        engine_for(has_window=False, is_pictured=False)
    assert "apt-get install" in caught.value.hint


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine with a window is there, a display is not."""
    program = tmp_path / WINDOWED[0]
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return str(program)


@pytest.mark.usefixtures("installed")
def test_a_window_without_a_display_is_told_with_what_helps() -> None:
    with pytest.raises(SettingsError, match="no display") as caught:
        engine_for(has_window=True, is_pictured=False)
    assert "--evening" in caught.value.hint
    assert "xvfb-run" in caught.value.hint


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_window_opens_on_any_display(installed: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, ":0")
    assert engine_for(has_window=True, is_pictured=False)[0] == installed


def test_the_last_words_of_an_engine_that_fails_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = [sys.executable, "-c", "print(*[f'engine line {n}.' for n in range(20)], sep='\\n'); raise SystemExit(3)"]
    assert _watch(_parser().parse_args([]), Server([], 1.0), engine, tmp_path, None) == 3
    told = capfd.readouterr().err.splitlines()
    assert told[1:] == [f"engine line {number}." for number in range(10, 20)]


def test_an_engine_that_ends_well_has_no_last_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = [sys.executable, "-c", "print('Godot Engine')"]
    assert _watch(_parser().parse_args([]), Server([], 1.0), engine, tmp_path, None) == 0
    assert capfd.readouterr().err == ""


def test_a_game_that_hangs_is_ended_in_time(tmp_path: Path) -> None:
    engine = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        running_game(engine, tmp_path, [], "t", time.monotonic() + 0.5) as (child, lines),
        pytest.raises(ConnectionLost, match="took too long"),
    ):
        next(lines)
    assert child.poll() is not None


def test_a_server_that_does_not_come_up_is_told_and_not_left_behind(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[str]] = []
    opened = process._open

    def watch(*arguments: object, **named: object) -> subprocess.Popen[str]:
        started.append(opened(*arguments, **named))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(process, "_open", watch)
    with pytest.raises(ConnectionLost, match="ended before it was ready"), Server(["-c", "raise SystemExit(3)"], 30.0):
        pass
    assert [child.returncode for child in started] == [3]
    capfd.readouterr()
