"""Asks every case of a book in each of its ways of searching, and takes the time. Called by ``npc eval lore``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from npc_sdk.evals.lore.case import Case
from npc_sdk.evals.lore.viewpoint import viewer_of
from npc_sdk.lore.alias import Aliases
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.index import WEIGHTS, Weights
from npc_sdk.lore.language import Language
from npc_sdk.lore.scan import Scan
from npc_sdk.session.cast import alias_names

MODES: Mapping[str, Weights] = MappingProxyType(
    {
        "keyed": Weights(1, 0, 0),
        "lexical": Weights(0, 1, 0),
        "semantic": Weights(0, 0, 1),
        "keyed + lexical": Weights(WEIGHTS.keyed, WEIGHTS.lexical, 0),
        "fused": WEIGHTS,
    }
)
WITHOUT_MODEL = ("keyed", "lexical", "fused")

OnCase = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What one search brought: entry ids, best first. Units: seconds of the search alone."""

    case: Case
    entry_ids: tuple[str, ...]
    seconds: float

    def recall(self, k: int) -> float:
        """The share of the wanted entries among the first k, of as many as can stand there."""
        wanted = set(self.case.expects)
        return len(wanted.intersection(self.entry_ids[:k])) / min(k, len(wanted))

    @property
    def reciprocal_rank(self) -> float:
        """One over the place of the first wanted entry; 0 where none was found."""
        places = (at for at, entry_id in enumerate(self.entry_ids, 1) if entry_id in self.case.expects)
        place = next(places, 0)
        return 1 / place if place else 0.0


def ask_all(
    content: WorldContent, book: LoreBook, cases: Sequence[Case], modes: Sequence[str], limit: int, on_case: OnCase
) -> dict[str, list[Found]]:
    """What every mode finds for every case, at most limit entries each. on_case hears (done, total, what)."""
    scans = list(_scans(content, cases))
    total = len(modes) * len(cases)
    found: dict[str, list[Found]] = {}
    for mode in modes:
        ways = book.weighted(MODES[mode])
        ways.search(scans[0], limit=limit)  # whatever is made at the first search is not the search's time
        ways = book.weighted(MODES[mode])
        found[mode] = []
        for case, scan in zip(cases, scans, strict=True):
            found[mode].append(_ask(ways, case, scan, limit))
            on_case(sum(map(len, found.values())), total, mode)
    return found


def _ask(book: LoreBook, case: Case, scan: Scan, limit: int) -> Found:
    started = time.perf_counter()
    result = book.search(scan, limit=limit)
    seconds = time.perf_counter() - started
    return Found(case, tuple(match.entry.entry_id for match in result.matches), seconds)


def _scans(content: WorldContent, cases: Sequence[Case]) -> Iterator[Scan]:
    aliases = Aliases(alias_names(content), Language.named(content.world.language).words)
    for case in cases:
        said = tuple(map(aliases.expanded, (*case.before, case.ask)))
        yield Scan(viewer_of(content, case.npc, case.state), said, chance="npc eval lore")
