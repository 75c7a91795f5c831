"""The categories that are run, a row each: which file holds it and what the card of Nemovision-4B says of it.

A category more is a member and a row here. Knows no rows; called by all of the eval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What is asked: one call of one function, of one among several, several calls, or none at all."""

    SIMPLE = "simple"
    MULTIPLE = "multiple"
    PARALLEL = "parallel"
    PARALLEL_MULTIPLE = "parallel_multiple"
    IRRELEVANCE = "irrelevance"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a category's rows are. card_percent is Nemovision-4B's, by its own card.

    names are what the file is called after its version, the newest name first.
    """

    names: tuple[str, ...]
    card_percent: float
    has_answers: bool = True


# The card calls "relevance" what the leaderboard now files under irrelevance: not calling what does not help.
SOURCES = {
    Category.SIMPLE: Source(("simple_python", "simple"), 85.25),
    Category.MULTIPLE: Source(("multiple",), 90.0),
    Category.PARALLEL: Source(("parallel",), 77.5),
    Category.PARALLEL_MULTIPLE: Source(("parallel_multiple",), 76.5),
    Category.IRRELEVANCE: Source(("irrelevance",), 17.08, has_answers=False),
}
