"""`npc check PATH…`: tells every mistake of personas, worlds and lore before a game meets it.

Knows no engine and no prompt. Registered by cli/app.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from npc_sdk.errors import ContentError
from npc_sdk.lore.content import LORE_FOLDER, WORLD_FOLDER, inspect_persona, inspect_world
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.read import link_problems, read_lore
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE, Reading, read_persona, read_world_file
from npc_sdk.persona.problem import name_hint
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.tool_check import tool_problems


@dataclass(slots=True)
class _Tally:
    """What was looked at, what is wrong with it, and what only may be."""

    npcs: int = 0
    entries: int = 0
    problems: list[ContentError] = field(default_factory=list)
    notes: list[ContentError] = field(default_factory=list)


def check(
    paths: Annotated[list[Path], typer.Argument(help="Content folders, single persona folders, or YAML files.")],
) -> None:
    """Check personas, worlds and lore; print every mistake with its file and line. Exit status 1 if there is any."""
    tally = _Tally()
    for path in paths:
        _check_path(path, tally)
    for problem in _once(tally.problems):
        typer.echo(str(problem))
    for note in _once(tally.notes):
        typer.echo(f"note: {note}")
    typer.echo(_summary(tally))
    if tally.problems:
        raise typer.Exit(1)


def _check_path(path: Path, tally: _Tally) -> None:
    """Finds out what kind of thing a path is. Mutates: tally."""
    if not path.exists():
        tally.problems.append(_missing(path))
    elif path.is_file():
        _check_file(path, tally)
    elif (path / PERSONA_FILE).exists():
        _check_persona_folder(path, tally)
    elif (path / WORLD_FILE).exists():
        _check_world_folder(path, tally)
    elif path.is_dir() and not any(path.glob(f"*/{PERSONA_FILE}")) and not (path / WORLD_FOLDER).exists():
        hint = f"a character's folder holds {PERSONA_FILE}, a content folder holds such folders and {WORLD_FOLDER}/"
        tally.problems.append(ContentError("there is nothing to check in this folder", path=path, hint=hint))
    else:
        found = inspect_world(path)
        tally.npcs += found.npc_count
        tally.entries += found.entry_count
        tally.problems += found.problems
        tally.notes += found.notes


def _check_file(path: Path, tally: _Tally) -> None:
    if path.name == WORLD_FILE:
        tally.problems += read_world_file(path).problems
        return
    if path.parent.name == LORE_FOLDER:
        _check_lore_file(path, tally)
        return
    if path.suffix not in {".yaml", ".yml"}:
        hint = "give a YAML file or a folder"
        tally.problems.append(ContentError(f"a file of kind {path.suffix!r} cannot be checked", path=path, hint=hint))
        return
    found = read_persona(path)
    tally.npcs += 1
    tally.problems += [*found.problems, *_tool_problems_near(path.parent, found)]


def _missing(path: Path) -> ContentError:
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return ContentError("there is no such file or folder", path=path, hint=name_hint(path.name, beside, "names there"))


def _check_lore_file(path: Path, tally: _Tally) -> None:
    """One file of lore, read as a part of its folder: whose lore it is decides what it may say."""
    home = path.resolve().parent.parent.name
    entries, problems = read_lore(path.parent, None if home == WORLD_FOLDER else home)
    _count(tally, 0, [entry for entry in entries if entry.path == path], [p for p in problems if p.path == path])


def _check_persona_folder(folder: Path, tally: _Tally) -> None:
    """One character; its tools are checked where its world stands beside it."""
    world_file = folder.resolve().parent / WORLD_FOLDER / WORLD_FILE
    world = read_world_file(world_file) if world_file.exists() else None
    named = folder if folder.name not in {"", ".."} else folder.resolve()  # the name is the id
    _, entries, problems = inspect_persona(named, world)
    _count(tally, 1, entries, [*problems, *link_problems(entries, [named.name])])


def _check_world_folder(folder: Path, tally: _Tally) -> None:
    """The shared part alone: who is named in its lore is known only where the cast is checked too."""
    entries, problems = read_lore(folder / LORE_FOLDER)
    named = {npc_id for entry in entries for npc_id in entry.npc_ids}
    world = read_world_file(folder / WORLD_FILE)
    _count(tally, 0, entries, [*world.problems, *problems, *link_problems(entries, named)])


def _count(tally: _Tally, npcs: int, entries: Sequence[LoreEntry], problems: Sequence[ContentError]) -> None:
    tally.npcs += npcs
    tally.entries += len(entries)
    tally.problems += problems


def _tool_problems_near(folder: Path, found: Reading[Persona]) -> list[ContentError]:
    world_file = folder.resolve().parent / WORLD_FOLDER / WORLD_FILE
    world = read_world_file(world_file).value if world_file.exists() else None
    return tool_problems(found, world) if world else []


def _once(problems: Sequence[ContentError]) -> list[ContentError]:
    """In the order of files and lines, each told once though its file was reached by two paths."""
    unique = {str(problem): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: (str(problem.path), problem.line))


def _summary(tally: _Tally) -> str:
    looked_at = f"{_plural(tally.npcs, 'character')}, {_plural(tally.entries, 'lore entry', 'lore entries')}"
    wrong = _once(tally.problems)
    if not wrong:
        return f"{looked_at}: no mistakes"
    files = len({problem.path for problem in wrong})
    return f"{looked_at}: {_plural(len(wrong), 'mistake')} in {_plural(files, 'file')}"


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
