"""Reads a whole content folder: the world, its cast and its lore, checked against each other.

personas/world/ holds what all share; every other folder is one character. Called by world.py, `npc check` and
`npc prompt`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.read import link_problems, read_lore
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE, Reading, read_persona, read_world_file
from npc_sdk.persona.problem import raise_if_any
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.tool_check import source_notes, tool_problems

WORLD_FOLDER = "world"
LORE_FOLDER = "lore"

_NPC_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class WorldContent:
    """Everything authored, valid and linked. lore holds the shared entries and each character's own."""

    world: WorldFile
    personas: Mapping[str, Persona]
    lore: tuple[LoreEntry, ...]
    root: Path


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a folder: content where there is no mistake, every mistake, and what only may be one."""

    content: WorldContent | None
    problems: tuple[ContentError, ...]
    npc_count: int = 0
    entry_count: int = 0
    notes: tuple[ContentError, ...] = ()


def load_world(folder: Path | str, tools: Sequence[ToolSpec] = ()) -> WorldContent:
    """The content of a folder; tools are those that the game brings beside the ones of world.yaml.

    Raises: ContentProblems with every mistake of every file, SettingsError for a tool of the game's that does not fit.
    """
    found = inspect_world(Path(folder), tools)
    raise_if_any(found.problems)
    assert found.content is not None, "a folder without mistakes has content"
    return found.content


def inspect_world(root: Path, tools: Sequence[ToolSpec] = ()) -> Inspection:
    """Reads and checks a content folder without stopping at mistakes in it. Raises: SettingsError, as load_world."""
    if not root.is_dir():
        return Inspection(None, (ContentError(f"there is no folder {str(root)!r}", path=root),))
    world = read_world_file(root / WORLD_FOLDER / WORLD_FILE)
    if tools and world.value is not None:
        world = dataclasses.replace(world, value=world.value.with_tools(tools))
    problems = list(world.problems)
    entries, wrong = read_lore(root / WORLD_FOLDER / LORE_FOLDER)
    problems += wrong
    personas: dict[str, Persona] = {}
    folders, wrong = cast_folders(root)
    problems += wrong
    for folder in folders:
        found, own, wrong = inspect_persona(folder, world)
        problems += wrong
        entries += own
        if found.value is not None:
            personas[folder.name] = found.value
    problems += link_problems(entries, [folder.name for folder in folders])
    content = None
    if not problems and world.value is not None:
        content = WorldContent(world.value, MappingProxyType(personas), tuple(entries), root)
    notes = source_notes(world, personas.values())
    return Inspection(content, tuple(problems), len(folders), len(entries), tuple(notes))


def cast_folders(root: Path) -> tuple[list[Path], list[ContentError]]:
    """The folders that stand for characters, and what is wrong where there are none."""
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")
    except OSError as exc:
        return [], [ContentError(f"the folder cannot be read: {exc.strerror}", path=root)]
    folders = [path for path in folders if path.name != WORLD_FOLDER]
    if not folders:
        return [], [ContentError("the folder holds no character", path=root, hint="make one folder an NPC")]
    return folders, []


def inspect_persona(
    folder: Path, world: Reading[WorldFile] | None
) -> tuple[Reading[Persona], list[LoreEntry], list[ContentError]]:
    """One character's folder: its persona, its own lore and every mistake; without a world, tools are not checked."""
    problems: list[ContentError] = []
    if not _NPC_ID.fullmatch(folder.name):
        hint = "small letters, digits and _, a letter first"
        problems.append(ContentError(f"the folder name {folder.name!r} is no NPC id", path=folder, hint=hint))
    found = read_persona(folder / PERSONA_FILE)
    problems += found.problems
    if world is not None and world.value is not None:
        problems += tool_problems(found, world.value)
    entries, wrong = read_lore(folder / LORE_FOLDER, owner=folder.name)
    return found, entries, problems + wrong
