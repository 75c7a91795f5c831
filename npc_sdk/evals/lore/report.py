"""What was found as tables for people: recall and time by mode, recall by kind, and what nothing found.

Called by ``npc eval lore``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from npc_sdk.bench.series import percentile
from npc_sdk.evals.lore.run import Found

BEST = "fused"
NOTE = (
    "recall@k: how many of the entries that answer stand among the first k, of as many as can stand there. MRR: one "
    "over the place of the first of them. left alone: how many of the cases that want nothing got nothing. Time: one "
    "search, from the words to the reasons."
)


def tables(found: Mapping[str, Sequence[Found]], ks: Sequence[int], title: str) -> Iterator[RenderableType]:
    """The figures by mode, by kind where there are several, and the cases that the fused search misses."""
    yield _by_mode(found, ks, title)
    kinds = dict.fromkeys(one.case.kind for one in found[BEST] if one.case.expects)
    if len(kinds) > 1:
        yield _by_kind(found, tuple(kinds), ks[len(ks) // 2])
    yield from _missed(found[BEST])
    yield Text(NOTE, style="dim")


def _by_mode(found: Mapping[str, Sequence[Found]], ks: Sequence[int], title: str) -> Table:
    table = Table(title=title)
    table.add_column("search")
    for column in ("cases", *(f"recall@{k}" for k in ks), "MRR", "left alone", "median ms", "p95 ms"):
        table.add_column(column, justify="right")
    for mode, results in found.items():
        asked = [one for one in results if one.case.expects]
        recalls = [_percent([one.recall(k) for one in asked]) for k in ks]
        mrr = f"{statistics.mean(one.reciprocal_rank for one in asked):.3f}" if asked else ""
        alone = _percent([not one.entry_ids for one in results if not one.case.expects])
        times = [1000 * one.seconds for one in results]
        spent = (f"{statistics.median(times):.2f}", f"{percentile(times, 0.95):.2f}")
        table.add_row(mode, str(len(results)), *recalls, mrr, alone, *spent)
    return table


def _by_kind(found: Mapping[str, Sequence[Found]], kinds: Sequence[str], k: int) -> Table:
    table = Table(title=f"recall@{k} by kind of question")
    table.add_column("kind")
    for column in ("cases", *found):
        table.add_column(column, justify="right")
    for kind in kinds:
        by_mode = [[one for one in results if one.case.kind == kind and one.case.expects] for results in found.values()]
        table.add_row(kind, str(len(by_mode[0])), *(_percent([one.recall(k) for one in ones]) for ones in by_mode))
    return table


def _missed(results: Sequence[Found]) -> Iterator[RenderableType]:
    """A line for each case of which nothing was found, and for each that should have been left alone."""
    for one in results:
        if one.case.expects and not one.reciprocal_rank:
            got = ", ".join(one.entry_ids) or "nothing"
            yield Text(f"missed: {one.case.npc}: {one.case.ask!r} wants {', '.join(one.case.expects)}, got {got}")
        elif not one.case.expects and one.entry_ids:
            yield Text(f"not left alone: {one.case.npc}: {one.case.ask!r} got {', '.join(one.entry_ids)}")


def _percent(shares: Sequence[float]) -> str:
    return f"{100 * statistics.mean(shares):.1f}" if shares else ""
