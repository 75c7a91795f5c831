"""The proof of the checker: expected answers are all right, and each kind of damage is refused for its own reason.

On our own rows everywhere, and on the leaderboard's where they are: $BFCL_DATA, or ../shared/reference/bfcl.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.check import check_call, check_calls
from npc_sdk.evals.bfcl.row import Row, read_rows
from npc_sdk.evals.bfcl.verdict import Reason

from .damage import TO_ARGUMENTS, TO_CALLS, Argument, spoilt
from .rows import LEADERBOARD, expected_calls


@pytest.fixture(scope="module", params=["our own rows", "the leaderboard's rows"])
def every_row(request: pytest.FixtureRequest, rows: list[Row]) -> list[Row]:
    if request.param == "our own rows":
        return rows
    if not LEADERBOARD.is_dir():
        pytest.skip(f"the leaderboard is not at {LEADERBOARD}; name its folder in BFCL_DATA")
    return [row for category in Category for row in read_rows(LEADERBOARD, category)]


def _verdict(row: Row, calls: Sequence[ParsedCall]) -> Reason | None:
    return check_calls(row, calls).reason


@pytest.mark.parametrize("has_optional", [True, False], ids=["optional ones given", "optional ones left out"])
def test_expected_answers_score_100_percent_in_every_category(every_row: list[Row], has_optional: bool) -> None:
    wrong = [
        (row.row_id, verdict)
        for row in every_row
        if not (verdict := check_calls(row, expected_calls(row, has_optional=has_optional))).is_right
    ]
    assert wrong == []
    assert {row.category for row in every_row} == set(Category)


@pytest.mark.parametrize(("damage", "reason"), TO_ARGUMENTS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_spoilt_argument_is_told_for_what_it_is(
    every_row: list[Row], rows: list[Row], damage: Callable[[Argument], Any], reason: Reason | None
) -> None:
    found: Counter[Reason | None] = Counter()
    wrong = []
    for row in every_row:
        calls = expected_calls(row, has_optional=True)
        for at, call in spoilt(row, calls, damage):
            verdict = check_calls(row, [*calls[:at], call, *calls[at + 1 :]])
            found[verdict.reason] += 1
            is_told = verdict.reason is reason or (not verdict.is_right and _is_right_elsewhere(row, at, call))
            wrong += [] if is_told else [(row.row_id, call, verdict)]
    assert wrong == []
    assert found[reason] > 0 or every_row is not rows, "nothing could be spoilt in this way"


def _is_right_elsewhere(row: Row, at: int, call: ParsedCall) -> bool:
    """Whether a call is also right for another of those expected; spoilt, then what is left over tells the reason."""
    functions = {function.name: function for function in row.functions}
    others = (*row.expected[:at], *row.expected[at + 1 :])
    return any(check_call(functions[other.name], other, call).is_right for other in others)


@pytest.mark.parametrize(("damage", "reasons"), TO_CALLS, ids=lambda one: getattr(one, "__name__", ""))
def test_spoilt_calls_are_told_for_what_they_are(
    every_row: list[Row],
    damage: Callable[[Sequence[ParsedCall], int], list[ParsedCall]],
    reasons: tuple[Reason | None, ...],
) -> None:
    found: Counter[Reason | None] = Counter()
    for row in every_row:
        calls = expected_calls(row, has_optional=False)
        found.update(_verdict(row, damage(calls, at)) for at in range(len(calls)))
    assert set(found) == set(reasons)


def test_calls_are_right_in_any_order(every_row: list[Row]) -> None:
    several = [row for row in every_row if len(row.expected) > 1]
    assert several
    for row in several:
        calls = expected_calls(row, has_optional=False)
        for turn in range(len(calls)):
            assert _verdict(row, [*calls[turn:], *calls[:turn]][::-1]) is None


def test_one_call_made_twice_for_two_is_wrong(every_row: list[Row]) -> None:
    found = set()
    for row in every_row:
        calls = expected_calls(row, has_optional=False)
        if len(calls) > 1 and not _is_right_elsewhere(row, 1, calls[1]):
            found.add(_verdict(row, [calls[1], *calls[1:]]))
    assert None not in found
    assert found <= {Reason.WRONG_FUNCTION, Reason.WRONG_VALUE, Reason.WRONG_TYPE, Reason.MISSING_OPTIONAL}
    assert found


def test_any_call_is_wrong_where_none_helps(every_row: list[Row]) -> None:
    rows = [row for row in every_row if row.category is Category.IRRELEVANCE]
    assert rows
    assert {_verdict(row, [ParsedCall(row.functions[0].name, {})]) for row in rows} == {Reason.NEEDLESS_CALL}
