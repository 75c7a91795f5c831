"""``python -m game_bridge.plugins.godot PROJECT`` puts the addon into a Godot project, for the version that made it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from game_bridge.plugins.godot import ADDON, CLASS_NAME, Version, install, sources
from npc_sdk.errors import SettingsError

_VERSIONS: dict[str, Version] = {"3": "3", "4": "3", "5": "4"}  # project.godot's config_version: Godot's
_WRITTEN = re.compile(r"^config_version\s*=\s*(\d+)\s*$", re.MULTILINE)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 where the folder is no Godot project, one of another version, or has classes of the same names."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.plugins.godot", description=main.__doc__)
    parser.add_argument("project", type=Path, help="the folder with project.godot")
    parser.add_argument("--godot", choices=("3", "4"), help="the version of Godot; what project.godot says if left out")
    parser.add_argument("--unnamed", action="store_true", help="without class_name, where a project has an Npc")
    options = parser.parse_args(arguments)
    try:
        version = version_of(options.project, options.godot)
        if not options.unnamed:
            refuse_clashes(options.project, version)
    except SettingsError as error:
        print(f"{error} ({error.hint})", file=sys.stderr)
        return 2
    print(f"{install(options.project, version, is_named=not options.unnamed)}: the addon for Godot {version}")
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


def refuse_clashes(project: Path, version: Version) -> None:
    """Godot takes each class_name once. Raises: SettingsError where a script of the project's has one of these."""
    names = {name for source in sources(version) for name in CLASS_NAME.findall(source.read_bytes())}
    for file in sorted(project.rglob("*.gd")):
        place = file.relative_to(project)
        if place.is_relative_to(ADDON) or not file.is_file():
            continue
        for name in names.intersection(CLASS_NAME.findall(file.read_bytes())):
            told = f"{str(place)!r} has the class_name {name.decode()}, which is the addon's too"
            hint = "rename it, or say --unnamed: the addon's scripts then have no class_name, and are preloaded"
            raise SettingsError(told, hint=hint)


if __name__ == "__main__":
    sys.exit(main())
