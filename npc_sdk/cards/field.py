"""Reads one map of a foreign file field by field: what has the wrong kind is reported and counts as not given.

Knows no format. Called by cards/character.py, cards/book.py and cards/entry.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from npc_sdk.cards.report import Report
from npc_sdk.persona.problem import shown

MAX_CHARS = 20_000  # of one text: ten pages
_MAX_ITEMS = 10_000
_WORDS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Fields:
    """A map, where it stands, and the report that wrong kinds go to."""

    values: Mapping[str, Any]
    place: str
    report: Report

    def where(self, key: str) -> str:
        """A field's place as the report names it."""
        return f"{self.place}.{key}" if self.place else key

    def has(self, key: str) -> bool:
        """Whether it is there and says something."""
        return self.values.get(key) not in (None, "", [], {})

    def text(self, key: str) -> str:
        """A text; numbers are taken for one."""
        return self._as_text(self.values.get(key), self.where(key)) or ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one text with commas in between."""
        value = self.values.get(key)
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        if value is None:
            return ()
        if not isinstance(value, list):
            self._wrong(self.where(key), value, "a list of texts")
            return ()
        found = (self._as_text(item, f"{self.where(key)}[{index}]") for index, item in enumerate(value[:_MAX_ITEMS]))
        return tuple(text for text in found if text)

    def whole(self, key: str) -> int | None:
        """A whole number; a fraction is cut off."""
        number = self.number(key)
        return None if number is None else int(number)

    def number(self, key: str) -> float | None:
        """A number, also where it is written as a text."""
        value = self.values.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = _number_in(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(self.where(key), self.values[key], "a number")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """True or false, also as 1 and 0 or in words."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        known = _WORDS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
        if known is None and value != "":
            self._wrong(self.where(key), value, "true or false")
        return known

    def child(self, key: str) -> Fields:
        """A map inside, or an empty one."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict) and value != []:
            self._wrong(self.where(key), value, "a map")
        return Fields(value if isinstance(value, dict) else {}, self.where(key), self.report)

    def children(self, key: str, limit: int) -> Iterator[Fields]:
        """The maps of a list, or of a map whose keys are numbers; other items are reported."""
        value = self.values.get(key)
        if value is None:
            return
        if not isinstance(value, list | dict):
            self._wrong(self.where(key), value, "a list")
            return
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for name, item in items[:limit]:
            place = f"{self.where(key)}[{str(name)[:40]}]"
            if isinstance(item, dict):
                yield Fields(item, place, self.report)
            else:
                self._wrong(place, item, "a map")
        if len(items) > limit:
            self.report.left(self.where(key), f"{len(items) - limit:,} items", f"more than {limit:,} are not read")

    def _as_text(self, value: Any, place: str) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._wrong(place, value, "text")
            return None
        text = str(value)
        if len(text) > MAX_CHARS:
            self.report.approximated(place, f"{len(text):,} characters", f"cut after {MAX_CHARS:,}")
        return text[:MAX_CHARS]

    def _wrong(self, place: str, value: Any, wanted: str) -> None:
        self.report.left(place, shown(value), f"should be {wanted}")


def _number_in(text: str) -> float | None:
    try:
        found = float(text) if len(text) < 40 else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < 2**63 else None
