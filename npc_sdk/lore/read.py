"""Reads a lore folder (.md and .yaml files) into entries, with every mistake told.

Whose folder it is decides who knows it: a character's own lore is known to nobody else. Called by lore/content.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeAlias

from npc_sdk.errors import ContentError
from npc_sdk.lore.entry import PLAIN, Book, KeyMatch, LoreEntry, Rules, Scope
from npc_sdk.lore.key import Key, KeyFault, check_key
from npc_sdk.lore.markdown import read_page
from npc_sdk.lore.schema import Attributes, BookChoice, Head, LoreFile, LoreItem
from npc_sdk.lore.sheet import Placed, Sheet, Spot, crowd_problems, empty_sheet
from npc_sdk.lore.whereabouts import mistake_at
from npc_sdk.lore.word import words
from npc_sdk.persona.problem import first_problems, name_hint
from npc_sdk.persona.validate import validate
from npc_sdk.persona.yaml_reader import link_problem, read_text, read_yaml

Found: TypeAlias = tuple[list[LoreEntry], list[ContentError]]

# Rules that a search by words knows nothing of: it would bring in what they keep out. Sticky, cooldown and delay are
# not among them: they hold for an entry whatever finds it.
_UNSEARCHED = ("secondary_keys", "excluded_keys", "always", "group", "delay_until_recursion")


class CalendarLike(Protocol):
    """A world's calendar, as far as lore asks for it. Both raise ValueError, in a writer's words."""

    def parse(self, text: str) -> int: ...

    def last_day(self, text: str) -> int: ...


@dataclass(frozen=True, slots=True)
class _Home:
    """The folder that is read, and what its entries share."""

    folder: Path
    owner: str | None
    calendar: CalendarLike | None
    has_world: bool
    defaults: Book


def read_lore(
    folder: Path,
    owner: str | None = None,
    *,
    calendar: CalendarLike | None = None,
    has_world: bool = True,
    defaults: Book = Book(),  # noqa: B008 - a frozen value
) -> Found:
    """The entries of a folder and every mistake; a folder that does not exist has none.

    owner is the character whose folder it is, None for the world's. Dates need the world's calendar: where has_world is
    false they are left alone, as nothing is known of it.
    """
    home = _Home(folder, owner, calendar, has_world, defaults)
    entries: list[LoreEntry] = []
    problems: list[ContentError] = []
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in paths:
        found, wrong = _read_file(path, home)
        entries += found
        problems += wrong
    return entries, [*problems, *_book_problems(entries)]


def link_problems(
    entries: Sequence[LoreEntry], npc_ids: Iterable[str], titles: Mapping[str, str] | None = None
) -> list[ContentError]:
    """What only shows when everything has been read: ids given twice, NPCs that do not exist.

    titles lead from what NPCs are called to their ids.
    """
    return first_problems(_unlinked(entries, set(npc_ids), titles or {}))


def _unlinked(entries: Sequence[LoreEntry], known: Set[str], titles: Mapping[str, str]) -> Iterator[ContentError]:
    seen: dict[str, LoreEntry] = {}
    for entry in entries:
        first = seen.setdefault(entry.entry_id, entry)
        if first is not entry:
            hint = f"first in {first.path.name}, line {first.line}; give one of them an 'id:'"
            yield mistake_at(entry, "id", "", f"the id {entry.entry_id!r} is given twice", hint)
        for name in sorted(entry.scope.npc_ids - known):
            hint = name_hint(name, known, "NPCs", titles)
            yield mistake_at(entry, "npcs", name, f"there is no NPC {name!r}", hint)


def _book_problems(entries: Sequence[LoreEntry]) -> Iterator[ContentError]:
    """Files that make one book by their names and want different things of it."""
    seen: dict[str, LoreEntry] = {}
    told: set[tuple[str, Path]] = set()
    for entry in entries:
        first = seen.setdefault(entry.book.name, entry)
        if entry.book != first.book and (entry.book.name, entry.path) not in told:
            told.add((entry.book.name, entry.path))
            message = f"the book {entry.book.name!r} is set up otherwise in {first.path.name}"
            hint = "give one of them another name, or both the same settings"
            yield ContentError(message, path=entry.path, field="book", hint=hint)


def _read_file(path: Path, home: _Home) -> Found:
    if outside := link_problem(path, home.folder.parent):
        return [], [outside]
    reader = _READERS.get(path.suffix)
    if reader is None:
        hint = "lore is read from .md and .yaml files"
        return [], [ContentError(f"a file of kind {path.suffix!r} is not lore", path=path, hint=hint)]
    try:
        sheet = reader(path)
    except ContentError as problem:
        return [], [problem]
    return _linked(sheet, home)


def _read_markdown(path: Path) -> Sheet:
    return read_page(read_text(path), path)


def _read_yaml_lore(path: Path) -> Sheet:
    document = read_yaml(path)
    items = document.value.get("entries") if isinstance(document.value, dict) else None
    if crowded := list(crowd_problems(items, path)):
        return empty_sheet(path, crowded)
    value, problems = validate(document, LoreFile)
    sheet = Sheet(path, value or Head(), Spot(document), problems=problems)
    for index, item in enumerate(value.entries if value else ()):
        where = ("entries", index)
        sheet.entries.append(Placed(item, Spot(document, where), document.line((*where, "id"))))
    return sheet


def _linked(sheet: Sheet, home: _Home) -> Found:
    """The entries of a file, with what it says for all of them, and every mistake."""
    book = _book(sheet.head.book, sheet.path, home)
    shared, problems = _dates(sheet.head, sheet.head_spot, home)
    problems = [*sheet.problems, *problems, *_key_problems(sheet.head, sheet.head.match, sheet.head_spot)]
    entries: list[LoreEntry] = []
    for placed in sheet.entries:
        own, wrong = _dates(placed.item, placed.spot, home)
        item = placed.item.over(sheet.head)
        problems += [*wrong, *_key_problems(placed.item, item.match, placed.spot), *_owner_problems(item, placed, home)]
        entries.append(_entry(item, book, shared | own, placed.line, sheet.path, home.owner))
    return entries, first_problems(problems)


def _dates(given: Attributes, spot: Spot, home: _Home) -> tuple[dict[str, int], list[ContentError]]:
    """since and until as days, where they are given and there is a calendar to read them by."""
    days: dict[str, int] = {}
    problems: list[ContentError] = []
    for name, text in (("since", given.since), ("until", given.until)):
        if not text or not home.has_world:
            continue
        if home.calendar is None:
            problems.append(spot.problem(name, "the world has no calendar", "write one into world.yaml: calendar"))
            continue
        try:
            days[name] = home.calendar.last_day(text) if name == "until" else home.calendar.parse(text)
        except ValueError as exc:
            problems.append(spot.problem(name, str(exc)))
    return days, problems


def _key_problems(given: Attributes, match: KeyMatch, spot: Spot) -> Iterator[ContentError]:
    for name in ("keys", "secondary_keys", "excluded_keys"):
        for text in getattr(given, name):
            try:
                check_key(Key(text, match), words)
            except KeyFault as fault:
                yield spot.item_problem(name, text, str(fault), fault.hint)


def _owner_problems(item: LoreItem, placed: Placed, home: _Home) -> list[ContentError]:
    if home.owner is None or set(item.npcs) <= {home.owner}:
        return []
    hint = "lore that several know belongs into world/lore"
    told = f"npcs {list(item.npcs)!r} in the private lore of {home.owner!r}"
    where = placed.spot.heading or item.id
    return [ContentError(told, path=placed.spot.document.path, line=placed.line, field=where, hint=hint)]


def _book(given: BookChoice, path: Path, home: _Home) -> Book:
    """A file is a book of its own name, with the world's settings where it has none."""
    inner = path.relative_to(home.folder).with_suffix("").as_posix()
    book = dataclasses.replace(home.defaults, name=given.name or (f"{home.owner}/{inner}" if home.owner else inner))
    named = {"scan_depth": given.scan_depth, "budget_tokens": given.budget_tokens, "max_steps": given.max_steps}
    set_here = {name: value for name, value in {**named, "is_recursive": given.recursive}.items() if value is not None}
    return dataclasses.replace(book, **set_here)  # type: ignore[arg-type]  # each by its own field's name


def _entry(item: LoreItem, book: Book, days: Mapping[str, int], line: int, path: Path, owner: str | None) -> LoreEntry:
    scope = Scope(
        frozenset({owner}) if owner else frozenset(item.npcs),
        frozenset(item.factions),
        frozenset(item.places),
        days.get("since"),
        days.get("until"),
        item.when,
    )
    entry_id = f"{owner}.{item.id}" if owner else item.id
    text = " ".join(item.text.split())
    return LoreEntry(entry_id, text, item.keys, scope, _rules(item), book, source=item.source, path=path, line=line)


def _rules(item: Attributes) -> Rules:
    rules = Rules(
        is_enabled=item.enabled,
        is_constant=item.constant,
        is_essential=item.essential,
        is_searchable=is_searchable(item),
        always=item.always,
        secondary_keys=item.secondary_keys,
        logic=item.logic,
        excluded_keys=item.excluded_keys,
        match=item.match,
        is_case_sensitive=item.case_sensitive,
        scan_depth=item.scan_depth,
        probability=item.probability,
        sticky=item.sticky,
        cooldown=item.cooldown,
        delay=item.delay,
        groups=item.group,
        group_weight=item.group_weight,
        is_group_first=item.group_first,
        is_group_scored=item.group_scored,
        excludes_recursion=item.exclude_recursion,
        prevents_recursion=item.prevent_recursion,
        delays_until_recursion=item.delay_until_recursion,
        order=item.order,
        priority=item.priority,
        ignores_budget=item.ignore_budget,
    )
    return PLAIN if rules == PLAIN else rules  # one value for the many entries without rules


def is_searchable(item: Attributes) -> bool:
    """Whether a search may find it: as it says, else where no rule decides what a search cannot follow."""
    if item.search is not None:
        return item.search
    return item.probability == 100 and not any(getattr(item, name) for name in _UNSEARCHED)


_READERS: Mapping[str, Callable[[Path], Sheet]] = MappingProxyType({".md": _read_markdown, ".yaml": _read_yaml_lore})
