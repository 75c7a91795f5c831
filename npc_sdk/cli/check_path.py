"""Finds out what kind of content a path is, and every mistake in it: a folder of characters, one of them, one file.

What stands in a content folder is checked with all that is around it, and the mistakes of the path are told. Knows
nothing of how (check_format.py). Called by `npc check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.lore.content import LORE_FOLDER, WORLD_FOLDER, inspect_persona, inspect_world
from npc_sdk.lore.read import link_problems, read_lore
from npc_sdk.persona.kind import KINDS_FOLDER
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE, read_kind, read_persona, read_world_file
from npc_sdk.persona.problem import name_hint

YAML_SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class Tally:
    """What was looked at, what is wrong with it, and what only may be."""

    npcs: int = 0
    entries: int = 0
    kinds: int = 0
    problems: list[ContentError] = field(default_factory=list)
    notes: list[ContentError] = field(default_factory=list)

    def sort(self) -> None:
        """Puts both lists into the order of files and places, each mistake once though two paths led to it."""
        self.problems = _once(self.problems)
        self.notes = _once(self.notes)


def look_at(paths: Iterable[Path]) -> Tally:
    """Every mistake of every path."""
    tally = Tally()
    for path in paths:
        _look_at(path if path.name not in {"", ".."} else path.resolve(), tally)  # a folder's name is an id
    tally.sort()
    return tally


def _look_at(path: Path, tally: Tally) -> None:
    """Mutates: tally."""
    if not path.exists():
        tally.problems.append(_missing(path))
    elif _is_content(path):
        _look_at_content(path, tally)
    elif (wrong := _no_content(path)) is not None:
        tally.problems.append(wrong)
    else:
        _count(path, tally)
        tally.problems += _problems_alone(path)
        if (root := _root_around(path)) is not None:
            found = inspect_world(root)
            tally.problems += [problem for problem in found.problems if problem.path.is_relative_to(path)]
            tally.notes += [note for note in found.notes if note.path.is_relative_to(path)]


def _look_at_content(root: Path, tally: Tally) -> None:
    """Mutates: tally."""
    found = inspect_world(root)
    tally.npcs += found.npc_count
    tally.entries += found.entry_count
    tally.problems += found.problems
    tally.notes += found.notes


def _is_content(path: Path) -> bool:
    """Whether a path is a whole world, or would be one."""
    is_part = (path / PERSONA_FILE).exists() or (path / WORLD_FILE).exists()
    return not is_part and ((path / WORLD_FOLDER).is_dir() or any(path.glob(f"*/{PERSONA_FILE}")))


def _no_content(path: Path) -> ContentError | None:
    """Why a path cannot be checked."""
    if path.is_dir():
        if any((path / name).exists() for name in (PERSONA_FILE, WORLD_FILE)):
            return None
        hint = f"a character's folder holds {PERSONA_FILE}, a content folder holds such folders and {WORLD_FOLDER}/"
        return ContentError("there is nothing to check in this folder", path=path, hint=hint)
    if path.suffix in YAML_SUFFIXES or _lore_folder(path) is not None:
        return None
    return ContentError(
        f"a file of kind {path.suffix!r} cannot be checked", path=path, hint="give a YAML file or a folder"
    )


def _missing(path: Path) -> ContentError:
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return ContentError("there is no such file or folder", path=path, hint=name_hint(path.name, beside, "names there"))


def _root_around(path: Path) -> Path | None:
    """The content folder that a path lies in, spelt as the path is."""
    around = [*path.parents, *(() if path.is_absolute() else path.absolute().parents)]
    inner = next((folder for folder in around if (folder / WORLD_FOLDER / WORLD_FILE).is_file()), None)
    return inner if inner is None or path.is_relative_to(inner) else None


def _lore_folder(path: Path) -> Path | None:
    """The lore folder that a file is in, at whatever depth."""
    return next((folder for folder in path.parents if folder.name == LORE_FOLDER), None)


def _owner(lore_folder: Path) -> str | None:
    """Whose lore it is decides what it may say."""
    home = lore_folder.resolve().parent.name
    return None if home == WORLD_FOLDER else home


def _problems_alone(path: Path) -> Sequence[ContentError]:
    """The mistakes that show without what is around a path."""
    if path.is_dir():
        return _folder_problems(path)
    if path.name == WORLD_FILE:
        return read_world_file(path).problems
    if (folder := _lore_folder(path)) is not None:
        _, problems = read_lore(folder, _owner(folder), has_world=False)
        return [problem for problem in problems if problem.path == path]
    return (read_kind(path) if path.parent.name == KINDS_FOLDER else read_persona(path)).problems


def _folder_problems(folder: Path) -> Sequence[ContentError]:
    if (folder / WORLD_FILE).exists():
        return read_world_file(folder / WORLD_FILE).problems
    _, entries, problems = inspect_persona(folder, None)
    return [*problems, *link_problems(entries, [folder.name])]


def _count(path: Path, tally: Tally) -> None:
    """Mutates: tally."""
    folder = path / LORE_FOLDER if path.is_dir() else _lore_folder(path)
    if folder is not None:
        entries, _ = read_lore(folder, _owner(folder), has_world=False)
        tally.entries += sum(entry.path.is_relative_to(path) for entry in entries)
    is_kind = path.parent.name == KINDS_FOLDER
    tally.kinds += is_kind
    is_shared = path.name == WORLD_FILE or (path / WORLD_FILE).exists() or (folder is not None and path.is_file())
    tally.npcs += not (is_kind or is_shared)


def _once(problems: Sequence[ContentError]) -> list[ContentError]:
    unique = {str(problem): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: (str(problem.path), problem.line, problem.column))
