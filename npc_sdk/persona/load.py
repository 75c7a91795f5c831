"""Reads personas and world.yaml into their models and tells every mistake with file, line, field and a hint.

Knows no lore: lore/content.py reads a whole content folder with this. Called by it, by `npc check` and by games
that keep a single persona.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from npc_sdk.errors import ContentError
from npc_sdk.persona.problem import MAX_PROBLEMS, in_plain_words, name_hint, raise_if_any
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.situation import FILTERS, SituationError, check_situation_line
from npc_sdk.persona.validate import problem_at, validate
from npc_sdk.persona.yaml_reader import Document, FieldPath, link_problem, read_yaml

PERSONA_FILE = "persona.yaml"
WORLD_FILE = "world.yaml"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """A file as read: its model where it is valid, its document where it is YAML, and every mistake in it."""

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
    """A persona file with its situation lines checked."""
    found = _read(path, Persona)
    if found.document is None:
        return found
    return Reading(found.value, found.document, (*found.problems, *_situation_problems(found.document)))


def read_world_file(path: Path) -> Reading[WorldFile]:
    """world.yaml; its tools and sets are checked against each other."""
    return _read(path, WorldFile)


def _read(path: Path, model: type[M]) -> Reading[M]:
    try:
        if outside := link_problem(path, path.parent):
            return Reading(None, None, (outside,))
        document = read_yaml(path)
    except ContentError as problem:
        return Reading(None, None, (in_plain_words(problem),))
    value, problems = validate(document, model)
    return Reading(value, document, tuple(problems))


def _situation_problems(document: Document) -> list[ContentError]:
    problems: list[ContentError] = []
    for where, line in _situation_lines(document):
        try:
            check_situation_line(line)
        except SituationError as exc:
            told = str(exc).removesuffix(".")
            problems.append(problem_at(document, where, f"{line!r}: {told}", _situation_hint(told)))
    return problems


def _situation_hint(told: str) -> str:
    if found := re.search(r"No filter named '(.*)'", told):
        return name_hint(found[1], FILTERS, "filters")
    if "end of print statement" in told or "unexpected '}'" in told:
        return "a variable stands between '{{' and '}}'"
    if found := re.search(r"needs to be closed is '(\w+)'", told):
        return f"close it with '{{% end{found[1]} %}}'"
    return "personas/README.md says what a situation line can do"


def _situation_lines(document: Document) -> Iterator[tuple[FieldPath, str]]:
    """The lines as written, so that a mistake elsewhere in the file does not hide those in them."""
    items = document.value.get("situation") if isinstance(document.value, dict) else None
    for index, item in enumerate(items[:MAX_PROBLEMS] if isinstance(items, list) else ()):
        if isinstance(item, str):  # the model tells of the others
            yield ("situation", index), item
