"""The Godot addon: its files as they lie in a project, put together from what both versions share and what differs.

Knows no server. Called by ``python -m game_bridge.plugins.godot``, the conformance program and the samples.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Literal, TypeAlias

Version: TypeAlias = Literal["3", "4"]
ADDON = Path("addons/npc_sdk")
CLASS_NAME = re.compile(rb"^[ \t]*class_name[ \t]+(\w+).*\n", re.MULTILINE)
_HERE = Path(__file__).parent


def install(project: Path, version: Version, *, is_named: bool = True) -> Path:
    """Write the addon into a project, over an earlier one; its folder. Without names its scripts have no class_name.

    Raises: OSError.
    """
    folder = project / ADDON
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources(version):
        script = source.read_bytes()
        (folder / source.name).write_bytes(script if is_named else CLASS_NAME.sub(b"", script))
    shutil.copyfile(_HERE / "LICENSE", folder / "LICENSE")
    return folder


def sources(version: Version) -> list[Path]:
    """The addon's scripts for a version, where they lie here."""
    return [file for folder in ("shared", f"godot{version}") for file in sorted((_HERE / folder).glob("*.gd"))]
