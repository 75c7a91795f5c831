"""``python -m game_bridge.plugins.godot PROJECT`` puts the addon into a Godot project, for the version that made it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from game_bridge.plugins.godot import Version, install
from npc_sdk.errors import SettingsError

_VERSIONS: dict[str, Version] = {"3": "3", "4": "3", "5": "4"}  # project.godot's config_version: Godot's
_WRITTEN = re.compile(r"^config_version\s*=\s*(\d+)\s*$", re.MULTILINE)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 where the folder is no Godot project, or one of another version."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.plugins.godot", description=main.__doc__)
    parser.add_argument("project", type=Path, help="the folder with project.godot")
    parser.add_argument("--godot", choices=("3", "4"), help="the version of Godot; what project.godot says if left out")
    options = parser.parse_args(arguments)
    try:
        version = version_of(options.project, options.godot)
    except SettingsError as error:
        print(f"{error} ({error.hint})", file=sys.stderr)
        return 2
    print(f"{install(options.project, version)}: the addon for Godot {version}")
    return 0


def version_of(project: Path, asked: Version | None) -> Version:
    """The version of Godot that a project is for. Raises: SettingsError where that is unknown, or not the one asked."""
    try:
        text = (project / "project.godot").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        told = f"{str(project)!r} holds no project.godot that can be read: {exc}"
        raise SettingsError(told, hint="name the folder of a Godot project") from exc
    written = _WRITTEN.search(text)
    found = _VERSIONS.get(written.group(1)) if written else None
    if asked is not None and found is not None and asked != found:
        raise SettingsError(f"{str(project)!r} is a project of Godot {found}, not {asked}", hint="leave --godot out")
    version = asked or found
    if version is None:
        told = f"the project.godot of {str(project)!r} does not say which Godot it is for"
        raise SettingsError(told, hint="say --godot 3 or --godot 4")
    return version


if __name__ == "__main__":
    sys.exit(main())
