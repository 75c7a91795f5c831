"""The Godot addon: its files as they lie in a project, put together from what both versions share and what differs.

Knows no server. Called by ``python -m game_bridge.plugins.godot``, the conformance program and the samples.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal, TypeAlias

Version: TypeAlias = Literal["3", "4"]
ADDON = Path("addons/npc_sdk")
_HERE = Path(__file__).parent


def install(project: Path, version: Version) -> Path:
    """Write the addon into a project, over an earlier one; its folder. Raises: OSError."""
    folder = project / ADDON
    folder.mkdir(parents=True, exist_ok=True)
    for source in (_HERE / "shared", _HERE / f"godot{version}"):
        for file in sorted(source.glob("*.gd")):
            shutil.copyfile(file, folder / file.name)
    return folder
