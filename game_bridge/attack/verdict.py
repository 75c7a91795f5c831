"""What an attack showed: its figures beside their limits. Knows no attack; printed by `npc bench attack`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. limit is the most that it may be, least the least; neither where it is only told."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    least: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the value is within its limits; one that is none never is."""
        above = self.limit is None or self.value <= self.limit
        below = self.least is None or self.value >= self.least
        return self.value == self.value and above and below


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one attack. code is its row in the table of limits, such as "B3"; notes say what was done."""

    code: str
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_passed(self) -> bool:
        """Whether every figure is within its limits."""
        return all(figure.is_kept for figure in self.figures)
