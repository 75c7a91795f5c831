"""Lore in Markdown: an entry a `## ` section, its attributes in lines right under the heading.

Front matter between two `---` lines says what holds for every section of the file. Knows no folders; called by
lore/read.py. personas/README.md shows writers the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.lore.attribute import Line, attribute_line, looks_like, odd_sign
from npc_sdk.lore.schema import MAX_ENTRIES, Head, LoreItem
from npc_sdk.lore.sheet import Placed, Sheet, Spot, crowd_problems, empty_sheet, under_heading
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import MAX_PROBLEMS, first_problems, shown
from npc_sdk.persona.slug import is_sign, slug
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import Document, FieldPath, Place, parse_yaml

_MISSET_HEADING = re.compile(r"\s*##(?!#)")
_PLACE_HINT = "attributes stand right under the heading, in small letters: '{}: …'"


@dataclass(slots=True)
class _Section:
    """One passage as written. Units: line counts from 1 and is the heading's."""

    heading: str
    line: int
    values: dict[str, JsonValue] = field(default_factory=dict)
    places: dict[FieldPath, Place] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def document(self, path: Path, name: str) -> Document:
        """The section as a document of its own, like one entry of a YAML file. name is its own in the id."""
        values = {"id": f"{_book_id(path)}.{name}", **self.values, "text": " ".join(self.lines)}
        return Document(path, values, {(): Place(self.line, 0), **self.places})


def read_page(text: str, path: Path) -> Sheet:
    """The sections of a Markdown file and every mistake in it."""
    lines = text.splitlines()
    start, sheet = _front_matter(lines, path)
    sections = _sections(lines, start, sheet)
    told = [section for section in sections if section.lines]
    documents = [section.document(path, name) for section, name in zip(told, _names(told), strict=True)]
    if crowded := list(crowd_problems([document.value for document in documents], path)):
        return empty_sheet(path, crowded)
    problems: list[ContentError] = []
    for section, document in zip(told, documents, strict=True):
        if len(problems) > MAX_PROBLEMS:
            break
        item, wrong = validate(document, LoreItem)
        problems += [under_heading(section.heading, problem) for problem in wrong]
        if item is not None:
            sheet.entries.append(Placed(item, Spot(document, (), section.heading), section.line))
    sheet.problems = first_problems([*sheet.problems, *problems, *_empty_sections(sections, path)])
    return sheet


def _sections(lines: list[str], start: int, sheet: Sheet) -> list[_Section]:
    """Mutates: the sheet's problems."""
    sections: list[_Section] = []
    for number, line in enumerate(lines[start:], start + 1):
        if len(sheet.problems) > MAX_PROBLEMS:
            break
        if line.startswith("## ") and len(sections) == MAX_ENTRIES:
            told = f"more than {MAX_ENTRIES:,} entries"
            sheet.problems.append(ContentError(told, path=sheet.path, line=number, hint="split the file"))
            break
        if line.startswith("## "):
            sections.append(_Section(line[3:].strip(), number))
            sheet.problems += _unread(line, number, sections[-1].heading, sheet.path)
        elif sections:
            sheet.problems += _add_line(sections[-1], line, number, sheet.path)
        elif line.startswith("# "):
            sheet.problems += _unread(line, number, "", sheet.path)
        elif line.strip():
            sheet.problems.append(_outside(sheet.path, number))
    if not sections and not sheet.problems:
        hint = "begin each with a line '## Heading'"
        sheet.problems.append(ContentError("the file has no entry", path=sheet.path, hint=hint))
    return sections


def _front_matter(lines: list[str], path: Path) -> tuple[int, Sheet]:
    """How many lines it takes, and a sheet with what it says and its mistakes."""
    if not lines or lines[0].rstrip() != "---":
        return 0, empty_sheet(path, [])
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        hint = "close it with a second line '---'"
        problem = ContentError("the front matter has no end", path=path, line=1, hint=hint)
        return len(lines), empty_sheet(path, [problem])
    try:
        # The leading empty line stands for the '---', so that lines count as in the file.
        document: Document = parse_yaml("\n" + "\n".join(lines[1:end]), path)
    except ContentError as problem:
        return end + 1, empty_sheet(path, [problem])
    if document.value is None:  # nothing, or comments alone
        return end + 1, empty_sheet(path, [])
    value, problems = validate(document, Head)
    return end + 1, Sheet(path, value or Head(), Spot(document), problems=problems)


def _add_line(section: _Section, line: str, number: int, path: Path) -> list[ContentError]:
    """Enters a line into its section. Mutates: section."""
    found = attribute_line(line)
    if found is None or section.lines:
        if unread := _unread(line, number, section.heading, path):
            return unread
        section.lines += [" ".join(line.split())] if line.strip() else []
        return []
    told, hint = found.fault()
    if not told and found.name in section.values:
        told = f"the attribute {found.name!r} is given twice"
    if told:
        return [ContentError(told, path=path, line=number, column=1, field=section.heading, hint=hint)]
    return _enter(section, found, number, path)


def _enter(section: _Section, given: Line, number: int, path: Path) -> list[ContentError]:
    """Mutates: section."""
    section.places[given.name,] = Place(number, 1)
    if not given.is_list:
        section.values[given.name] = given.value()
        return []
    items: list[JsonValue] = []
    problems: list[ContentError] = []
    for item, column in given.items():
        section.places[given.name, len(items)] = Place(number, column + 1)
        if sign := odd_sign(item):
            told, hint = f"{shown(item)} holds a {sign!r}", "write names and keys with commas between, and nothing else"
            where = f"{section.heading}.{given.name}[{len(items)}]"
            problems.append(ContentError(told, path=path, line=number, column=column + 1, field=where, hint=hint))
        else:
            items.append(item)
    section.values[given.name] = items
    return problems


def _unread(line: str, number: int, heading: str, path: Path) -> list[ContentError]:
    """Lines that would be told as text, but look like an attribute or a heading; what they bound would be lost."""
    name, at = looks_like(line)
    told, hint = f"this {name!r} is not read as an attribute", _PLACE_HINT.format(name)
    if not name and not line.startswith("## ") and (found := _MISSET_HEADING.match(line)):
        told, hint, at = "this heading begins no entry", "write '## Heading' at the beginning of the line", found.end()
    elif not name:
        return []
    return [ContentError(told, path=path, line=number, column=at + 1, field=heading, hint=hint)]


def _names(sections: list[_Section]) -> Iterator[str]:
    """What the ids end with: the heading, or where that has no letter, a number."""
    nameless = 0
    for section in sections:
        name = slug(section.heading)
        nameless += not name
        yield name or ("entry" if nameless == 1 else f"entry-{nameless}")


def _book_id(path: Path) -> str:
    """A file's name as ids begin with it."""
    signs = (sign if sign in "_.-" or is_sign(sign) else " " for sign in path.stem.lower())
    return "-".join("".join(signs).split()).strip("-._") or "lore"


def _empty_sections(sections: list[_Section], path: Path) -> Iterator[ContentError]:
    for section in sections:
        if not section.lines:
            hint = "write one to three sentences under it"
            yield ContentError(
                "the entry has no text", path=path, line=section.line, field=section.heading or "##", hint=hint
            )


def _outside(path: Path, number: int) -> ContentError:
    hint = "begin each entry with a line '## Heading'"
    return ContentError("text before the first heading belongs to no entry", path=path, line=number, hint=hint)
