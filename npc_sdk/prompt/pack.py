"""Which lore gets into a prompt: essentials first, then what always holds, then the best value a token.

Every entry that something spoke for is entered into the account, with what displaced it where it is out. Knows no
chat format; called by compile.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from npc_sdk.lore.entry import LoreEntry, Match, Rules
from npc_sdk.prompt.trace import Part, PartKind

LORE_SHARE = 0.4  # of the tokens left after the fixed parts; history needs the rest to keep the thread
CONSTANT_SHARE = 0.25  # of the window without its fixed parts; what is the same each turn must leave room for the turn
_MOST_NAMED = 3

Measure = Callable[[LoreEntry], int]


@dataclass(slots=True)
class Budget:
    """What is left of the window while parts are taken in. Units: tokens."""

    left: int
    parts: list[Part] = field(default_factory=list)

    def take(self, part: Part) -> bool:
        """Enters the part; a part that does not fit is entered as out."""
        fits = part.tokens <= self.left
        if fits:
            self.left -= part.tokens
        else:
            part = dataclasses.replace(part, is_in=False, why=f"{part.why}; {part.tokens} tokens, {self.left} left")
        self.parts.append(part)
        return fits


@dataclass(frozen=True, slots=True)
class Lore:
    """Passages in the order of the prompt: constants stand in its front, told ones with the player's words."""

    constants: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def is_lasting(entry: LoreEntry) -> bool:
    """Whether a constant entry is the same in every prompt of its character, so that the cached front can hold it."""
    scope, rules = entry.scope, entry.rules
    is_free = not (scope.places or scope.when or scope.since is not None or scope.until is not None)
    return rules.is_constant and is_free and entry.day is None and not entry.source and not _has_timing(rules)


def pack(matches: Sequence[Match], budget: Budget, measure: Measure, constant_room: int) -> Lore:
    """The passages that get in. constant_room bounds what stands in the front. Mutates: budget."""
    packing = _Packing(budget, measure)
    packing.take_all(_by_priority(match for match in matches if match.entry.rules.is_essential), budget.left)
    rest = [match for match in matches if not match.entry.rules.is_essential]
    packing.take_all(_by_priority(match for match in rest if is_lasting(match.entry)), constant_room)
    moving = [match for match in rest if not is_lasting(match.entry)]
    share = int(budget.left * LORE_SHARE)
    share = packing.take_all(_by_priority(match for match in moving if match.entry.rules.is_constant), share)
    told = (match for match in moving if not match.entry.rules.is_constant)
    packing.take_all(
        sorted(told, key=lambda match: (-match.entry.rules.priority, -match.score / max(1, measure(match.entry)))),
        share,
    )
    chosen = sorted(
        (match for match in matches if match.entry.entry_id in packing.taken), key=lambda match: match.entry.rules.order
    )
    lasting = [match.entry.text for match in chosen if is_lasting(match.entry)]
    return Lore(tuple(lasting), tuple(match.entry.text for match in chosen if not is_lasting(match.entry)))


@dataclass(slots=True)
class _Packing:
    """What has been taken so far, in the order of taking."""

    budget: Budget
    measure: Measure
    taken: dict[str, Part] = field(default_factory=dict)

    def take_all(self, matches: Iterable[Match], share: int) -> int:
        """Takes one after the other while the share, the window and the entry's book have room; what is left of it."""
        for match in matches:
            part = self._part(match)
            room, among = self._room(match.entry, share)
            if part.tokens <= room:
                self._enter(part)
                share -= part.tokens
            else:
                self._refuse(part, match.entry, max(0, room), among)
        return share

    def _room(self, entry: LoreEntry, share: int) -> tuple[int, list[Part]]:
        """The tokens that an entry may take, and the entries that would have to go for it to have more."""
        taken = list(self.taken.values())
        if entry.rules.is_essential or entry.rules.ignores_budget:
            return self.budget.left, taken
        room = min(share, self.budget.left)
        of_book = [part for part in taken if part.book == entry.book.name]
        book_room = _book_room(entry, of_book)
        return (room, taken) if book_room is None or book_room >= room else (book_room, of_book)

    def _part(self, match: Match) -> Part:
        entry = match.entry
        kind: PartKind = "constant" if is_lasting(entry) else "lore"
        name = entry.book.name
        return Part(
            kind, entry.entry_id, self.measure(entry), True, match.why, name, is_essential=entry.rules.is_essential
        )

    def _enter(self, part: Part) -> None:
        self.budget.left -= part.tokens
        self.budget.parts.append(part)
        self.taken[part.name] = part

    def _refuse(self, part: Part, entry: LoreEntry, room: int, among: Sequence[Part]) -> None:
        by = tuple(_in_the_way(part.tokens - room, among))
        told = f"; displaced by {', '.join(by)}" if by else ""
        limit = entry.book.budget_tokens
        of_book = f" of the {limit} of book {part.book!r}" if room == _book_room(entry, among) else ""
        why = f"{part.why}; {part.tokens} tokens, {room} left{of_book}{told}"
        self.budget.parts.append(dataclasses.replace(part, is_in=False, why=why, displaced_by=by))


def _book_room(entry: LoreEntry, of_book: Iterable[Part]) -> int | None:
    """What the budget of the entry's book has left; None where it has none."""
    if entry.book.budget_tokens is None:
        return None
    used = sum(part.tokens for part in of_book if part.book == entry.book.name)
    return max(0, entry.book.budget_tokens - used)


def _in_the_way(missing: int, taken: Sequence[Part]) -> Iterator[str]:
    """The entries taken last without which the missing tokens would be there; none where all are not enough."""
    if missing > sum(part.tokens for part in taken):
        return
    for part in list(reversed(taken))[:_MOST_NAMED]:
        yield part.name
        missing -= part.tokens
        if missing <= 0:
            return


def _by_priority(matches: Iterable[Match]) -> list[Match]:
    """A higher order stands nearer to the words, and stays longer."""
    return sorted(matches, key=lambda match: (-match.entry.rules.priority, -match.entry.rules.order))


def _has_timing(rules: Rules) -> bool:
    timed = rules.delay or rules.cooldown or rules.sticky or rules.delays_until_recursion
    return rules.probability < 100 or bool(timed or rules.groups or rules.always)
