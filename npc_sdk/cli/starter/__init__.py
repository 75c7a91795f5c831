"""Fills the files beside this module, which writers begin with: texts with @NAMES@ in them, and examples behind '#'.

An example whose names the world does not have is put behind '##', a plain comment. Called by `npc new`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

from npc_sdk.persona.world_file import WorldFile

_TOKEN = re.compile(r"@([A-Z_]+)@")
_EXAMPLE = re.compile(r"^( *)#(?=[^\s#]|  )")
_PLAIN = re.compile(r"[A-Za-z](?:[\w' -]*\w)?")
_WORLD = "@WORLD@"
# What an example shows where the world has nothing of that sort.
_FALLBACK = {
    "FACTION": "watch", "PLACE": "village", "QUEST": "letter", "STAGE": "done", "EVENT": "insulted",
    "TOOL": "give_item", "NPC": "wren", "DATE": "3 Thaw 298", "KIND": "villager",
}  # fmt: skip


def starter(name: str, values: Mapping[str, str]) -> str:
    """A file's text with the values in place of their @NAMES@."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    world = values.get("WORLD", "")
    if name.endswith(".yaml") and yaml_text(world) != world:
        lines = list(map(_quoted, lines))
        values = {**values, "QUOTED": yaml_text(world), "ESCAPED": yaml_text(world)[1:-1]}
    blocks = itertools.groupby(lines, key=lambda line: bool(_EXAMPLE.match(line)))
    return "\n".join(_filled("\n".join(lines), values) for _, lines in blocks) + "\n"


def names_of(world: WorldFile | None) -> dict[str, str]:
    """The first of each sort of thing that a world declares, for examples to be true there."""
    if world is None:
        return {}
    quest = next(iter(world.quests.items()), None)
    found = {
        "WORLD": world.name,
        "FACTION": next(iter(world.factions), ""),
        "PLACE": next(iter(world.places), ""),
        "EVENT": next(iter(world.events), ""),
        "TOOL": next((tool.name for tool in world.tools), ""),
        "QUEST": quest[0] if quest else "",
        "STAGE": quest[1][-1] if quest else "",
        "DATE": world.calendar.today if world.calendar else "",
    }
    return {name: value for name, value in found.items() if value}


def uncommented(text: str) -> str:
    """The text with every example put to use."""
    return "\n".join(_EXAMPLE.sub(r"\1", line) for line in text.splitlines()) + "\n"


def yaml_text(text: str) -> str:
    """A text as it stands in YAML: plain where that is safe, else in quotes."""
    is_word = text.lower() in {"true", "false", "null"}
    return text if _PLAIN.fullmatch(text) and not is_word else json.dumps(text, ensure_ascii=False)


def _quoted(line: str) -> str:
    """A line of YAML made fit for a world whose name needs quotes: around the name alone, or around the sentence."""
    head, _, text = line.partition(": ")
    if _WORLD not in line or text == _WORLD or "{" in line:
        return line.replace(_WORLD, "@QUOTED@")
    return f'{head}: "{text.replace(_WORLD, "@ESCAPED@")}"'


def _filled(block: str, values: Mapping[str, str]) -> str:
    """Lines of one sort, examples or none: examples stand and fall together."""
    unknown = {name for name in _TOKEN.findall(block) if name not in values}
    if unknown:
        assert unknown <= _FALLBACK.keys(), f"the starters know no {sorted(unknown)}"
        block = "\n".join(_EXAMPLE.sub(r"\1##", line) for line in block.split("\n"))
    return _TOKEN.sub(lambda found: values.get(found[1]) or _FALLBACK[found[1]], block)
