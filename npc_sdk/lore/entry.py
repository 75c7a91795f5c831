"""The values of lore: an entry, and how a search came to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LoreEntry:
    """One passage that can stand in a prompt. keys bring it in when said; npc_ids empty: everybody knows it."""

    entry_id: str
    text: str
    keys: tuple[str, ...] = ()
    npc_ids: frozenset[str] = frozenset()
    path: Path = Path()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """An entry and why it was found or passed over, in words for the trace. score 0 means that nothing matched."""

    entry: LoreEntry
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """matches, best first; passed_over are the entries that did not make it, each with its reason."""

    matches: tuple[Match, ...]
    passed_over: tuple[Match, ...] = ()
