"""What came of a search, told entry by entry: what is taken, what just was not, and why the rest is out.

Called by book.py with the ranks already made into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from npc_sdk.lore.activation import Hit
from npc_sdk.lore.duplicate import Seen
from npc_sdk.lore.entry import LoreEntry, Match, SearchResult, Timers
from npc_sdk.lore.fuse import Fused
from npc_sdk.lore.language import Language

NOT_SAID = "no key or word of it was said"
NOT_MEANT = "no key or word of it was said, and nothing like it meant"
BY_KEYS_ALONE = "only its keys bring it in, and none was said"
ALWAYS_SCORE = 1.0  # above every fused score


class Account:
    """Filled part by part, then closed by result(). entry_of gives the entry of an index."""

    def __init__(self, entry_of: Callable[[int], LoreEntry], language: Language) -> None:
        self._entry_of = entry_of
        self._seen = Seen(language)
        self._matches: list[Match] = []
        self._passed_over: list[Match] = []
        self._told: set[int] = set()

    def take_all(self, hits: Iterable[Hit]) -> None:
        """Takes what stands before the ranks and outside the limit, twins and all. Mutates: the account."""
        for hit in hits:
            entry = self._entry_of(hit.index)
            self._seen.twin_of(entry)
            self._tell(self._matches, hit.index, Match(entry, ALWAYS_SCORE, hit.why))

    def take_best(self, ranked: Sequence[Fused], limit: int) -> None:
        """Takes the best of the ranks, without those that repeat an earlier one. Mutates: the account."""
        place = 0
        for one in self._led(ranked):
            if one.index in self._told:
                continue
            entry = self._entry_of(one.index)
            if place < limit and (twin := self._seen.twin_of(entry)):
                self._pass_over(one, entry, f"the same words as {twin}")
                continue
            place += 1
            if place <= limit:
                self._tell(self._matches, one.index, Match(entry, one.score, one.why))
            else:
                self._pass_over(one, entry, f"place {place}, only {limit} {'is' if limit == 1 else 'are'} taken")

    def _led(self, ranked: Sequence[Fused]) -> Iterator[Fused]:
        """The ranks with the essential one of twins in the first one's place; it comes again in its own."""
        found = ((one, self._entry_of(one.index)) for one in ranked)
        leaders = {self._seen.words_of(entry): one for one, entry in found if entry.rules.is_essential}
        for one in ranked:
            if leaders and (leader := leaders.get(self._seen.words_of(self._entry_of(one.index)))):
                yield leader
            yield one

    def refuse(self, refused: Iterable[tuple[int, str]]) -> None:
        """Leaves out what a rule keeps out. Mutates: the account."""
        for index, why in refused:
            if index not in self._told:
                self._tell(self._passed_over, index, Match(self._entry_of(index), 0.0, why))

    def result(self, timers: Timers, rest: Callable[[frozenset[int]], Iterator[Match]]) -> SearchResult:
        """The account closed; rest is asked for whatever is not told here."""
        told = frozenset(self._told)
        return SearchResult(tuple(self._matches), tuple(self._passed_over), timers, lambda: rest(told))

    def _pass_over(self, one: Fused, entry: LoreEntry, why: str) -> None:
        self._tell(self._passed_over, one.index, Match(entry, one.score, f"{one.why}; {why}"))

    def _tell(self, where: list[Match], index: int, match: Match) -> None:
        where.append(match)
        self._told.add(index)
