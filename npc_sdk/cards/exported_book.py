"""A character's lore as a card's lorebook; entries that nobody edited since the import go out as they came in.

Called by cards/exported.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from npc_sdk.cards.entry import OWN
from npc_sdk.cards.exported_entry import card_entry, is_conditional, item_of
from npc_sdk.cards.imported import ImportedCard
from npc_sdk.cards.passage import counted
from npc_sdk.cards.report import Report
from npc_sdk.cards.world_info import as_card_entry, is_world_info
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.persona.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Lore:
    """What is to go into a card: the character's own entries, and those of the world that it knows."""

    npc_id: str
    own: Sequence[LoreEntry]
    shared: Sequence[LoreEntry]
    calendar: Calendar | None


def exported_book(
    lore: Lore,
    original: Any,
    before: Sequence[tuple[ImportedCard, Sequence[LoreEntry]]],
    version: int,
    report: Report,
) -> dict[str, Any] | None:
    """The lorebook, or None where there is nothing to say. before: what imports of the original gave."""
    now = {entry.entry_id: entry for entry in lore.own}
    raw = _raw_entries(original)
    entries: list[dict[str, Any]] = []
    told: set[str] = set()
    sources = _sources(before, lore.npc_id)
    for index, was in enumerate(raw):
        parts = sources.get(index)
        if parts is None:
            entries.append(was)
            continue
        ids = list(dict.fromkeys(entry.entry_id for entry in parts))
        told.update(ids)
        left = [now[entry_id] for entry_id in ids if entry_id in now]
        if left and _is_unchanged(left, parts, len(ids)):
            entries.append(_for_version(was, version))
        elif left:
            entries.append(_edited(was, _joined(left), lore, len(entries), version))
    fresh = [entry for entry in lore.own if entry.entry_id not in told] + list(lore.shared)
    entries += [_made(entry, lore, len(entries) + number, version) for number, entry in enumerate(fresh)]
    _tell([*lore.own, *lore.shared], entries, report)
    head = _head(lore, original, before)
    return {**head, "entries": entries} if entries or head else None


def _raw_entries(original: Any) -> list[dict[str, Any]]:
    entries = original.get("entries") if isinstance(original, dict) else None
    listed = entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else ()
    return [entry for entry in listed if isinstance(entry, dict)]


def _sources(before: Sequence[tuple[ImportedCard, Sequence[LoreEntry]]], npc_id: str) -> dict[int, list[LoreEntry]]:
    """For each original entry, what the imports made of it."""
    found: dict[int, list[LoreEntry]] = {}
    for card, read in before:
        by_id = {entry.entry_id: entry for entry in read}
        for item, source in zip(card.lore.items, card.lore.sources, strict=True):
            if entry := by_id.get(f"{npc_id}.{item['id']}"):
                found.setdefault(source, []).append(entry)
    return found


def _is_unchanged(left: Sequence[LoreEntry], were: Sequence[LoreEntry], count: int) -> bool:
    """Whether all parts of an entry are there and each is what some import made of it."""
    return len(left) == count and all(any(_said(entry) == _said(was) for was in were) for entry in left)


def _said(entry: LoreEntry) -> tuple[Any, ...]:
    """All of an entry but where it stands."""
    return (entry.entry_id, entry.text, entry.keys, entry.scope, entry.rules, entry.source)


def _joined(parts: Sequence[LoreEntry]) -> LoreEntry:
    return replace(parts[0], text=" ".join(part.text for part in parts))


def _edited(was: Mapping[str, Any], entry: LoreEntry, lore: Lore, number: int, version: int) -> dict[str, Any]:
    """The original with what is ours laid over it."""
    base: dict[str, Any] = as_card_entry(was) if is_world_info(was) else dict(was)
    made = _made(entry, lore, number, version)
    extensions = base.get("extensions") if isinstance(base.get("extensions"), dict) else {}
    kept = {key: value for key, value in (extensions or {}).items() if key != OWN}
    titles: dict[str, Any] = {key: base[key] for key in ("id", "name", "comment", "position") if key in base}
    return {**base, **made, **titles, "extensions": {**kept, **made["extensions"]}}


def _made(entry: LoreEntry, lore: Lore, number: int, version: int) -> dict[str, Any]:
    return card_entry(item_of(entry, lore.npc_id, lore.calendar), entry, number, version)


def _for_version(entry: dict[str, Any], version: int) -> dict[str, Any]:
    """V3 asks for one field more."""
    return {**entry, "use_regex": bool(entry.get("use_regex"))} if version == 3 else entry


def _head(lore: Lore, original: Any, before: Sequence[tuple[ImportedCard, Sequence[LoreEntry]]]) -> dict[str, Any]:
    """The book's settings: the original's, and where they were edited, those of the first of the character's books."""
    given = {key: value for key, value in original.items() if key != "entries"} if isinstance(original, dict) else {}
    book = next((entry.book for entry in lore.own), None)
    if book is None or any(entry.book == book for _, read in before for entry in read):
        return given
    found = {"name": book.name, "scan_depth": book.scan_depth, "recursive_scanning": book.is_recursive}
    budget = {"token_budget": book.budget_tokens} if book.budget_tokens else {}
    return {"extensions": {}, **given, **found, **budget}


def _tell(entries: Sequence[LoreEntry], written: Sequence[Mapping[str, Any]], report: Report) -> None:
    """Mutates: report."""
    for entry in _conditional(entries):
        why = f"known only at times; switched off for other programs, under {OWN} for us"
        report.approximated(entry.entry_id, "entry with a scope", why)
    if written:
        report.mapped("lore", counted(len(written), "entry", "entries"), "character_book")


def _conditional(entries: Sequence[LoreEntry]) -> Iterator[LoreEntry]:
    return (entry for entry in entries if is_conditional(entry))
