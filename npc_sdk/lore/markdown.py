"""Lore in Markdown: an entry a `## ` section, its attributes in lines right under the heading.

Front matter between two `---` lines gives keys and npcs to every section of the file. Knows no folders; called by
lore/read.py. personas/README.md shows writers the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.lore.schema import MAX_ENTRIES, Attributes
from npc_sdk.persona.problem import MAX_PROBLEMS, first_problems, name_hint
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import Document, parse_yaml

_ATTRIBUTE = re.compile(r"^([a-z_]+):\s*(.*)$")
_NAMES = ("keys", "npcs", "id")


@dataclass(slots=True)
class Section:
    """One passage as written. Units: line counts from 1 and is the heading's."""

    heading: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The passage on one line."""
        return " ".join(self.lines)

    def names(self, attribute: str) -> tuple[str, ...]:
        """A comma-separated attribute as a list."""
        return tuple(part.strip() for part in self.attributes.get(attribute, "").split(",") if part.strip())


@dataclass(slots=True)
class Page:
    """A file of sections. shared holds for each of them."""

    sections: list[Section]
    shared: Attributes
    problems: list[ContentError]


def parse_page(text: str, path: Path) -> Page:
    """The sections of a Markdown file and every mistake in it."""
    lines = text.splitlines()
    start, shared, problems = _front_matter(lines, path)
    sections: list[Section] = []
    for number, line in enumerate(lines[start:], start + 1):
        if len(problems) > MAX_PROBLEMS:
            break
        if line.startswith("## ") and len(sections) == MAX_ENTRIES:
            hint = "split the file"
            problems.append(ContentError(f"more than {MAX_ENTRIES:,} entries", path=path, line=number, hint=hint))
            break
        if line.startswith("## "):
            sections.append(Section(line[3:].strip(), number))
        elif sections:
            problems += _add_line(sections[-1], line, number, path)
        elif line.strip() and not line.startswith("# "):
            problems.append(_outside(path, number))
    if not sections and not problems:
        problems.append(ContentError("the file has no entry", path=path, hint="begin each with a line '## Heading'"))
    return Page(sections, shared, first_problems([*problems, *_empty_sections(sections, path)]))


def _front_matter(lines: list[str], path: Path) -> tuple[int, Attributes, list[ContentError]]:
    """How many lines it takes, what it says, and its mistakes."""
    if not lines or lines[0].rstrip() != "---":
        return 0, Attributes(), []
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        hint = "close it with a second line '---'"
        return len(lines), Attributes(), [ContentError("the front matter has no end", path=path, line=1, hint=hint)]
    try:
        # The leading empty line stands for the '---', so that lines count as in the file.
        document: Document = parse_yaml("\n" + "\n".join(lines[1:end]), path)
    except ContentError as problem:
        return end + 1, Attributes(), [problem]
    value, problems = validate(document, Attributes)
    return end + 1, value or Attributes(), problems


def _add_line(section: Section, line: str, number: int, path: Path) -> list[ContentError]:
    """Enters a line into its section. Mutates: section."""
    found = _ATTRIBUTE.match(line)
    if found is None or section.lines:
        section.lines += [" ".join(line.split())] if line.strip() else []
        return []
    name, value = found.groups()
    if name not in _NAMES:
        hint = name_hint(name, _NAMES, "attributes")
        return [ContentError(f"unknown attribute {name!r}", path=path, line=number, field=section.heading, hint=hint)]
    if name in section.attributes:
        told = f"the attribute {name!r} is given twice"
        return [ContentError(told, path=path, line=number, field=section.heading)]
    section.attributes[name] = value
    return []


def _empty_sections(sections: list[Section], path: Path) -> Iterator[ContentError]:
    for section in sections:
        if not section.lines:
            hint = "write one to three sentences under it"
            yield ContentError(
                "the entry has no text", path=path, line=section.line, field=section.heading or "##", hint=hint
            )


def _outside(path: Path, number: int) -> ContentError:
    hint = "begin each entry with a line '## Heading'"
    return ContentError("text before the first heading belongs to no entry", path=path, line=number, hint=hint)
