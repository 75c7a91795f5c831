"""Turns of a lorebook for the tests: entries in a line each, one run, and what came of it by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npc_sdk.lore.activation import Activated, Activator
from npc_sdk.lore.entry import NO_BOOK, NO_TIMERS, Book, LoreEntry, Rules, Timers
from npc_sdk.lore.scan import Scan, Viewer
from npc_sdk.lore.timing import started

RECURSIVE = Book("b", is_recursive=True)


def lore(entry_id: str, *keys: str, text: str = "…", book: Book = NO_BOOK, **rules: Any) -> LoreEntry:
    """An entry with keys and rules."""
    return LoreEntry(entry_id, text, keys, rules=Rules(**rules), book=book)


def turn(
    entries: Sequence[LoreEntry],
    *messages: str,
    timers: Timers = NO_TIMERS,
    chance: str = "",
    unknown: frozenset[str] = frozenset(),
) -> Activated:
    """One turn; messages are oldest first."""
    known = np.array([entry.entry_id not in unknown for entry in entries], np.bool_)
    return Activator(entries).run(Scan(Viewer("mara"), messages, timers, chance), known)


def ids(entries: Sequence[LoreEntry], found: Activated) -> list[str]:
    """Who came in, in order."""
    return [entries[hit.index].entry_id for hit in found.hits]


def reasons(entries: Sequence[LoreEntry], found: Activated) -> dict[str, str]:
    """Who was kept out, and why."""
    return {entries[at].entry_id: why for at, why in found.refused.items()}


def after(entries: Sequence[LoreEntry], found: Activated, length: int) -> Timers:
    """The timers once a prompt holds all that came in."""
    return started(found.timers, [entries[hit.index] for hit in found.hits], length)


def why_in(entries: Sequence[LoreEntry], found: Activated) -> dict[str, str]:
    """Why each came in."""
    return {entries[hit.index].entry_id: hit.why for hit in found.hits}
