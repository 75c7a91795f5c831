"""Lore in Markdown: an entry a `## ` section, its attributes in lines right under the heading.

Front matter between two `---` lines says what holds for every section of the file. Knows no folders; called by
lore/read.py. personas/README.md shows writers the form.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.lore.schema import MAX_ENTRIES, Head, LoreItem
from npc_sdk.lore.sheet import Placed, Sheet, Spot, crowd_problems, empty_sheet, under_heading
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import MAX_PROBLEMS, first_problems, name_hint
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import Document, FieldPath, Place, parse_yaml

_ATTRIBUTE = re.compile(r"^([a-z_]+):\s*(.*)$")
_NAMES = tuple(name for name in LoreItem.model_fields if name != "text")
_LISTS = frozenset({"keys", "secondary_keys", "excluded_keys", "group", "npcs", "factions", "places"})
_TEXTS = frozenset({"id", "logic", "match", "always", "since", "until", "when", "source"})

_MAX_ITEMS = 100  # that are looked at: more than any list may hold, of which the model tells

# One item of a list: a pattern between slashes, which may hold commas, or all up to the next comma.
_ITEM = re.compile(r"\s*(/(?:\\.|[^/\\])+/[A-Za-z]*(?=\s*(?:,|$))|[^,]*)")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{1,15})?")
_WORDS = {"true": True, "false": False}


@dataclass(slots=True)
class _Section:
    """One passage as written. Units: line counts from 1 and is the heading's."""

    heading: str
    line: int
    values: dict[str, JsonValue] = field(default_factory=dict)
    places: dict[FieldPath, Place] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def document(self, path: Path) -> Document:
        """The section as a document of its own, like one entry of a YAML file."""
        values = {"id": f"{_book_id(path)}.{_slug(self.heading)}", **self.values, "text": " ".join(self.lines)}
        return Document(path, values, {(): Place(self.line, 0), **self.places})


def read_page(text: str, path: Path) -> Sheet:
    """The sections of a Markdown file and every mistake in it."""
    lines = text.splitlines()
    start, sheet = _front_matter(lines, path)
    sections = _sections(lines, start, sheet)
    documents = [section.document(path) for section in sections if section.lines]
    if crowded := list(crowd_problems([document.value for document in documents], path)):
        return empty_sheet(path, crowded)
    problems: list[ContentError] = []
    for section, document in zip((section for section in sections if section.lines), documents, strict=True):
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
        elif sections:
            sheet.problems += _add_line(sections[-1], line, number, sheet.path)
        elif line.strip() and not line.startswith("# "):
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
    value, problems = validate(document, Head)
    return end + 1, Sheet(path, value or Head(), Spot(document), problems=problems)


def _add_line(section: _Section, line: str, number: int, path: Path) -> list[ContentError]:
    """Enters a line into its section. Mutates: section."""
    found = _ATTRIBUTE.match(line)
    if found is None or section.lines:
        section.lines += [" ".join(line.split())] if line.strip() else []
        return []
    name, told, hint = found[1], "", ""
    if name not in _NAMES:
        told, hint = f"unknown attribute {name!r}", name_hint(name, _NAMES, "attributes")
    elif name in section.values:
        told = f"the attribute {name!r} is given twice"
    elif not found[2].strip():
        told, hint = f"the attribute {name!r} has no value", "write one after the ':', or take the line out"
    if told:
        return [ContentError(told, path=path, line=number, column=1, field=section.heading, hint=hint)]
    _enter(section, name, found[2], number, found.start(2))
    return []


def _enter(section: _Section, name: str, text: str, number: int, column: int) -> None:
    """Mutates: section."""
    section.places[name,] = Place(number, 1)
    if name not in _LISTS:
        section.values[name] = _unquoted(text.strip()) if name in _TEXTS else _scalar(text.strip())
        return
    items: list[JsonValue] = []
    for item, start in itertools.islice(_items(text), _MAX_ITEMS):
        section.places[name, len(items)] = Place(number, column + start + 1)
        items.append(item)
    section.values[name] = items


def _items(text: str) -> Iterator[tuple[str, int]]:
    """The items of a comma-separated list, and where each begins."""
    at = 0
    while at <= len(text):
        found = _ITEM.match(text, at)
        assert found is not None, "the pattern takes any text, if only nothing of it"
        if item := found[1].strip():
            yield item, found.start(1)
        comma = text.find(",", found.end())
        at = comma + 1 if comma >= 0 else len(text) + 1


def _scalar(text: str) -> JsonValue:
    """A word for yes or no, a number, or the text as it is, of which the model will tell."""
    if text in _WORDS:
        return _WORDS[text]
    if found := _NUMBER.fullmatch(text):
        return float(text) if found[1] else int(text)
    return text


def _unquoted(text: str) -> str:
    """Quotes around the whole are YAML's habit; a condition in them would be a text that always holds."""
    for quote in "\"'":
        if len(text) > 1 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            return text[1:-1]
    return text


def _book_id(path: Path) -> str:
    """A file's name as ids begin with it."""
    return re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-._") or "lore"


def _slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "entry"


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
