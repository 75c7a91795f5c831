"""A lore file as read: what it says for all its entries, the entries, where each stands, and every mistake.

What Markdown and YAML have in common. Made by lore/markdown.py and lore/read.py, which makes lore entries of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.lore.schema import Head, LoreItem
from npc_sdk.messages import JsonValue
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.yaml_reader import Document, FieldPath

MAX_REGEXES = 200  # of one file: each is run over what is said
MAX_CONDITIONS = 500  # of one file, those that are the same counted once


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an entry or a head stands: under a path of the document. heading is that of a Markdown section."""

    document: Document
    where: FieldPath = ()
    heading: str = ""

    def problem(self, attribute: str, message: str, hint: str = "") -> ContentError:
        """A mistake in one of its attributes."""
        return under_heading(self.heading, problem_at(self.document, (*self.where, attribute), message, hint))

    def item_problem(self, attribute: str, item: str, message: str, hint: str = "") -> ContentError:
        """A mistake in one item of a list of its."""
        value: JsonValue = self.document.value
        for step in (*self.where, attribute):
            value = value[step]  # type: ignore[index]  # the path was read from this very value
        where = (*self.where, attribute, value.index(item) if isinstance(value, list) else 0)
        return under_heading(self.heading, problem_at(self.document, where, message, hint))


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry as written. Units: line counts from 1."""

    item: LoreItem
    spot: Spot
    line: int


@dataclass(slots=True)
class Sheet:
    """One file."""

    path: Path
    head: Head
    head_spot: Spot
    entries: list[Placed] = field(default_factory=list)
    problems: list[ContentError] = field(default_factory=list)


def empty_sheet(path: Path, problems: Sequence[ContentError]) -> Sheet:
    """A file of which nothing could be read."""
    return Sheet(path, Head(), Spot(Document(path, {})), problems=list(problems))


def under_heading(heading: str, problem: ContentError) -> ContentError:
    """The same mistake, its field named as a part of a Markdown section."""
    if not heading:
        return problem
    name = f"{heading}.{problem.field}" if problem.field else heading
    path, line, column = problem.path, problem.line, problem.column
    return ContentError(problem.message, path=path, line=line, column=column, field=name, hint=problem.hint)


def crowd_problems(items: object, path: Path) -> Iterator[ContentError]:
    """Whether a file holds more than can be checked and run in time, looked at before anything is compiled."""
    found = [item for item in items if isinstance(item, Mapping)] if isinstance(items, Sequence) else []
    conditions = {when for item in found if isinstance(when := item.get("when"), str)}
    if len(conditions) > MAX_CONDITIONS:
        told = f"{len(conditions):,} different conditions"
        yield ContentError(told, path=path, field="when", hint=f"at most {MAX_CONDITIONS} in one file")
    lists = [item.get(name) for item in found for name in ("keys", "secondary_keys", "excluded_keys")]
    keys = [key for keys in lists if isinstance(keys, list) for key in keys]
    regexes = sum(isinstance(key, str) and key.startswith("/") for key in keys)
    if regexes > MAX_REGEXES:
        told = f"{regexes:,} regular expressions"
        yield ContentError(told, path=path, field="keys", hint=f"at most {MAX_REGEXES} in one file")
