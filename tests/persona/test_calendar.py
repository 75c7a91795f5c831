"""The calendar: dates to days and back, weekdays, spans, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.messages import JsonValue
from npc_sdk.persona.calendar import Calendar, DateError
from npc_sdk.persona.load import read_world_file

MONTHS = {"Frostmoon": 30, "Thaw": 31, "High Summer": 40, "Harvest": 29}
CALENDAR = Calendar.model_validate(
    {"months": MONTHS, "weekdays": ["Moonday", "Twosday", "Friday"], "era": "after the Founding"}
)
YEAR = 130


@pytest.mark.parametrize(
    ("text", "day", "last"),
    [
        pytest.param("1 Frostmoon 0", 0, 0, id="the first day"),
        pytest.param("12 Harvest 1042", 1042 * YEAR + 101 + 11, 1042 * YEAR + 101 + 11, id="a day"),
        pytest.param("Thaw 3", 3 * YEAR + 30, 3 * YEAR + 60, id="a month"),
        pytest.param("1042", 1042 * YEAR, 1043 * YEAR - 1, id="a year"),
        pytest.param("  3  high   SUMMER 7 ", 7 * YEAR + 63, 7 * YEAR + 63, id="blanks and case"),
        pytest.param("3. High Summer 7", 7 * YEAR + 63, 7 * YEAR + 63, id="a dot"),
        pytest.param("3 High Summer 7 after the founding", 7 * YEAR + 63, 7 * YEAR + 63, id="the era"),
    ],
)
def test_a_date_is_a_day(text: str, day: int, last: int) -> None:
    assert CALENDAR.parse(text) == day
    assert CALENDAR.last_day(text) == last


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("12 Harvst 1042", "there is no month 'Harvst' (did you mean 'Harvest'?)", id="month"),
        pytest.param("32 Thaw 3", "Thaw has no day 32 (it has 31)", id="day too late"),
        pytest.param("0 Thaw 3", "Thaw has no day 0", id="day nought"),
        pytest.param("12 1042", "'12 1042' is no date (a date is written", id="no month"),
        pytest.param("Harvest", "'Harvest' is no date", id="no year"),
        pytest.param("1042-03-01", "is no date", id="another form"),
        pytest.param("", "is no date", id="nothing"),
        pytest.param("Fryday, 1 Thaw 3", "there is no weekday 'Fryday' (did you mean 'Friday'?)", id="weekday"),
        pytest.param("Friday, 1 Frostmoon 0", "is a Moonday (leave the weekday out)", id="another weekday"),
        pytest.param("9" * 100_000, "is no date", id="endless"),
        pytest.param("1 Thaw 3 before the flood", "is no date", id="another era"),
    ],
)
def test_what_is_no_date_is_told(text: str, told: str) -> None:
    with pytest.raises(DateError) as caught:
        CALENDAR.parse(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        pytest.param("1 Thaw 3", 3 * YEAR + 30, id="text"),
        pytest.param(3, 3 * YEAR, id="year"),
        pytest.param({"day": 1, "month": "Thaw", "year": 3}, 3 * YEAR + 30, id="parts"),
        pytest.param({"day": 1, "month": 2, "year": 3}, 3 * YEAR + 30, id="month as a number"),
        pytest.param({"year": 3, "month": "Thaw"}, 3 * YEAR + 30, id="parts without a day"),
        pytest.param({"day": 1, "month": "Thaw", "year": 3, "weekday": "Friday"}, 3 * YEAR + 30, id="with a weekday"),
    ],
)
def test_the_games_date_is_read(value: JsonValue, day: int) -> None:
    assert CALENDAR.read(value) == day


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(None, "None is no date", id="nothing"),
        pytest.param(True, "true is no date", id="truth"),
        pytest.param([1, 2], "is no date", id="list"),
        pytest.param({"day": 1}, "is no date", id="no year"),
        pytest.param({"year": 1, "month": 9}, "there is no month 9 (the year has 4)", id="month too late"),
        pytest.param({"year": 1, "mnth": 9}, "'mnth' is no part of a date (did you mean 'month'?)", id="part"),
        pytest.param({"year": {}}, "is no date", id="map in a map"),
        pytest.param(-3, "is no date", id="before the first year"),
    ],
)
def test_a_wrong_date_of_the_game_is_told(value: JsonValue, told: str) -> None:
    with pytest.raises(DateError) as caught:
        CALENDAR.read(value)
    assert told in str(caught.value)


def test_dates_are_told() -> None:
    day = CALENDAR.parse("12 Harvest 1042")
    weekday = ("Moonday", "Twosday", "Friday")[day % 3]
    assert CALENDAR.tell(day) == f"{weekday}, 12 Harvest 1042 after the Founding"
    assert CALENDAR.parts(day) == {"day": 12, "month": "Harvest", "year": 1042, "weekday": weekday}
    plain = Calendar.model_validate({"months": MONTHS})
    assert plain.tell(day) == "12 Harvest 1042"
    assert plain.parts(day) == {"day": 12, "month": "Harvest", "year": 1042}


@given(st.integers(0, 10**7))
@settings(deadline=None, max_examples=200)
def test_what_is_told_is_read_again(day: int) -> None:
    assert CALENDAR.parse(CALENDAR.tell(day)) == day
    assert CALENDAR.read(CALENDAR.parts(day)) == day


def test_todays_weekday_sets_all_others() -> None:
    calendar = Calendar.model_validate({"months": MONTHS, "weekdays": ["A", "B", "C"], "today": "B, 5 Thaw 10"})
    assert calendar.start is not None
    assert calendar.tell(calendar.start) == "B, 5 Thaw 10"
    assert calendar.tell(calendar.start + 1) == "C, 6 Thaw 10"
    assert calendar.tell(calendar.start - 1) == "A, 4 Thaw 10"


@pytest.mark.parametrize(
    ("date", "told"),
    [
        pytest.param("12 Harvest 1042", "today", id="today"),
        pytest.param("11 Harvest 1042", "yesterday", id="yesterday"),
        pytest.param("13 Harvest 1042", "tomorrow", id="tomorrow"),
        pytest.param("9 Harvest 1042", "3 days ago", id="days"),
        pytest.param("14 Harvest 1042", "in 2 days", id="in days"),
        pytest.param("13 High Summer 1042", "39 days ago", id="not yet a month"),
        pytest.param("12 High Summer 1042", "1 month ago", id="a month"),
        pytest.param("12 Frostmoon 1042", "3 months ago", id="months"),
        pytest.param("13 Harvest 1041", "3 months ago", id="not yet a year"),
        pytest.param("12 Harvest 1041", "1 year ago", id="a year"),
        pytest.param("1 Thaw 1030", "12 years ago", id="years"),
        pytest.param("12 Harvest 1044", "in 2 years", id="in years"),
    ],
)
def test_spans_are_told(date: str, told: str) -> None:
    assert CALENDAR.ago(CALENDAR.parse(date), CALENDAR.parse("12 Harvest 1042")) == told


@pytest.mark.parametrize(
    ("calendar", "told"),
    [
        pytest.param("{months: {}}", "3:12: calendar.months: should not be empty", id="no month"),
        pytest.param("{months: {Thaw: 0}}", "calendar.months.Thaw: should be 1 or more, not 0", id="no day"),
        pytest.param("{months: {Thaw: 3, thaw: 4}}", "calendar.months.thaw: 'thaw' is there twice", id="month twice"),
        pytest.param("{months: {Thaw 2: 3}}", "'Thaw 2' holds a digit, a comma", id="digit"),
        pytest.param("{months: {Thaw: 3}, weekdays: [A, B, A]}", "calendar.weekdays[2]: 'A' is there", id="weekday"),
        pytest.param("{months: {Thaw: 3}, today: 1 Thow 3}", "calendar.today: there is no month 'Thow'", id="today"),
        pytest.param(
            "{months: {Thaw: 3}, today: 4 Thaw 3}", "calendar.today: Thaw has no day 4 (it has 3)", id="no day"
        ),
        pytest.param("{months: {Thaw: 3}, todya: 1}", "unknown key 'todya' (did you mean 'today'?)", id="unknown key"),
    ],
)
def test_a_wrong_calendar_is_told(tmp_path: Path, calendar: str, told: str) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(f"name: A\nrules: []\ncalendar: {calendar}\n", encoding="utf-8")
    (problem,) = read_world_file(path).problems
    assert told in str(problem)


def test_a_year_may_stand_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    text = "name: A\ncalendar: {months: {Thaw: 3}, today: 1042}\ntimeline: [{date: 1030, text: A war.}]\n"
    path.write_text(text, encoding="utf-8")
    world = read_world_file(path).value
    assert world is not None
    assert world.calendar is not None
    assert world.calendar.start == 3126
    assert world.timeline[0].date == "1030"
