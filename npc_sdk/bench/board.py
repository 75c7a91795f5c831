"""The figures of one bench as they come in: turns that alternate, what failed, and a file that can be gone on from.

Knows no engine. Called by the benches; report.py shows what it holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from npc_sdk.bench.series import Series, paired_ratio
from npc_sdk.errors import NpcError, SettingsError

Found = TypeVar("Found")


class Watch(Protocol):
    """Who is told how it goes."""

    def say(self, text: str) -> None:
        """What is being done now."""
        ...

    def advance(self, done: int, total: int, what: str) -> None:
        """That so many turns are done and which comes next."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One figure of one participant; measure gets the number of the run."""

    what: str
    who: str
    unit: str
    measure: Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """All runs of one figure."""

    what: str
    who: str
    unit: str
    series: Series


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two figures or one come to beside what is wanted. is_most: the target is the most that is allowed."""

    what: str
    series: Series
    target: float | None = None
    is_most: bool = False
    unit: str = "x"

    @property
    def is_reached(self) -> bool | None:
        """Whether the median is on the right side; None without a target or a figure."""
        value = self.series.median
        if self.target is None or math.isnan(value):
            return None
        return value <= self.target if self.is_most else value >= self.target


@dataclass(slots=True)
class Board:
    """Everything that one bench found. settings say what was measured; a file of other settings is not gone on from."""

    bench: str
    settings: Mapping[str, Any]
    machine: Mapping[str, str]
    path: Path | None = None
    figures: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_whole: bool = False

    def add(self, what: str, who: str, unit: str, value: float) -> None:
        """Keeps one more run of a figure, and the file in step."""
        self.units[what] = unit
        self.figures.setdefault((what, who), []).append(value)
        self.save()

    def skip(self, who: str, why: str) -> None:
        """Says why somebody or something is not measured; what has the same reason stands together."""
        same = next((name for name, reason in self.skipped.items() if reason == why), None)
        if same is not None:
            del self.skipped[same]
        self.skipped[who if same is None else f"{same}; {who}"] = why

    def series(self, what: str, who: str) -> Series:
        """The runs of a figure so far."""
        return Series(tuple(self.figures.get((what, who), ())))

    def rows(self) -> list[Figure]:
        """Every figure in the order in which they came."""
        return [Figure(what, who, self.units[what], self.series(what, who)) for what, who in self.figures]

    def best(self, what: str, names: Sequence[str], *, is_least: bool = False) -> str | None:
        """Whoever of these has the best median; None where none was measured."""
        known = {name: self.series(what, name).median for name in names if (what, name) in self.figures}
        if not known:
            return None
        return min(known, key=lambda name: known[name]) if is_least else max(known, key=lambda name: known[name])

    def compare(self, what: str, over: tuple[str, str], under: tuple[str, str], target: float | None = None) -> None:
        """Adds the ratio of two figures, run by run; without both of them nothing is added."""
        ratio = paired_ratio(self.series(*over), self.series(*under))
        if ratio.values:
            self.comparisons.append(Comparison(what, ratio, target))

    def share(self, what: str, part: tuple[str, str], whole: tuple[str, str], most: float) -> None:
        """Adds how much one figure is of another, run by run, and the most that it may be."""
        ratio = paired_ratio(self.series(*part), self.series(*whole))
        if ratio.values:
            self.comparisons.append(Comparison(what, ratio, most, is_most=True))

    def limit(self, what: str, figure: tuple[str, str], most: float) -> None:
        """Adds the most that a figure may be."""
        self.comparisons.append(Comparison(what, self.series(*figure), most, is_most=True, unit=self.units[figure[0]]))

    def derive(self, what: str, figure: tuple[str, str], factor: float, unit: str) -> None:
        """Adds a figure in other units, if it was measured."""
        values = self.series(*figure).values
        if values:
            self.comparisons.append(Comparison(what, Series(tuple(value * factor for value in values)), unit=unit))

    def finish(self) -> None:
        """The bench is through: the file says so and is not gone on from any more."""
        self.is_whole = True
        self.save()

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        if self.path is None:
            return
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.write_text(json.dumps(self.as_json(), indent=1), encoding="utf-8")
        partial.replace(self.path)

    def as_json(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "bench": self.bench,
            "settings": dict(self.settings),
            "machine": dict(self.machine),
            "is_whole": self.is_whole,
            "figures": [
                {
                    "what": one.what,
                    "who": one.who,
                    "unit": one.unit,
                    "median": one.series.median,
                    "noise": one.series.noise,
                    "values": list(one.series.values),
                }
                for one in self.rows()
            ],
            "comparisons": [_comparison_json(one) for one in self.comparisons],
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }

    def resume(self) -> int:
        """Takes over what an interrupted bench left in the file; how many values. Raises: SettingsError."""
        if self.path is None or not self.path.exists():
            return 0
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            if stored["is_whole"] or (stored["bench"], stored["settings"]) != (self.bench, dict(self.settings)):
                return 0
            for one in stored["figures"]:
                self.units[one["what"]] = one["unit"]
                self.figures[one["what"], one["who"]] = [float(value) for value in one["values"]]
        except (ValueError, KeyError, TypeError) as exc:
            raise SettingsError(f"{self.path} is no result of a bench: {exc!r}", hint="name another file") from exc
        return sum(map(len, self.figures.values()))


def _comparison_json(one: Comparison) -> dict[str, Any]:
    return {
        "what": one.what,
        "median": one.series.median,
        "noise": one.series.noise,
        "unit": one.unit,
        "target": one.target,
        "is_most": one.is_most,
        "is_reached": one.is_reached,
    }


def once(measure: Callable[[int], Found]) -> Callable[[int], Found]:
    """Keeps what a run brought for all figures that are read from it; what failed fails for all of them."""
    kept: dict[int, Found | NpcError] = {}

    def kept_or_measured(run: int) -> Found:
        if run not in kept:
            try:
                kept[run] = measure(run)
            except NpcError as exc:
                kept[run] = exc
        found = kept[run]
        if isinstance(found, NpcError):
            raise found
        return found

    return kept_or_measured


def alternate(turns: Sequence[Turn], runs: int, board: Board, watch: Watch) -> None:
    """Every turn once, then every turn again: what disturbs the machine for a while disturbs all alike.

    A turn that fails is skipped from then on, with its reason on the board; one that an interrupted bench has done is
    not done again.
    """
    failed: set[tuple[str, str]] = set()
    for run in range(runs):
        for index, turn in enumerate(turns):
            key = (turn.what, turn.who)
            if key in failed or len(board.figures.get(key, ())) > run:
                continue
            watch.advance(run * len(turns) + index, runs * len(turns), f"{turn.what}: {turn.who}")
            try:
                board.add(turn.what, turn.who, turn.unit, turn.measure(run))
            except NpcError as exc:
                failed.add(key)
                board.skip(f"{turn.what}: {turn.who}", str(exc))
    watch.advance(runs * len(turns), runs * len(turns), "")
