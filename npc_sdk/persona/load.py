"""Reads personas, kinds and world.yaml into their models and tells every mistake with its place and a hint.

Knows no lore: lore/content.py reads a whole content folder with this. Called by it, by `npc check` and by games
that keep a single persona.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from npc_sdk.errors import ContentError
from npc_sdk.persona.kind import inherited, kinds_folder
from npc_sdk.persona.line_check import line_problems
from npc_sdk.persona.problem import raise_if_any
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import Document, link_problem, read_yaml

PERSONA_FILE = "persona.yaml"
WORLD_FILE = "world.yaml"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """A file as read: its model where it is valid, its document where it is YAML, and every mistake in it.

    A persona's document holds what its kinds add, each value with its place in the file where it stands.
    """

    value: M | None
    document: Document | None
    problems: tuple[ContentError, ...]


def load_persona(folder_or_file: Path) -> Persona:
    """One character, from its folder or its persona.yaml.

    Raises: ContentProblems with every mistake; whether its tools exist is known to the world alone.
    """
    found = read_persona(persona_path(Path(folder_or_file)))
    raise_if_any(found.problems)
    assert found.value is not None, "a file without mistakes has a value"
    return found.value


def persona_path(folder_or_file: Path) -> Path:
    """Where a character's file is."""
    return folder_or_file / PERSONA_FILE if folder_or_file.is_dir() else folder_or_file


def read_persona(path: Path) -> Reading[Persona]:
    """A persona file laid over its kinds, with its lines checked."""
    return _read_persona(path, path.parent, kinds_folder(path), (), is_whole=True)


def read_kind(path: Path) -> Reading[Persona]:
    """A kind's file, laid over its own kinds: a persona in which anything may be missing."""
    return _read_persona(path, path.parent, path.parent, (path.stem,), is_whole=False)


def read_world_file(path: Path) -> Reading[WorldFile]:
    """world.yaml; its parts are checked against each other."""
    document, problems = _document(path, path.parent)
    if document is None:
        return Reading(None, None, tuple(problems))
    value, problems = validate(document, WorldFile)
    return Reading(value, document, tuple(problems))


def _read_persona(path: Path, folder: Path, kinds: Path, chain: tuple[str, ...], *, is_whole: bool) -> Reading[Persona]:
    """What is missing is told only of a whole persona, and where none of its kinds is missing itself."""
    document, problems = _document(path, folder)
    if document is None:
        return Reading(None, None, tuple(problems))
    found = inherited(document, kinds, chain)
    value, wrong = validate(found.document, Persona, is_partial=not (is_whole and found.is_whole))
    problems = [*found.problems, *wrong, *line_problems(found.document)]
    return Reading(None if problems else value, found.document, tuple(problems))


def _document(path: Path, folder: Path) -> tuple[Document | None, list[ContentError]]:
    try:
        if outside := link_problem(path, folder):
            return None, [outside]
        return read_yaml(path), []
    except ContentError as problem:
        return None, [problem]
