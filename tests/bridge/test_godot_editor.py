"""The Godot 4 addon as its editor sees it: no warning in a script, typed games, chosen worlds, hints at nodes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from game_bridge.plugins import godot
from game_bridge.plugins.godot.conformance.__main__ import ENGINES

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

HERE = Path(godot.__file__).parent
# Every warning that is on counts as an error, also in addons; the settings are read when the engine starts.
STRICT = """extends SceneTree


func _process(_delta):
	for property in ProjectSettings.get_property_list():
		if property.name.begins_with("debug/gdscript/warnings/"):
			var level = ProjectSettings.get_setting(property.name)
			if typeof(level) == TYPE_INT and level == 1:
				ProjectSettings.set_setting(property.name, 2)
	ProjectSettings.set_setting("debug/gdscript/warnings/directory_rules", {})
	ProjectSettings.set_setting("debug/gdscript/warnings/exclude_addons", false)
	ProjectSettings.save()
	return true
"""
LOAD = """extends SceneTree


func _process(_delta):
	for folder in ["res://addons/npc_sdk/", "res://game/"]:
		for file in DirAccess.get_files_at(folder):
			if file.ends_with(".gd"):
				var script = load(folder + file)
				print(file, ": ", "sound" if script != null and script.can_instantiate() else "faulty")
	return true
"""
TYPED = """class_name Smith
extends Node

@export var world: NpcWorld
@onready var npc: Npc = $Npc


func _ready() -> void:
	world.disconnected.connect(func(error: Dictionary) -> void: print(error["message"]))
	npc.response_updated.connect(func(piece: String) -> void: print(piece))
	npc.tool_called.connect(func(wanted: Dictionary) -> void: npc.answer(wanted["call_id"], "refused"))
	npc.world = world
	npc.ask("Hello.")
	var end: Array = await npc.ended
	var asked := world.ping()
	await asked.settled
	var told: NpcAsk = npc.set_state({"holds": ["sword"]})
	await told.settled
	print(end, asked.answer, told.error)
"""
CHOSEN = """[gd_scene load_steps=3 format=3]

[ext_resource type="Script" path="res://addons/npc_sdk/npc_world.gd" id="1"]
[ext_resource type="Script" path="res://addons/npc_sdk/npc.gd" id="2"]

[node name="Scene" type="Node"]

[node name="World" type="Node" parent="."]
script = ExtResource("1")

[node name="Npc" type="Node" parent="." node_paths=PackedStringArray("world")]
script = ExtResource("2")
npc_id = "mara"
world = NodePath("../World")

[node name="Older" type="Node" parent="."]
script = ExtResource("2")
world = NodePath("../World")
"""
SHOW = """extends SceneTree


func _process(_delta):
	var scene = load("res://chosen.tscn").instantiate()
	print("npc: ", scene.get_node("Npc").world == scene.get_node("World"))
	print("older: ", scene.get_node("Older").world)
	scene.free()
	return true
"""
PLUGIN = """@tool
extends EditorPlugin


func _enter_tree():
	EditorInterface.open_scene_from_path.call_deferred("res://chosen.tscn")
	while EditorInterface.get_edited_scene_root() == null:
		await get_tree().process_frame
	var scene = EditorInterface.get_edited_scene_root()
	scene.get_node("World").address = "tcp://example.org:5577"
	for name in ["World", "Npc", "Older"]:
		print(name, ": ", ", ".join(scene.get_node(name)._get_configuration_warnings()))
	get_tree().quit()
"""


def run(project: Path, *arguments: str) -> str:
    """What Godot 4 prints, errors too."""
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    environment = os.environ | {f"XDG_{name}_HOME": str(home) for name in ("DATA", "CONFIG", "CACHE")}
    command = [*ENGINES["4"], "--path", str(project), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of Godot 4 with the addon in it, without a game."""
    if shutil.which(ENGINES["4"][0]) is None:
        pytest.skip("godot4 is not installed (.ci/godot4 FOLDER, and FOLDER on PATH)")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "project.godot").write_text("config_version=5\n", encoding="utf-8")
    (folder / "chosen.tscn").write_text(CHOSEN, encoding="utf-8")
    godot.install(folder, "4")
    return folder


def snippet() -> str:
    """The README's example."""
    found = re.search(r"```gdscript\n(.*?)```", (HERE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_every_script_and_a_typed_game_compile_with_warnings_as_errors(project: Path) -> None:
    games = {"smith.gd": TYPED, "snippet.gd": snippet()}
    games["talk.gd"] = (HERE / "example" / "godot4" / "talk.gd").read_text(encoding="utf-8")
    games["faulty.gd"] = "extends Node\n\n\nfunc _ready():\n\tvar unused = 1\n"
    (project / "game").mkdir()
    for name, text in games.items():
        (project / "game" / name).write_text(text, encoding="utf-8")
    (project / "strict.gd").write_text(STRICT, encoding="utf-8")
    (project / "load.gd").write_text(LOAD, encoding="utf-8")
    run(project, "--script", "strict.gd")
    run(project, "--import")
    told = run(project, "--script", "load.gd")
    found = dict(re.findall(r"^(\w+\.gd): (\w+)$", told, re.MULTILINE))
    assert found.pop("faulty.gd") == "faulty"  # so that it is shown that warnings count
    names = {file.name for file in godot.sources("4")} | games.keys() - {"faulty.gd"}
    assert found == dict.fromkeys(names, "sound"), told


def test_a_scene_chooses_its_world_by_a_node_or_by_a_path(project: Path) -> None:
    (project / "show.gd").write_text(SHOW, encoding="utf-8")
    told = run(project, "--script", "show.gd")
    assert "npc: true" in told
    assert "older: ../World" in told
    assert "ERROR" not in told


def test_the_editor_says_what_a_node_lacks(project: Path) -> None:
    plugin = project / "addons" / "probe"
    plugin.mkdir()
    (plugin / "plugin.gd").write_text(PLUGIN, encoding="utf-8")
    names = {"name": "probe", "description": "", "author": "", "version": "1", "script": "plugin.gd"}
    lines = "".join(f'{name}="{value}"\n' for name, value in names.items())
    (plugin / "plugin.cfg").write_text(f"[plugin]\n{lines}", encoding="utf-8")
    with (project / "project.godot").open("a", encoding="utf-8") as file:
        file.write('\n[editor_plugins]\n\nenabled=PackedStringArray("res://addons/probe/plugin.cfg")\n')
    told = run(project, "--editor")
    assert "World: 'example.org' is neither an IP address nor localhost" in told
    assert re.search(r"^Npc: $", told, re.MULTILINE)
    assert "Older: npc_id is empty" in told
    assert "SCRIPT ERROR" not in told
