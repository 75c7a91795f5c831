"""What became of each part of a foreign file: mapped, approximated or left, with its place and the reason.

Knows no format. Filled by every reader of this package, shown by `npc import` and `npc export`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Fate: TypeAlias = Literal["mapped", "approximated", "left"]

MAX_REMARKS = 400  # different ones; a hostile file could cause a million
_PLACES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of a report. place: where in the foreign file, what: the value or thing, why: what was done and why."""

    fate: Fate
    place: str
    what: str
    why: str


@dataclass(slots=True)
class _Gathered:
    places: list[str]
    count: int = 0


@dataclass(slots=True)
class Report:
    """Remarks in the order they were made; the same one about many places is one line."""

    _gathered: dict[tuple[Fate, str, str], _Gathered] = field(default_factory=dict)
    _untold: int = 0

    def mapped(self, place: str, what: str, why: str) -> None:
        """It has the same meaning with us. Mutates: the report."""
        self._add("mapped", place, what, why)

    def approximated(self, place: str, what: str, why: str) -> None:
        """Something near it was written. Mutates: the report."""
        self._add("approximated", place, what, why)

    def left(self, place: str, what: str, why: str) -> None:
        """Nothing of it was written. Mutates: the report."""
        self._add("left", place, what, why)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Every line, those about many places shortened."""
        return tuple(self._told())

    def fates(self, what: str) -> set[Fate]:
        """What became of a thing, by its name in the column `what`."""
        return {fate for fate, name, _ in self._gathered if name == what}

    def _add(self, fate: Fate, place: str, what: str, why: str) -> None:
        key = (fate, what, why)
        if key not in self._gathered and len(self._gathered) >= MAX_REMARKS:
            self._untold += 1
            return
        found = self._gathered.setdefault(key, _Gathered([]))
        found.count += 1
        if len(found.places) < _PLACES_SHOWN:
            found.places.append(place)

    def _told(self) -> Iterator[Remark]:
        for (fate, what, why), found in self._gathered.items():
            more = found.count - len(found.places)
            place = ", ".join(found.places) + (f" and {more} more" if more else "")
            yield Remark(fate, place, what, why)
        if self._untold:
            yield Remark("left", "", f"{self._untold:,} more remarks", "there are too many to list")
