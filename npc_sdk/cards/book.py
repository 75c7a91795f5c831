"""A foreign lorebook as lore files of ours: its settings, its entries, and the ids that they get.

Called by cards/imported.py for a card's book and for a lorebook of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.cards.entry import OWN, lore_items
from npc_sdk.cards.field import Fields
from npc_sdk.cards.fit import fitted
from npc_sdk.cards.key_check import KeyCheck
from npc_sdk.cards.macro import Macros
from npc_sdk.cards.passage import counted, one_line, slug, unique
from npc_sdk.cards.world_info import as_card_entry, is_world_info
from npc_sdk.lore.schema import LoreFile, LoreItem
from npc_sdk.lore.sheet import MAX_REGEXES

MAX_ENTRIES = 3_000
_ID_CHARS = 64
# What one file holds: half of the values that our YAML reader takes, as it counts both ends of lists; a third of the
# bytes, as characters may have several; and as many expressions as the lore reader takes.
_FILE_ROOM = (40_000, 300_000, MAX_REGEXES)


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


def read_book(book: Fields, macros: Macros, prefix: str = "", *, is_ours: bool = False) -> BookText:
    """The book in our words. prefix stands before every id; is_ours lets our own extension of an entry count."""
    name = one_line(book.text("name"))[:60]
    items: list[dict[str, Any]] = []
    sources: list[int] = []
    taken: dict[str, int] = {}
    check = KeyCheck()
    for index, entry in enumerate(book.children("entries", MAX_ENTRIES)):
        if len(items) >= MAX_ENTRIES:
            entry.report.left(entry.place, "entry", f"a book has at most {MAX_ENTRIES:,}")
            continue
        if is_world_info(entry.values):
            entry = Fields(as_card_entry(entry.values), entry.place, entry.report)
        for item in lore_items(entry, macros, check, _entry_id(entry, prefix)):
            item |= _own_attributes(entry) if is_ours else {}
            item["id"] = unique(str(item["id"]), taken, "-", _ID_CHARS + 16)
            if (fit := fitted(LoreItem, item, entry.place, entry.report)) is not None:
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


def _own_attributes(entry: Fields) -> dict[str, Any]:
    own = dict(entry.child("extensions").child(OWN).values)
    own.pop("text", None)
    return own


def _tell_rest(book: Fields, *, is_ours: bool) -> None:
    if book.has("description"):
        book.report.left(book.where("description"), "description", "for people, not for the prompt")
    if not is_ours and OWN in book.child("extensions").values:
        book.report.left(book.where("extensions"), OWN, "rules of our own; take them from people you trust (--ours)")


def _chunks(items: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The items of each file: none holds more values, characters or expressions than our reader takes."""
    chunks: list[list[Mapping[str, Any]]] = []
    held = (0, 0, 0)
    for item in items:
        size = _size(item)
        if not chunks or any(have + more > most for have, more, most in zip(held, size, _FILE_ROOM, strict=True)):
            chunks.append([])
            held = (0, 0, 0)
        chunks[-1].append(item)
        held = (held[0] + size[0], held[1] + size[1], held[2] + size[2])
    return chunks


def _size(item: Mapping[str, Any]) -> tuple[int, int, int]:
    """Values, characters, regular expressions."""
    lists = [value for value in item.values() if isinstance(value, list)]
    values = 3 * len(item) + sum(map(len, lists))
    chars = sum(len(str(value)) + len(key) + 8 for key, value in item.items())
    return values, chars, sum(str(one).startswith("/") for one in itertools.chain(*lists))
