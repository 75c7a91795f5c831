"""The published rules one by one, on values small enough to be read."""

from __future__ import annotations

from typing import Any

import pytest

from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.check import check_calls
from npc_sdk.evals.bfcl.row import ExpectedCall, Function, Row
from npc_sdk.evals.bfcl.value import check_value, standard
from npc_sdk.evals.bfcl.verdict import Reason

TEXTS = {"type": "array", "items": {"type": "string"}}
FLOATS = {"type": "array", "items": {"type": "float"}}
DICTS = {"type": "array", "items": {"type": "dict"}}

RIGHT_VALUES: list[tuple[str, Any, dict[str, Any], list[Any]]] = [
    ("text", "Mara", {"type": "string"}, ["Mara"]),
    ("text whatever its case", "mARA", {"type": "string"}, ["Mara"]),
    ("text without marks", "St.-John's, Inn_*^/", {"type": "string"}, ["st johns inn", "St John's Inn"]),
    ("text with the other quotes", 'the "inn"', {"type": "string"}, ["the 'inn'"]),
    ("empty text where it may be left out", "", {"type": "string"}, ["Mara", ""]),
    ("text of a type written with a capital", "Mara", {"type": "String"}, ["mara"]),
    ("integer", 3, {"type": "integer"}, [2, 3]),
    ("integer for a float", 3, {"type": "float"}, [3.0]),
    ("integer for a float, answered as one", 3, {"type": "float"}, [3]),
    ("float for a float, answered as an integer", 3.0, {"type": "float"}, [3]),
    ("truth", False, {"type": "boolean"}, [False, ""]),
    ("null where the answer is null", None, {"type": "integer"}, [None, ""]),
    ("an answer of another type than described", 5, {"type": "string"}, [5]),
    ("any as text", "Five", {"type": "any"}, ["five"]),
    ("any as the answer's type", 5, {"type": "any"}, [5]),
    ("list", ["A", "b"], TEXTS, [["x"], ["a", "B."]]),
    ("list without described items", [1, "b"], {"type": "array"}, [[1, "B"]]),
    ("tuple", [1, 2], {"type": "tuple", "items": {"type": "integer"}}, [[1, 2]]),
    ("empty list where it may be left out", [], TEXTS, [["a"], ""]),
    ("integers in a list of floats, answered as such", [1, 2], FLOATS, [[1, 2]]),
    ("dict", {"a": 1, "b": "X"}, {"type": "dict"}, [{"a": [0, 1], "b": ["x"]}]),
    ("dict without a key that may be left out", {"a": 1}, {"type": "dict"}, [{"a": [1], "b": ["x", ""]}]),
    ("the second of two dicts", {"a": 2}, {"type": "dict"}, [{"a": [1]}, {"a": [2]}]),
    ("list of dicts", [{"a": 1}, {"a": 2}], DICTS, [[{"a": [1]}, {"a": [2, 3]}]]),
]
WRONG_VALUES: list[tuple[str, Any, dict[str, Any], list[Any], Reason]] = [
    ("another text", "Maro", {"type": "string"}, ["Mara"], Reason.WRONG_VALUE),
    ("empty text where it is wanted", "", {"type": "string"}, ["Mara"], Reason.WRONG_VALUE),
    ("text with a mark that counts", "Mara!", {"type": "string"}, ["Mara"], Reason.WRONG_VALUE),
    ("number as text", "3", {"type": "integer"}, [3], Reason.WRONG_TYPE),
    ("float for an integer", 3.0, {"type": "integer"}, [3], Reason.WRONG_TYPE),
    ("truth for an integer", True, {"type": "integer"}, [1], Reason.WRONG_TYPE),
    ("integer for a truth", 1, {"type": "boolean"}, [True], Reason.WRONG_TYPE),
    ("truth for a float", True, {"type": "float"}, [1.0], Reason.WRONG_TYPE),
    ("null", None, {"type": "integer"}, [3, ""], Reason.WRONG_TYPE),
    ("another integer", 4, {"type": "integer"}, [3], Reason.WRONG_VALUE),
    ("a near float", 3.14, {"type": "float"}, [3.1416], Reason.WRONG_VALUE),
    ("anything where only nothing is right", 3, {"type": "integer"}, [""], Reason.WRONG_VALUE),
    ("text where the answer is a number", "5", {"type": "string"}, [5], Reason.WRONG_VALUE),
    ("list in another order", ["b", "a"], TEXTS, [["a", "b"]], Reason.WRONG_VALUE),
    ("shorter list", ["a"], TEXTS, [["a", "b"]], Reason.WRONG_VALUE),
    ("list with an item of another type", ["a", 2], TEXTS, [["a", "2"]], Reason.WRONG_TYPE),
    ("integers in a list of floats", [1, 2], FLOATS, [[1.0, 2.0]], Reason.WRONG_TYPE),
    ("one for a list", "a", TEXTS, [["a"]], Reason.WRONG_TYPE),
    ("list for one", ["a"], {"type": "string"}, ["a"], Reason.WRONG_TYPE),
    ("empty list where it is wanted", [], TEXTS, [["a"]], Reason.WRONG_VALUE),
    ("dict with a key too many", {"a": 1, "b": 2}, {"type": "dict"}, [{"a": [1]}], Reason.WRONG_VALUE),
    ("dict with a key too few", {}, {"type": "dict"}, [{"a": [1]}], Reason.WRONG_VALUE),
    ("dict with another value", {"a": 2}, {"type": "dict"}, [{"a": [1]}], Reason.WRONG_VALUE),
    ("dict with truth for one", {"a": True}, {"type": "dict"}, [{"a": [1]}], Reason.WRONG_VALUE),
    ("dict mixed from two answers", {"a": 1, "b": 2}, {"type": "dict"}, [{"a": [1]}, {"b": [2]}], Reason.WRONG_VALUE),
    ("dicts in another order", [{"a": 2}, {"a": 1}], DICTS, [[{"a": [1]}, {"a": [2]}]], Reason.WRONG_VALUE),
    ("fewer dicts", [{"a": 1}], DICTS, [[{"a": [1]}, {"a": [2]}]], Reason.WRONG_VALUE),
    ("text for a dict", "a", {"type": "dict"}, [{"a": [1]}], Reason.WRONG_TYPE),
]


@pytest.mark.parametrize(
    ("value", "described", "allowed"), [one[1:] for one in RIGHT_VALUES], ids=[one[0] for one in RIGHT_VALUES]
)
def test_right_values(value: Any, described: dict[str, Any], allowed: list[Any]) -> None:
    assert check_value(value, described, allowed).reason is None


@pytest.mark.parametrize(
    ("value", "described", "allowed", "reason"), [one[1:] for one in WRONG_VALUES], ids=[one[0] for one in WRONG_VALUES]
)
def test_wrong_values(value: Any, described: dict[str, Any], allowed: list[Any], reason: Reason) -> None:
    verdict = check_value(value, described, allowed)
    assert verdict.reason is reason
    assert repr(value) in verdict.detail


def test_what_does_not_count_in_a_text() -> None:
    assert standard("A b,c.d/e-f_g*h^i'J") == 'abcdefghi"j'
    assert standard("é!?:;\t") == "é!?:;\t"


RING = Function(
    "ring",
    "",
    {"type": "dict", "properties": {"times": {"type": "integer"}, "bell": {"type": "string"}}, "required": ["times"]},
)
LIGHT = Function("light", "", {"type": "dict", "properties": {}, "required": []})


def _row(*expected: ExpectedCall) -> Row:
    return Row("row", Category.PARALLEL, (), (RING, LIGHT), expected, "")


def _ring(**arguments: Any) -> ParsedCall:
    return ParsedCall("ring", arguments)


ONCE = ExpectedCall("ring", {"times": (1,), "bell": ("",)})
FEW = ExpectedCall("ring", {"times": (1, 2, 3), "bell": ("",)})
LIT = ExpectedCall("light", {})
NO_BELL = ExpectedCall("ring", {"times": (1,)})
LOW = ExpectedCall("ring", {"times": (1,), "bell": ("low",)})
LAMP = ParsedCall("lamp", {})

CALLS: list[tuple[str, Row, list[ParsedCall], Reason | None]] = [
    ("the expected one", _row(ONCE), [_ring(times=1)], None),
    ("one without arguments", _row(LIT), [ParsedCall("light", {})], None),
    ("none where one is expected", _row(ONCE), [], Reason.NO_CALL),
    ("none where none is expected", _row(), [], None),
    ("one where none is expected", _row(), [_ring(times=1)], Reason.NEEDLESS_CALL),
    ("two for one", _row(ONCE), [_ring(times=1), _ring(times=1)], Reason.WRONG_COUNT),
    ("one for two", _row(ONCE, FEW), [_ring(times=1)], Reason.WRONG_COUNT),
    ("another function", _row(ONCE), [ParsedCall("light", {})], Reason.WRONG_FUNCTION),
    ("a function that nobody has", _row(ONCE), [ParsedCall("Ring", {"times": 1})], Reason.WRONG_FUNCTION),
    ("without what is required", _row(ONCE), [_ring(bell="x")], Reason.MISSING_REQUIRED),
    ("with a parameter of nobody's", _row(ONCE), [_ring(times=1, loud=True)], Reason.UNEXPECTED_PARAMETER),
    ("with one that the answer does not name", _row(NO_BELL), [_ring(times=1, bell="x")], Reason.UNEXPECTED_PARAMETER),
    ("without an optional one that is wanted", _row(LOW), [_ring(times=1)], Reason.MISSING_OPTIONAL),
    ("the nearest miss of two is told", _row(ONCE, LIT), [_ring(times=9), LAMP], Reason.WRONG_VALUE),
    ("the pair that is left over is told", _row(ONCE, LIT), [_ring(times=1), LAMP], Reason.WRONG_FUNCTION),
    ("either of two answers, the narrow one last", _row(FEW, ONCE), [_ring(times=1), _ring(times=2)], None),
    ("either of two answers, turned round", _row(FEW, ONCE), [_ring(times=2), _ring(times=1)], None),
    ("three that must change partners", _row(FEW, FEW, ONCE), [_ring(times=1), _ring(times=3), _ring(times=2)], None),
    ("one call for two answers", _row(FEW, ONCE), [_ring(times=2), _ring(times=3)], Reason.WRONG_VALUE),
]  # fmt: skip


@pytest.mark.parametrize(("row", "calls", "reason"), [one[1:] for one in CALLS], ids=[one[0] for one in CALLS])
def test_calls(row: Row, calls: list[ParsedCall], reason: Reason | None) -> None:
    verdict = check_calls(row, calls)
    assert verdict.reason is reason
    assert verdict.is_right == (reason is None)
    assert bool(verdict.detail) == (reason is not None)
