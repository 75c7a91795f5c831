"""``python -m game_bridge.plugins.godot PROJECT --godot 4`` puts the addon into a Godot project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from game_bridge.plugins.godot import install


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 where the folder is no Godot project."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.plugins.godot", description=main.__doc__)
    parser.add_argument("project", type=Path, help="the folder with project.godot")
    parser.add_argument("--godot", choices=("3", "4"), default="4", help="the version of Godot")
    options = parser.parse_args(arguments)
    if not (options.project / "project.godot").is_file():
        print(f"{str(options.project)!r} holds no project.godot", file=sys.stderr)
        return 2
    print(install(options.project, options.godot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
