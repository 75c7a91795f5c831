"""The calendar of a world: months, weekdays, an era; between dates as people say them and days as numbers.

Knows no files and no lore. Called by the model of world.yaml, the lore readers, and the session for today's date.
Units: a day is a number, 0 the first day of the year 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from npc_sdk.messages import JsonValue
from npc_sdk.persona.authored import Authored, Short
from npc_sdk.persona.fault import Fault, refuse_faults
from npc_sdk.persona.problem import name_hint, shown

_DATE = re.compile(
    r"(?:(?P<weekday>[^,\d]+),\s*)?(?:(?P<day>\d{1,4})\.?\s+)?(?:(?P<month>[^,\d]+?)\s+)?(?P<year>\d{1,6})"
)
_FORM = "a date is written '12 MONTH 1042', 'MONTH 1042' or '1042'"
_MAX_DATE_CHARS = 200


def _year_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


DateText = Annotated[
    str,
    Field(min_length=1, max_length=_MAX_DATE_CHARS),
    BeforeValidator(_year_as_text),
    WithJsonSchema({"type": ["string", "integer"], "description": _FORM}),
]


class DateError(ValueError):
    """A date that the calendar does not have, in a writer's words."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Told:
    """A date as it is written. month counts from 0; None: the whole year, or the whole month."""

    year: int
    month: int | None
    day: int | None
    weekday: int | None


class Calendar(Authored):
    """How the world counts its days."""

    months: dict[Short, Annotated[int, Field(ge=1, le=1000)]] = Field(
        min_length=1, max_length=64, description="The months in order, each with its days: {Thaw: 31, Harvest: 30}."
    )
    weekdays: tuple[Short, ...] = Field(default=(), max_length=32, description="The days of a week in their order.")
    era: str = Field(default="", max_length=60, description='What years are counted by: "after the Founding".')
    today: DateText | None = Field(
        default=None,
        description="The date while the game has not set the variable date: 12 Harvest 1042. With a weekday before it"
        " (Friday, 12 Harvest 1042) all weekdays are counted from there.",
    )

    @model_validator(mode="after")
    def _is_countable(self) -> Self:
        refuse_faults(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        for key, names in (("months", list(self.months)), ("weekdays", list(self.weekdays))):
            seen: set[str] = set()
            for index, name in enumerate(names):
                where = (key, name) if key == "months" else (key, index)
                if name.casefold() in seen:
                    yield Fault(where, f"{name!r} is there twice")
                if re.search(r"[\d,]", name) or name != name.strip():
                    yield Fault(where, f"{name!r} holds a digit, a comma or blanks around it", "write the name alone")
                seen.add(name.casefold())
        if self.today is not None:
            try:
                self._first_day(self._told(self.today))
            except DateError as exc:
                yield Fault(("today",), exc.message, exc.hint)

    @property
    def year_days(self) -> int:
        """Units: days."""
        return sum(self.months.values())

    @property
    def start(self) -> int | None:
        """The day of today, as the file has it."""
        return None if self.today is None else self.parse(self.today)

    def parse(self, text: str) -> int:
        """The day of a date; of a month or a year alone, its first. Raises: DateError."""
        told = self._told(text)
        day = self._first_day(told)
        self._check_weekday(text, told, day)
        return day

    def last_day(self, text: str) -> int:
        """Like parse, but of a month or a year alone the last day. Raises: DateError."""
        told, day = self._told(text), self.parse(text)
        if told.day is not None:
            return day
        return day + (self.year_days if told.month is None else self._lengths[told.month]) - 1

    def read(self, value: JsonValue) -> int:
        """The day of a date in the game's state: a text, a year, or {day, month, year}. Raises: DateError."""
        if isinstance(value, int) and not isinstance(value, bool):
            return self.parse(str(value))
        if isinstance(value, dict):
            return self.parse(self._text_of(value))
        if not isinstance(value, str):
            raise DateError(f"{shown(value)} is no date", _FORM)
        return self.parse(value)

    def tell(self, day: int) -> str:
        """``Friday, 12 Harvest 1042 after the Founding``."""
        parts = self.parts(day)
        weekday = f"{parts['weekday']}, " if self.weekdays else ""
        return f"{weekday}{parts['day']} {parts['month']} {parts['year']} {self.era}".strip()

    def parts(self, day: int) -> dict[str, JsonValue]:
        """day, month and year, and the weekday where the calendar has such."""
        year, rest = divmod(day, self.year_days)
        out: dict[str, JsonValue] = {}
        for month, length in self.months.items():
            if rest < length:
                out = {"day": rest + 1, "month": month, "year": year}
                break
            rest -= length
        if self.weekdays:
            out["weekday"] = self.weekdays[(day + self._weekday_shift) % len(self.weekdays)]
        return out

    def ago(self, day: int, today: int) -> str:
        """``12 years ago``, ``3 days ago``, ``today``, ``in 2 days``: in whole years, else months, else days."""
        near = {0: "today", -1: "yesterday", 1: "tomorrow"}
        if day - today in near:
            return near[day - today]
        count = self._whole_spans(min(day, today), max(day, today))
        return f"{count} ago" if day < today else f"in {count}"

    def _whole_spans(self, early: int, late: int) -> str:
        years = (late - early) // self.year_days
        if years:
            return _counted(years, "year")
        months = self._month_number(late) - self._month_number(early)
        if int(str(self.parts(late)["day"])) < int(str(self.parts(early)["day"])):
            months -= 1
        return _counted(months, "month") if months > 0 else _counted(late - early, "day")

    def _month_number(self, day: int) -> int:
        parts = self.parts(day)
        return int(str(parts["year"])) * len(self.months) + list(self.months).index(str(parts["month"]))

    @property
    def _lengths(self) -> list[int]:
        return list(self.months.values())

    def _told(self, text: str) -> _Told:
        plain = " ".join(text[: _MAX_DATE_CHARS + 1].split())
        if self.era and plain.casefold().endswith(f" {self.era.casefold()}"):
            plain = plain[: -len(self.era)].strip()
        found = _DATE.fullmatch(plain)
        if found is None or (found["day"] and not found["month"]):
            raise DateError(f"{shown(text)} is no date", _FORM)
        month = _index(found["month"], list(self.months), "month")
        weekday = _index(found["weekday"], self.weekdays, "weekday")
        return _Told(int(found["year"]), month, int(found["day"]) if found["day"] else None, weekday)

    def _first_day(self, told: _Told) -> int:
        if told.month is None:
            return told.year * self.year_days
        name, length = list(self.months.items())[told.month]
        if told.day is not None and not 1 <= told.day <= length:
            raise DateError(f"{name} has no day {told.day}", f"it has {length}")
        return told.year * self.year_days + sum(self._lengths[: told.month]) + (told.day or 1) - 1

    def _check_weekday(self, text: str, told: _Told, day: int) -> None:
        if told.weekday is not None and told.weekday != (day + self._weekday_shift) % len(self.weekdays):
            raise DateError(f"{shown(text)} is a {self.parts(day)['weekday']}", "leave the weekday out")

    @property
    def _weekday_shift(self) -> int:
        """What today's own weekday adds to the count from day 0."""
        told = self._told(self.today) if self.today is not None else None
        return 0 if told is None or told.weekday is None else told.weekday - self._first_day(told)

    def _text_of(self, value: Mapping[str, JsonValue]) -> str:
        """Raises: DateError."""
        if wrong := sorted(set(value) - {"day", "month", "year", "weekday"}):
            hint = name_hint(wrong[0], ("day", "month", "year"), "parts")
            raise DateError(f"{wrong[0]!r} is no part of a date", hint)
        if value.get("year") is None:
            raise DateError(f"{shown(value)} is no date", "it has no year")
        month = value.get("month")
        if isinstance(month, int) and not isinstance(month, bool):
            if not 1 <= month <= len(self.months):
                raise DateError(f"there is no month {month}", f"the year has {len(self.months)}")
            month = list(self.months)[month - 1]
        return " ".join(str(part) for part in (value.get("day"), month, value.get("year")) if part is not None)


def _index(name: str | None, known: tuple[str, ...] | list[str], what: str) -> int | None:
    """Raises: DateError."""
    if name is None:
        return None
    folded = [one.casefold() for one in known]
    if name.casefold() not in folded:
        raise DateError(f"there is no {what} {name!r}", name_hint(name, known, f"{what}s"))
    return folded.index(name.casefold())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
