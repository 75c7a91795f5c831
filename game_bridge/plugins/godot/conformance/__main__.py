"""``python -m game_bridge.plugins.godot.conformance [--godot 4] FOLDER [MODE] HOST PORT TOKEN`` runs it in an engine.

Without a mode the conformance script, else: ``nodes`` at the edges of their lives, ``probe`` how a connection fails,
``example`` the example; ``vectors PATH`` the golden frames. FOLDER takes the project. Becomes the engine's process.
The programs are written once, for Godot 3; for Godot 4 they are translated, the addon itself is not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from game_bridge.credential import TOKEN_VARIABLE
from game_bridge.plugins.godot import Version, install
from game_bridge.plugins.godot.translate import translate

ENGINES: dict[Version, tuple[str, ...]] = {"3": ("godot3-server",), "4": ("godot4", "--headless")}
MODES = ("vectors", "probe", "nodes", "example")
_HERE = Path(__file__).parent


def make_project(folder: Path, version: Version) -> None:
    """The test programs as a game with the addon in it. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.gd", "*.tscn", "project.godot"):
        for file in _HERE.glob(pattern):
            text = file.read_text(encoding="utf-8")
            (folder / file.name).write_text(translate(text) if version == "4" else text, encoding="utf-8")
    install(folder, version)


def arguments_of(mode: str, arguments: list[str], folder: Path, version: Version) -> list[str]:
    """What the engine is started with. Raises: OSError."""
    if mode == "vectors":
        make_project(folder, version)
        return [f"--npc-vectors={Path(arguments[0]).resolve()}"]
    host, port, _ = arguments
    if mode == "example":
        shutil.copytree(_HERE.parent / "example" / f"godot{version}", folder, dirs_exist_ok=True)
        install(folder, version)
        scene = folder / "talk.tscn"
        text = scene.read_text(encoding="utf-8").replace("tcp://127.0.0.1:5577", f"tcp://{host}:{port}")
        scene.write_text(text, encoding="utf-8")
        return ["--say=Hello."]
    make_project(folder, version)
    return [f"--npc-host={host}", f"--npc-port={port}", f"--npc-{mode}=1"]


def main(arguments: list[str]) -> None:
    """Does not return. Raises: OSError without the engine."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.plugins.godot.conformance")
    parser.add_argument("--godot", choices=tuple(ENGINES), default="3", help="the version of Godot")
    parser.add_argument("folder", type=Path, help="takes the project")
    parser.add_argument("rest", nargs="+", help="[MODE] HOST PORT TOKEN, or vectors PATH")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    mode, rest = (options.rest[0], options.rest[1:]) if options.rest[0] in MODES else ("script", options.rest)
    what = arguments_of(mode, rest, folder, options.godot)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    # the engine keeps its settings below these: nothing of the user's is touched
    environment = os.environ | {f"XDG_{name}_HOME": str(home) for name in ("DATA", "CONFIG", "CACHE")}
    environment["LANG"] = "en_US.UTF-8"  # it complains of others
    environment[TOKEN_VARIABLE] = "" if mode == "vectors" else rest[-1]
    # the engine's first line is its banner: this makes a remark of it
    sys.stdout.write("# ")
    sys.stdout.flush()
    command = [*ENGINES[options.godot], "--path", str(folder), *what]
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
