"""``python -m game_bridge.plugins.godot.conformance FOLDER [MODE] HOST PORT TOKEN`` runs a program in Godot 3.

Without a mode the conformance script, else: ``nodes`` at the edges of their lives, ``probe`` how a connection fails,
``example`` the example; ``vectors PATH`` the golden frames. FOLDER takes the project. Becomes the engine's process.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from game_bridge.credential import TOKEN_VARIABLE
from game_bridge.plugins.godot import install

ENGINE = "godot3-server"
MODES = ("vectors", "probe", "nodes", "example")
_HERE = Path(__file__).parent


def make_project(source: Path, folder: Path) -> None:
    """A game with the addon in it. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.gd", "*.tscn", "project.godot"):
        for file in source.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    install(folder, "3")


def arguments_of(mode: str, arguments: list[str], folder: Path) -> list[str]:
    """What the engine is started with. Raises: OSError."""
    if mode == "vectors":
        make_project(_HERE, folder)
        return [f"--npc-vectors={Path(arguments[0]).resolve()}"]
    host, port, _ = arguments
    if mode == "example":
        make_project(_HERE.parent / "example", folder)
        scene = folder / "talk.tscn"
        text = scene.read_text(encoding="utf-8").replace("tcp://127.0.0.1:5577", f"tcp://{host}:{port}")
        scene.write_text(text, encoding="utf-8")
        return ["--say=Hello."]
    make_project(_HERE, folder)
    return [f"--npc-host={host}", f"--npc-port={port}", f"--npc-{mode}=1"]


def main(arguments: list[str]) -> None:
    """Does not return. Raises: OSError without the engine."""
    folder = Path(arguments[0]).resolve()
    mode, rest = (arguments[1], arguments[2:]) if arguments[1] in MODES else ("script", arguments[1:])
    what = arguments_of(mode, rest, folder)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    # the engine keeps its settings below these: nothing of the user's is touched
    environment = os.environ | {f"XDG_{name}_HOME": str(home) for name in ("DATA", "CONFIG", "CACHE")}
    environment["LANG"] = "en_US.UTF-8"  # it complains of others
    environment[TOKEN_VARIABLE] = "" if mode == "vectors" else rest[-1]
    # the engine's first line is its banner: this makes a remark of it
    sys.stdout.write("# ")
    sys.stdout.flush()
    os.execvpe(ENGINE, [ENGINE, "--path", str(folder), *what], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
