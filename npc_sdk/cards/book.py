"""A foreign lorebook as lore files of ours: its settings, its entries, and the ids that they get.

Called by cards/imported.py for a card's book and for a lorebook of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.cards.audience import Audience
from npc_sdk.cards.entry import KEY_LISTS, OWN, lore_items, usable_keys
from npc_sdk.cards.field import Fields
from npc_sdk.cards.fit import fitted
from npc_sdk.cards.key_check import KeyCheck
from npc_sdk.cards.macro import Macros
from npc_sdk.cards.passage import counted, one_line, slug, unique
from npc_sdk.cards.world_info import as_card_entry, is_world_info
from npc_sdk.lore.schema import LoreFile, LoreItem
from npc_sdk.lore.sheet import MAX_CONDITIONS, MAX_REGEXES

MAX_ENTRIES = 5_000
_ID_CHARS = 64
# What one file holds: half of the values that our YAML reader takes, as it counts both ends of lists; a third of the
# bytes, as characters may have several; and as many expressions and conditions as the lore reader takes.
_FILE_ROOM = (40_000, 300_000, MAX_REGEXES, MAX_CONDITIONS)
_SCOPE = ("npcs", "factions", "places", "since", "until", "when")  # what keeps an entry from some


@dataclass(frozen=True, slots=True)
class BookText:
    """Lore as it will be written. sources gives for each item the place of its entry in the foreign book."""

    name: str
    settings: Mapping[str, Any]
    items: tuple[Mapping[str, Any], ...]
    sources: tuple[int, ...]

    def files(self) -> list[dict[str, Any]]:
        """The values of one lore file, or of several where one could not be read."""
        head = {"book": dict(self.settings)} if self.settings else {}
        return [{**head, "entries": list(chunk)} for chunk in _chunks(self.items)]


def read_book(book: Fields, macros: Macros, prefix: str = "", *, audience: Audience, is_ours: bool = False) -> BookText:
    """The book in our words. prefix stands before every id; is_ours lets our own extension of an entry count."""
    name = one_line(book.text("name"))[:60]
    items: list[dict[str, Any]] = []
    sources: list[int] = []
    taken: dict[str, int] = {}
    check = KeyCheck()
    for index, entry in enumerate(book.children("entries", MAX_ENTRIES)):
        if len(items) >= MAX_ENTRIES:
            entry.report.left(entry.place, "entry", f"a book has at most {MAX_ENTRIES:,}; split it")
            continue
        if is_world_info(entry.values):
            entry = Fields(as_card_entry(entry.values), entry.place, entry.report)
        for item in lore_items(entry, macros, check, _entry_id(entry, prefix), audience):
            item |= _own_attributes(entry, check, audience) if is_ours else {}
            item["id"] = unique(str(item["id"]), taken, "-", _ID_CHARS + 16)
            if (fit := _fitted(item, entry)) is not None:
                items.append(fit)
                sources.append(index)
    if items:
        book.report.mapped(book.where("entries"), counted(len(items), "entry", "entries"), "lore")
    _tell_rest(book, is_ours=is_ours)
    return BookText(name, _settings(book, name), tuple(items), tuple(sources))


def _settings(book: Fields, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name} if name else {}
    depth, budget = book.whole("scan_depth"), book.whole("token_budget")
    if depth is not None and depth >= 0:
        found["scan_depth"] = depth
    if budget is not None and budget > 0:
        found["budget_tokens"] = budget
    if (recursive := book.flag("recursive_scanning")) is not None:
        found["recursive"] = recursive
    if not found:
        return {}
    sample = {"id": "x", "text": "x"}
    fit = fitted(LoreFile, {"book": found, "entries": [sample]}, book.place, book.report)
    return dict(fit.get("book", {})) if fit else {}


def _entry_id(entry: Fields, prefix: str) -> str:
    """From its title, else from its first key, else from its number."""
    said = entry.text("name") or entry.text("comment") or next(iter(entry.texts("keys")), "")
    name = slug(said, "-", _ID_CHARS) or slug(f"entry {entry.text('id')}", "-", _ID_CHARS)
    return f"{prefix}.{name}"[:_ID_CHARS] if prefix else name


def _own_attributes(entry: Fields, check: KeyCheck, audience: Audience) -> dict[str, Any]:
    given = entry.child("extensions").child(OWN)
    own = {key: value for key, value in given.values.items() if key != "text"}
    for name in KEY_LISTS:
        if name in own:
            own[name] = usable_keys(given.texts(name), given.where(name), check, entry.report)
    for name in ("npcs", "factions"):
        if own.get(name) and not _can_name(given, name, audience):
            entry.report.left(given.where(name), name, "cannot be said of this lore; switched off (enabled: false)")
            own = {key: value for key, value in own.items() if key != name} | {"enabled": False}
    return own


def _can_name(own: Fields, name: str, audience: Audience) -> bool:
    """A character's own lore names nobody; the world's names the cast, and factions, which only a check can hold."""
    return not audience.owner and (name != "npcs" or set(own.texts(name)) <= audience.names.keys())


def _fitted(item: dict[str, Any], entry: Fields) -> dict[str, Any] | None:
    """The item as our files can hold it; off where a bound of it was lost, or it would be told to everybody."""
    fit = fitted(LoreItem, item, entry.place, entry.report)
    lost = [key for key in _SCOPE if fit is not None and item.get(key) and item[key] != fit.get(key)]
    if fit is None or not lost:
        return fit
    entry.report.left(entry.place, "entry", f"switched off (enabled: false), as a part of '{lost[0]}' was left")
    return {**fit, "enabled": False}


def _tell_rest(book: Fields, *, is_ours: bool) -> None:
    if book.has("description"):
        book.report.left(book.where("description"), "description", "for people, not for the prompt")
    if not is_ours and OWN in book.child("extensions").values:
        book.report.left(book.where("extensions"), OWN, "rules of our own; take them from people you trust (--ours)")


def _chunks(items: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The items of each file: none holds more values, characters or expressions than our reader takes."""
    chunks: list[list[Mapping[str, Any]]] = []
    held = (0, 0, 0, 0)
    for item in items:
        size = _size(item)
        if not chunks or any(have + more > most for have, more, most in zip(held, size, _FILE_ROOM, strict=True)):
            chunks.append([])
            held = (0, 0, 0, 0)
        chunks[-1].append(item)
        held = (held[0] + size[0], held[1] + size[1], held[2] + size[2], held[3] + size[3])
    return chunks


def _size(item: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Values, characters, regular expressions, conditions."""
    lists = [value for value in item.values() if isinstance(value, list)]
    values = 3 * len(item) + sum(map(len, lists))
    chars = sum(len(str(value)) + len(key) + 8 for key, value in item.items())
    return values, chars, sum(str(one).startswith("/") for one in itertools.chain(*lists)), int("when" in item)
