"""Unity's components over stand-ins of the engine's API (stand_ins/unity): compiled, and played as the editor does.

They have never seen the editor. That the stand-ins say what Unity does was checked against its scripting reference.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import game_bridge
from game_bridge.conformance.run import run_client

_PLUGIN = Path(game_bridge.__file__).parent / "plugins" / "unity"
_STAND_INS = Path(__file__).parent / "stand_ins" / "unity"
_PROGRAM = ("Play.cs", "Steps.cs")
_TOOLS = ("mcs", "mono")
_BUILD_S = 300.0
_PLAYED = [
    "streams", "busy", "acts", "sees", "barks", "bad_start", "no_world", "cancelled", "cancelled_early",
    "npc_disabled", "npc_disabled_early", "npc_destroyed", "world_disabled", "world_disabled_early",
    "world_disabled_by_a_word", "world_destroyed", "reload", "reload_early", "quit", "quit_early", "quit_at_once",
    "no_hands", "another_npc", "npc_gone", "cut", "restart",
]  # fmt: skip

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),  # the compiler and run_client have a patience of their own
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in _TOOLS),
        reason="needs mcs and mono (Debian: mono-mcs mono-runtime libmono-system-core4.0-cil); CI installs them",
    ),
]


def _build(built: Path, sources: Sequence[Path], *options: str) -> None:
    """As one assembly that sees those beside it; a warning of the compiler is an error."""
    beside = [f"-r:{path}" for path in sorted(built.parent.glob("*.dll")) if path != built]
    strict = ["-langversion:7.2", "-warnaserror", "-warn:4"]
    command = ["mcs", *strict, *beside, *options, f"-out:{built}", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core, which may not see the engine, and the stand-ins, which may not see the core."""
    core, engine = tmp_path_factory.mktemp("core"), tmp_path_factory.mktemp("engine")
    _build(core / "NpcBridge.dll", sorted(_PLUGIN.glob("Runtime/Core/*.cs")), "-target:library")
    stand_ins = [path for path in sorted(_STAND_INS.glob("*.cs")) if path.name not in _PROGRAM]
    _build(engine / "UnityEngine.dll", stand_ins, "-target:library")
    return Path(shutil.copy(engine / "UnityEngine.dll", core)).parent


def _components(folder: Path, *options: str) -> None:
    sources = sorted(_PLUGIN.glob("Runtime/Unity/*.cs"))
    _build(folder / "NpcBridge.Unity.dll", sources, "-target:library", *options)


def test_the_components_compile_for_a_player(libraries: Path, tmp_path: Path) -> None:
    """Where there is no UnityEditor."""
    player = tmp_path / "player"
    shutil.copytree(libraries, player)
    _components(player)
    assert (player / "NpcBridge.Unity.dll").is_file()


def test_the_components_live_as_the_editor_has_them(libraries: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    shutil.copytree(libraries, editor)
    _components(editor, "-define:UNITY_EDITOR")
    _build(editor / "play.exe", [_STAND_INS / name for name in _PROGRAM])
    lines = run_client(["mono", "--debug", str(editor / "play.exe")], token="s3cret")
    assert lines == [*(f"ok {step}" for step in _PLAYED), "done"]


def test_the_assemblies_are_those_that_the_definitions_name() -> None:
    components = json.loads((_PLUGIN / "Runtime/Unity/NpcBridge.Unity.asmdef").read_text(encoding="utf-8"))
    core = json.loads((_PLUGIN / "Runtime/Core/NpcBridge.asmdef").read_text(encoding="utf-8"))
    assert (core["name"], core["references"], core["noEngineReferences"]) == ("NpcBridge", [], True)
    assert (components["name"], components["references"]) == ("NpcBridge.Unity", ["NpcBridge"])
    assert not components["noEngineReferences"]
