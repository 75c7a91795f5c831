"""Reads a whole content folder: the world, its kinds, its cast and its lore, checked against each other.

personas/world/ holds what all share; every other folder is one character. Called by world.py, `npc check` and
`npc prompt`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.lore.entry import Book, LoreEntry, Scope
from npc_sdk.lore.entry_notes import entry_notes
from npc_sdk.lore.language import Language
from npc_sdk.lore.read import Found, link_problems, read_lore
from npc_sdk.lore.scope_check import scope_notes, scope_problems
from npc_sdk.lore.stray_file import LORE_FOLDER as LORE_FOLDER
from npc_sdk.lore.stray_file import stray_notes
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.cast_check import cast_problems
from npc_sdk.persona.kind import KINDS_FOLDER, kind_paths
from npc_sdk.persona.kind import WORLD_FOLDER as WORLD_FOLDER
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE, Reading, read_kind, read_persona, read_world_file
from npc_sdk.persona.persona_notes import persona_notes, world_notes
from npc_sdk.persona.problem import raise_if_any
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.tool_check import source_notes, tool_problems
from npc_sdk.persona.validate import problem_at

TIMELINE = "timeline"

_NPC_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class WorldContent:
    """Everything authored, valid and linked. lore holds the shared entries, the timeline and each character's own."""

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
    entries, problems = inspect_shared(root / WORLD_FOLDER, world)
    cast: dict[str, Reading[Persona]] = {}
    folders, wrong = cast_folders(root)
    problems += wrong
    npc_ids = [folder.name for folder in folders]
    for folder in folders:
        found, own, wrong = inspect_persona(folder, world, npc_ids)
        problems += wrong
        entries += own
        cast[folder.name] = found
    problems += link_problems(entries, npc_ids, _npc_titles(cast, world.value))
    notes = stray_notes(root / WORLD_FOLDER, folders)
    return _linked(root, world, cast, tuple(entries), problems, notes)


def inspect_shared(folder: Path, world: Reading[WorldFile]) -> Found:
    """What all share: world.yaml with its timeline, the kinds and the shared lore, with every mistake of these."""
    problems = [*world.problems, *_language_problems(world)]
    entries, wrong = _read_lore(folder / LORE_FOLDER, None, world)
    problems += wrong
    for path in kind_paths(folder / KINDS_FOLDER):
        kind = read_kind(path)
        problems += kind.problems
        problems += tool_problems(kind, world.value) if world.value else ()
    return [*entries, *_timeline(world)], problems


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
    folder: Path, world: Reading[WorldFile] | None, npc_ids: Collection[str] | None = None
) -> tuple[Reading[Persona], list[LoreEntry], list[ContentError]]:
    """One character's folder: its persona, its own lore and every mistake.

    Without a world, what it names of one is not checked; without npc_ids, which are those of the cast, whom it names.
    """
    problems: list[ContentError] = []
    if not _NPC_ID.fullmatch(folder.name):
        hint = "small letters, digits and _, a letter first"
        problems.append(ContentError(f"the folder name {folder.name!r} is no NPC id", path=folder, hint=hint))
    found = read_persona(folder / PERSONA_FILE)
    problems += found.problems
    if world is not None and world.value is not None:
        problems += tool_problems(found, world.value)
        problems += cast_problems(folder.name, found, world.value, npc_ids)
    entries, wrong = _read_lore(folder / LORE_FOLDER, folder.name, world)
    return found, entries, problems + wrong


def _npc_titles(cast: Mapping[str, Reading[Persona]], world: WorldFile | None) -> dict[str, str]:
    """The ids of characters by their names, and by what world.yaml says that these are called."""
    called = {found.value.name: npc_id for npc_id, found in cast.items() if found.value is not None}
    names = world.names if world is not None else {}
    aliases = {alias: called[name] for name, of in names.items() if name in called for alias in of.aliases}
    return {**aliases, **called}


def _linked(
    root: Path,
    world: Reading[WorldFile],
    cast: Mapping[str, Reading[Persona]],
    entries: tuple[LoreEntry, ...],
    problems: Iterable[ContentError],
    notes: Iterable[ContentError],
) -> Inspection:
    """Holds everything that was read against each other. A mistake in a kind shows in all who extend it: told once."""
    personas = {npc_id: found.value for npc_id, found in cast.items() if found.value is not None}
    notes = [*notes, *source_notes(world, personas.values()), *world_notes(world), *entry_notes(entries)]
    notes += (note for found in cast.values() for note in persona_notes(found))
    problems = list(problems)
    if world.value is not None:
        problems += scope_problems(entries, world.value, personas if len(personas) == len(cast) else None)
        notes += scope_notes(entries, world.value)
        entries = tuple(_with_inner_places(entry, world.value) for entry in entries)
    problems, notes = _once(problems), _once(notes)
    content = None
    if not problems and world.value is not None:
        content = WorldContent(world.value, MappingProxyType(personas), entries, root)
    return Inspection(content, problems, len(cast), len(entries), notes)


def _once(told: Iterable[ContentError]) -> tuple[ContentError, ...]:
    return tuple({str(one): one for one in told}.values())


def _with_inner_places(entry: LoreEntry, world: WorldFile) -> LoreEntry:
    """What is known in the village is known in its forge."""
    if not entry.scope.places:
        return entry
    places = world.with_inner_places(entry.scope.places)
    return dataclasses.replace(entry, scope=dataclasses.replace(entry.scope, places=places))


def _read_lore(folder: Path, owner: str | None, world: Reading[WorldFile] | None) -> Found:
    """A folder of lore; a world that cannot be read says nothing of its calendar."""
    value = world.value if world is not None else None
    if value is None:
        return read_lore(folder, owner, has_world=False)
    told = value.lore
    book = Book("", told.scan_depth, told.budget_tokens, told.recursive, told.max_steps)
    return read_lore(folder, owner, calendar=value.calendar, defaults=book)


def _timeline(world: Reading[WorldFile]) -> list[LoreEntry]:
    """What happened, as lore that is known from its day on."""
    value, document = world.value, world.document
    if value is None or document is None or value.calendar is None:
        return []
    book = Book(TIMELINE, value.lore.scan_depth, value.lore.budget_tokens, value.lore.recursive, value.lore.max_steps)
    entries = []
    for index, told in enumerate(value.timeline):
        day = value.calendar.parse(told.date)
        npcs, factions, places = frozenset(told.npcs), frozenset(told.factions), frozenset(told.places)
        scope = Scope(npcs, factions, places, since=day, when=told.when)
        text, line = " ".join(told.text.split()), document.line((TIMELINE, index))
        entry = LoreEntry(f"{TIMELINE}.{told.slug}", text, tuple(dict.fromkeys(told.keys)), scope, book=book, day=day)
        entries.append(dataclasses.replace(entry, path=document.path, line=line))
    return entries


def _language_problems(world: Reading[WorldFile]) -> list[ContentError]:
    """A language that the search does not know by this name."""
    if world.value is None or world.document is None:
        return []
    try:
        Language.named(world.value.language)
    except SettingsError as exc:
        return [problem_at(world.document, ("language",), exc.message, exc.hint)]
    return []
