"""Makes the Godot project: the game's files, the addon, the village of the text game as JSON, and the personas.

The game is written once, for Godot 3; what Godot 4 writes otherwise lies in game/godot4, or is translated.
Knows files only. Called by __main__.py and the tests.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from game_bridge.plugins.godot import Version, install
from game_bridge.plugins.godot.translate import translate
from npc_sdk.settings import bundled_personas
from samples.tavern_text.rule import FLOOR_SHARE
from samples.tavern_text.village import DOORS, QUESTS, VILLAGERS

GAME = Path(__file__).parent / "game"
_TRANSLATED = (".gd", ".tscn")
CAST = ("tobin", "mara", "pip")
ASKS_FIRST = "sell_item"  # the act that costs the player something


def make_project(folder: Path, version: Version = "3") -> None:
    """Everything that the engine needs, over what was there. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(path for path in GAME.iterdir() if path.is_file()):
        text = file.read_text(encoding="utf-8")
        is_translated = version == "4" and file.suffix in _TRANSLATED
        (folder / file.name).write_text(translate(text) if is_translated else text, encoding="utf-8")
    for file in sorted((GAME / f"godot{version}").iterdir()):
        shutil.copyfile(file, folder / file.name)
    (folder / "village.json").write_text(json.dumps(village()), encoding="utf-8")
    install(folder, version)


def village() -> dict[str, Any]:
    """What the tavern's rules take over from samples/tavern_text."""
    cast = {npc_id: VILLAGERS[npc_id] for npc_id in CAST}
    return {
        "villagers": {
            npc_id: {
                "name": villager.name,
                "holds": list(villager.holds),
                "prices": dict(villager.prices),
                "bargains": dict(villager.bargains),
            }
            for npc_id, villager in cast.items()
        },
        "doors": {name: door.keeper for name, door in DOORS.items() if door.keeper in CAST},
        "quests": {
            name: {"giver": q.giver, "wanted": q.wanted, "reward_coins": q.reward_coins, "task": q.task}
            for name, q in QUESTS.items()
            if q.giver in CAST
        },
        "floor_share": FLOOR_SHARE,
    }


def make_personas(folder: Path) -> None:
    """The bundled village, but that the player is asked before something is sold. Raises: OSError."""
    shutil.copytree(bundled_personas(), folder, dirs_exist_ok=True)
    path = folder / "world" / "world.yaml"
    world = yaml.safe_load(path.read_text(encoding="utf-8"))
    for tool in world["tools"]:
        if tool["name"] == ASKS_FIRST:
            tool["confirm"] = True
    path.write_text(yaml.safe_dump(world, sort_keys=False, allow_unicode=True), encoding="utf-8")
