"""Results as tables for people: the score of each category beside the card's, and why answers were wrong.

Called by ``npc eval bfcl``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from npc_sdk.evals.bfcl.category import SOURCES, Category
from npc_sdk.evals.bfcl.result import Result
from npc_sdk.evals.bfcl.verdict import Reason

NOTE = (
    "A prompt that is too long for the model's window counts as wrong. In irrelevance a model that never calls "
    "anything is always right. The card's figures are of all rows of the leaderboard, and of Nemovision-4B."
)


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some rows are right. card_percent is None for all categories together."""

    name: str
    rows: int
    right: int
    too_long: int
    card_percent: float | None = None

    @property
    def percent(self) -> float | None:
        """Of all rows; None without any."""
        return 100 * self.right / self.rows if self.rows else None

    @property
    def percent_of_asked(self) -> float | None:
        """Of those that fit the model's window."""
        asked = self.rows - self.too_long
        return 100 * self.right / asked if asked else None


def scores(results: Sequence[Result]) -> list[Score]:
    """A score for each category that has rows, and one for all of them together where there are several."""
    out = []
    for category in Category:
        chosen = [result for result in results if result.category is category]
        if chosen:
            out.append(_score(category.value, chosen, SOURCES[category].card_percent))
    return [*out, _score("all", results, None)] if len(out) > 1 else out


def tables(results: Sequence[Result], title: str) -> Iterator[RenderableType]:
    """The scores, the reasons where anything is wrong, and what to know of them."""
    yield _score_table(scores(results), title)
    if not all(result.is_right for result in results):
        yield _reason_table(results)
    yield Text(NOTE, style="dim")


def _score(name: str, results: Sequence[Result], card_percent: float | None) -> Score:
    right = sum(result.is_right for result in results)
    too_long = sum(result.reason is Reason.TOO_LONG for result in results)
    return Score(name, len(results), right, too_long, card_percent)


def _score_table(lines: Sequence[Score], title: str) -> Table:
    table = Table(title=title)
    table.add_column("category")
    for column in ("rows", "right", "percent", "too long", "percent of the rest", "card: Nemovision-4B"):
        table.add_column(column, justify="right")
    for one in lines:
        counts = (str(one.rows), str(one.right), _percent(one.percent), str(one.too_long))
        table.add_row(one.name, *counts, _percent(one.percent_of_asked), _percent(one.card_percent))
    return table


def _reason_table(results: Sequence[Result]) -> Table:
    """Why answers were wrong: a line for each reason that occurs, a column for each category."""
    found = Counter((result.reason, result.category) for result in results)
    categories = [one for one in Category if any(result.category is one for result in results)]
    table = Table(title="why answers were wrong")
    table.add_column("reason")
    for category in categories:
        table.add_column(category.value, justify="right")
    for reason in Reason:
        counts = [found[reason, category] for category in categories]
        if any(counts):
            table.add_row(reason.value.replace("_", " "), *(str(count) if count else "" for count in counts))
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
