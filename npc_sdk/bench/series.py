"""Figures that were taken several times: their median, how far they lie apart, and how two of them compare."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one figure, a run each."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value; not a number where there is none."""
        return statistics.median(self.values) if self.values else math.nan

    @property
    def noise(self) -> float:
        """The distance of the extremes as a share of the median."""
        if not self.values or not self.median:
            return 0.0
        return (max(self.values) - min(self.values)) / abs(self.median)


def paired_ratio(over: Series, under: Series) -> Series:
    """Run by run, one figure over the other: what slows both down in a run cancels out."""
    return Series(tuple(a / b for a, b in zip(over.values, under.values, strict=False) if b))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values do not exceed; not a number where there is none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
