"""The values of lore: an entry, who can know it, the rules by which it comes in, and how a search came to it.

A lorebook's words keep their meaning in that field: keys, constant, sticky, cooldown, delay, group, order, priority.
Source: the character card specifications V2 and V3, and SillyTavern's World Info.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

Logic: TypeAlias = Literal["and_any", "and_all", "not_any", "not_all"]
KeyMatch: TypeAlias = Literal["words", "whole", "plain"]
Always: TypeAlias = Literal["", "activate", "dont_activate"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Who can know an entry and when: all that is set must hold, and what is empty bounds nothing.

    Units: since and until are days of the world's calendar, both included.
    """

    npc_ids: frozenset[str] = frozenset()
    factions: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None
    when: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """What the entries of one lorebook share. Units: scan_depth in messages, the player's words being the first."""

    name: str = ""
    scan_depth: int = 2
    budget_tokens: int | None = None
    is_recursive: bool = False
    max_steps: int = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """How an entry comes in. Units: sticky, cooldown, delay and scan_depth in messages, probability in percent.

    is_searchable: it may also be found by words and meaning, where no key of it was said and no rule kept it out.
    """

    is_enabled: bool = True
    is_constant: bool = False
    is_essential: bool = False
    is_searchable: bool = True
    always: Always = ""
    secondary_keys: tuple[str, ...] = ()
    logic: Logic = "and_any"
    excluded_keys: tuple[str, ...] = ()
    match: KeyMatch = "words"
    is_case_sensitive: bool = False
    scan_depth: int | None = None
    probability: float = 100.0
    sticky: int = 0
    cooldown: int = 0
    delay: int = 0
    groups: tuple[str, ...] = ()
    group_weight: int = 100
    is_group_first: bool = False
    is_group_scored: bool = False
    excludes_recursion: bool = False
    prevents_recursion: bool = False
    delays_until_recursion: int = 0
    order: int = 100
    priority: int = 0
    ignores_budget: bool = False


EVERYBODY = Scope()
PLAIN = Rules()
NO_BOOK = Book()


@dataclass(frozen=True, slots=True)
class LoreEntry:
    """One passage that can stand in a prompt. keys bring it in when said.

    source: how a character came to know it, where it was learned in play. day: when it happened, on the calendar.
    """

    entry_id: str
    text: str
    keys: tuple[str, ...] = ()
    scope: Scope = EVERYBODY
    rules: Rules = PLAIN
    book: Book = NO_BOOK
    day: int | None = None
    source: str = ""
    path: Path = Path()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Timers:
    """What holds on from earlier turns, by entry_id. Units: the count of messages at which it ends."""

    sticky: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    cooldown: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


NO_TIMERS = Timers()


@dataclass(frozen=True, slots=True)
class Match:
    """An entry and why it was found or passed over, in words for the trace. score 0 means that nothing matched."""

    entry: LoreEntry
    score: float
    why: str


def _nothing() -> Iterator[Match]:
    return iter(())


@dataclass(frozen=True, slots=True)
class SearchResult:
    """matches, best first; passed_over are the entries that something spoke for and that did not make it.

    rest yields every other entry with its reason, made only when asked for: a world may hold 100,000. timers are those
    of earlier turns as they stand now; what this turn starts depends on what a prompt holds: see timing.started().
    """

    matches: tuple[Match, ...] = ()
    passed_over: tuple[Match, ...] = ()
    timers: Timers = NO_TIMERS
    rest: Callable[[], Iterator[Match]] = _nothing
