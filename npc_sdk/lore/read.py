"""Reads a lore folder (.md and .yaml files) into entries, with every mistake told.

Whose folder it is decides who knows it: a character's own lore is known to nobody else. Called by lore/content.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.markdown import Section, parse_page
from npc_sdk.lore.schema import Attributes, LoreFile, LoreItem
from npc_sdk.lore.word import words
from npc_sdk.persona.problem import first_problems, name_hint, shown
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import link_problem, read_text, read_yaml

Found = tuple[list[LoreEntry], list[ContentError]]


def read_lore(folder: Path, owner: str | None = None) -> Found:
    """The entries of a folder and every mistake; a folder that does not exist has none.

    owner is the character whose folder it is, None for the world's.
    """
    entries: list[LoreEntry] = []
    problems: list[ContentError] = []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in paths:
        if outside := link_problem(path, folder.parent):
            problems.append(outside)
            continue
        reader = _READERS.get(path.suffix)
        if reader is None:
            hint = "lore is read from .md and .yaml files"
            problems.append(ContentError(f"a file of kind {path.suffix!r} is not lore", path=path, hint=hint))
            continue
        found, wrong = reader(path, owner)
        entries += found
        problems += wrong
    return entries, problems


def link_problems(entries: Sequence[LoreEntry], npc_ids: Iterable[str]) -> list[ContentError]:
    """What only shows when everything has been read: ids given twice, NPCs that do not exist, keys of no word."""
    return first_problems(_unlinked(entries, set(npc_ids)))


def _unlinked(entries: Sequence[LoreEntry], known: Set[str]) -> Iterator[ContentError]:
    seen: dict[str, LoreEntry] = {}
    for entry in entries:
        first = seen.setdefault(entry.entry_id, entry)
        if first is not entry:
            hint = f"first in {first.path.name}, line {first.line}; give one of them an 'id:'"
            yield _entry_problem(entry, f"the id {entry.entry_id!r} is given twice", hint)
        for key in entry.keys:
            if not words(key):
                yield _entry_problem(entry, f"the key {key!r} holds no word", "a key is one or more words")
        for name in sorted(entry.npc_ids - known):
            told = f"there is no NPC {name!r}"
            yield _entry_problem(entry, told, name_hint(name, known, "NPCs"))


def _entry_problem(entry: LoreEntry, message: str, hint: str) -> ContentError:
    return ContentError(message, path=entry.path, line=entry.line, field=entry.entry_id, hint=hint)


def _read_markdown(path: Path, owner: str | None) -> Found:
    try:
        page = parse_page(read_text(path), path)
    except ContentError as problem:
        return [], [problem]
    entries: list[LoreEntry] = []
    problems = page.problems
    for section in page.sections:
        item, wrong = _section_item(section, page.shared, path)
        problems += wrong
        if item is not None:
            problems += _owner_problems(item.npcs, owner, path, section.line, section.heading)
            entries.append(_entry(item, owner, path, section.line))
    return entries, problems


def _section_item(section: Section, shared: Attributes, path: Path) -> tuple[LoreItem | None, list[ContentError]]:
    try:
        return LoreItem(
            id=section.attributes.get("id") or f"{path.stem.lower()}.{_slug(section.heading)}",
            text=section.text or "-",  # an empty one has been told by the page
            keys=(*section.names("keys"), *shared.keys),
            npcs=section.names("npcs") or shared.npcs,
        ), []
    except ValidationError as exc:
        return None, [
            ContentError(
                f"{error['loc'][0]}: {error['msg']}, not {shown(error['input'])}",
                path=path,
                line=section.line,
                field=section.heading or "##",
            )
            for error in exc.errors(include_url=False)
        ]


def _read_yaml_lore(path: Path, owner: str | None) -> Found:
    try:
        document = read_yaml(path)
    except ContentError as problem:
        return [], [problem]
    value, problems = validate(document, LoreFile)
    entries: list[LoreEntry] = []
    for index, item in enumerate(value.entries if value else ()):
        where = ("entries", index, "id")
        problems += _owner_problems(item.npcs, owner, path, document.line(where), item.id)
        entries.append(_entry(item, owner, path, document.line(where)))
    return entries, problems


def _entry(item: LoreItem, owner: str | None, path: Path, line: int) -> LoreEntry:
    entry_id = f"{owner}.{item.id}" if owner else item.id
    npc_ids = frozenset({owner}) if owner else frozenset(item.npcs)
    text = " ".join(item.text.split())
    return LoreEntry(entry_id, text, tuple(dict.fromkeys(item.keys)), npc_ids, path, line)


def _owner_problems(npcs: Sequence[str], owner: str | None, path: Path, line: int, where: str) -> list[ContentError]:
    if owner is None or set(npcs) <= {owner}:
        return []
    hint = "lore that several know belongs into world/lore"
    told = f"npcs {list(npcs)!r} in the private lore of {owner!r}"
    return [ContentError(told, path=path, line=line, field=where, hint=hint)]


def _slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "entry"


_READERS: Mapping[str, Callable[[Path, str | None], Found]] = MappingProxyType(
    {".md": _read_markdown, ".yaml": _read_yaml_lore}
)
