"""The account of a compiled prompt: every part with its tokens, in or out and why. `npc prompt` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

PartKind: TypeAlias = Literal[
    "system", "tool", "knows", "constant", "history", "lore", "secret", "situation", "words", "opening", "call"
]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a prompt. A "call" is a declared tool that cannot be called at this moment.

    book is the lorebook of lore. displaced_by names the entries that took the room of one that did not fit;
    is_essential: it should have been in whatever else is.

    Units: tokens as counted alone; the joined prompt is counted exactly elsewhere.
    """

    kind: PartKind
    name: str
    tokens: int
    is_in: bool
    why: str
    book: str = ""
    displaced_by: tuple[str, ...] = ()
    is_essential: bool = False


@dataclass(frozen=True, slots=True)
class BookTotal:
    """What one lorebook brought to a prompt. Units: tokens_in in tokens; the others in entries."""

    book: str
    entries_in: int = 0
    tokens_in: int = 0
    entries_out: int = 0


def _nothing() -> Iterator[Part]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Trace:
    """Parts in prompt order; rest yields the lore that nothing spoke for, made only when asked for. Units: tokens."""

    parts: tuple[Part, ...]
    total_tokens: int
    window_tokens: int
    reply_tokens: int
    rest: Callable[[], Iterator[Part]] = _nothing

    @property
    def dropped(self) -> tuple[Part, ...]:
        """What did not get in."""
        return tuple(part for part in self.parts if not part.is_in)

    @property
    def lost_essentials(self) -> tuple[Part, ...]:
        """What should have been in whatever else is, and for which the window is too small."""
        return tuple(part for part in self.dropped if part.is_essential)

    @property
    def books(self) -> tuple[BookTotal, ...]:
        """The totals of each lorebook of which an entry was considered, by name."""
        totals: dict[str, BookTotal] = {}
        for part in self.parts:
            if part.book:
                totals[part.book] = _with(totals.get(part.book, BookTotal(part.book)), part)
        return tuple(totals[name] for name in sorted(totals))


def _with(total: BookTotal, part: Part) -> BookTotal:
    if part.is_in:
        return BookTotal(total.book, total.entries_in + 1, total.tokens_in + part.tokens, total.entries_out)
    return BookTotal(total.book, total.entries_in, total.tokens_in, total.entries_out + 1)
