"""Reading the leaderboard's files: what a row becomes, and mistakes that name file, line and field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.offer import Offer
from npc_sdk.evals.bfcl.row import Function, Row, read_rows
from npc_sdk.evals.bfcl.schema import SchemaFault, json_schema

from .rows import BREW, LEADERBOARD, RING, write_lines

ROW: dict[str, Any] = {"id": "a", "question": [[{"role": "user", "content": "Ring."}]], "function": [RING]}
ANSWER: dict[str, Any] = {"id": "a", "ground_truth": [{"bell_ring": {"times": [1], "bell": [""]}}]}


def test_a_row_holds_its_question_functions_and_answer(folder: Path) -> None:
    row = read_rows(folder, Category.MULTIPLE)[0]
    assert [(message.role, message.text) for message in row.messages] == [("user", "Ring twice.")]
    assert [function.name for function in row.functions] == ["alchemy.brew", "bell.ring", "bell_ring"]
    assert [(call.name, dict(call.arguments)) for call in row.expected] == [
        ("bell.ring", {"times": (2,), "bell": ("",)})
    ]


def test_where_no_call_is_wanted_no_answers_are_needed(folder: Path) -> None:
    assert [row.expected for row in read_rows(folder, Category.IRRELEVANCE)] == [()]


def test_the_newest_version_of_a_file_is_read_and_no_other_category(folder: Path, tmp_path: Path) -> None:
    data = shutil.copytree(folder, tmp_path / "data")
    for place in (data, data / "possible_answer"):
        (place / "BFCL_v4_simple_python.json").rename(place / "BFCL_v3_simple.json")
        (place / "BFCL_v2_simple.json").write_text("not read", encoding="utf-8")
        (place / "BFCL_v9_live_simple.json").write_text("not read", encoding="utf-8")
    assert len(read_rows(data, Category.SIMPLE)) == 3


def test_a_changed_row_or_answer_has_another_digest(tmp_path: Path) -> None:
    def digest(row: dict[str, Any], answer: dict[str, Any]) -> str:
        return _read(tmp_path, [row], [answer])[0].digest

    first = digest(ROW, ANSWER)
    other_answer = {**ANSWER, "ground_truth": [{"bell_ring": {"times": [2], "bell": [""]}}]}
    other_row = {**ROW, "question": [[{"role": "user", "content": "Ring!"}]]}
    assert digest(ROW, ANSWER) == first
    assert len({first, digest(ROW, other_answer), digest(other_row, ANSWER)}) == 3


def _ring_with(**changes: Any) -> dict[str, Any]:
    return {**ROW, "function": [{**RING, **changes}]}


MISTAKES: list[tuple[str, list[Any], list[Any], str]] = [
    ("no object", ["a"], [ANSWER], "multiple.json:1"),
    ("a key of nobody's", [{**ROW, "extra": 1}], [ANSWER], "multiple.json:1: extra"),
    ("no question", [{**ROW, "question": []}], [ANSWER], "multiple.json:1: question"),
    ("two turns", [{**ROW, "question": ROW["question"] * 2}], [ANSWER], "multiple.json:1: question"),
    ("a role of nobody's", [{**ROW, "question": [[{"role": "bard", "content": ""}]]}], [ANSWER], "question.0.0.role"),
    ("no function", [{**ROW, "function": []}], [ANSWER], "multiple.json:1: function"),
    ("the same row twice", [ROW, ROW], [ANSWER], "multiple.json:2: id: 'a' stands here a second time"),
    ("the same function twice", [{**ROW, "function": [RING, RING]}], [ANSWER], "function.1.name: 'bell_ring'"),
    ("no answer", [ROW, {**ROW, "id": "b"}], [ANSWER], "multiple.json:2: id: 'b' has no answer"),
    ("no row", [ROW], [ANSWER, {**ANSWER, "id": "b"}], "multiple.json:2: id: 'b' answers no row"),
    ("two answers", [ROW], [ANSWER, ANSWER], "multiple.json:2: id: 'a' is answered a second time"),
    ("a call of two names", [ROW], [{**ANSWER, "ground_truth": [{"a": {}, "b": {}}]}], "ground_truth.0: a call has"),
    ("an unknown function", [ROW], [{**ANSWER, "ground_truth": [{"bel": {}}]}], "'bel' is no function of 'a'"),
    ("values that are no list", [ROW], [{**ANSWER, "ground_truth": [{"bell_ring": {"times": 1}}]}], "times"),
    ("parameters that are no dict", [_ring_with(parameters={"type": "string"})], [ANSWER], "parameters.type: 'string'"),
    (
        "an unknown type",
        [_ring_with(parameters={"type": "dict", "properties": {"times": {"type": "intger"}}})],
        [ANSWER],
        "function.0.parameters.properties.times.type: 'intger' is no type",
    ),
]


@pytest.mark.parametrize(("rows", "answers", "told"), [one[1:] for one in MISTAKES], ids=[one[0] for one in MISTAKES])
def test_a_mistake_names_file_line_and_field(tmp_path: Path, rows: list[Any], answers: list[Any], told: str) -> None:
    with pytest.raises(ContentError) as caught:
        _read(tmp_path, rows, answers)
    assert told in str(caught.value)
    assert caught.value.line > 0


def _read(folder: Path, rows: list[Any], answers: list[Any]) -> tuple[Row, ...]:
    (folder / "possible_answer").mkdir(exist_ok=True)
    write_lines(folder / "BFCL_v4_multiple.json", rows)
    write_lines(folder / "possible_answer" / "BFCL_v4_multiple.json", answers)
    return read_rows(folder, Category.MULTIPLE)


def test_a_line_that_is_no_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "BFCL_v4_irrelevance.json"
    path.write_text(json.dumps({**ROW, "id": "b"}) + "\n\n{half", encoding="utf-8")
    with pytest.raises(ContentError, match=r"irrelevance\.json:3: is no line of JSON"):
        read_rows(tmp_path, Category.IRRELEVANCE)


@pytest.mark.parametrize("name", [".", "possible_answer", "no such folder"])
def test_a_folder_without_the_file_is_told(folder: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    if name == ".":
        shutil.copy(folder / "BFCL_v4_multiple.json", place)  # its answers are missing
    with pytest.raises(SettingsError, match=r"multiple\.json \(--data names"):
        read_rows(place, Category.MULTIPLE)


def test_parameters_become_json_schema() -> None:
    schema = json_schema(BREW["parameters"])
    found = schema["properties"]
    assert schema["type"] == "object"
    assert schema["required"] == ["potion", "bottles"]
    assert found["potion"] == {"type": "string", "enum": ["Night-eye", "Cat's foot"], "description": "What to brew."}
    assert found["strength"] == {"type": "number", "description": "From 0 to 10.", "default": 1.0}
    assert found["is_hot"] == {"type": "boolean", "description": "Served hot."}
    assert found["doses"] == {"type": "array", "items": {"type": "number"}}
    assert found["limit"]["properties"] == {"min": {"type": "integer"}, "max": {"type": "integer"}}
    assert found["steps"]["items"] == {"type": "object", "properties": {"do": {"type": "string"}}}
    assert found["spot"] == {"type": "array", "items": {"type": "integer"}}
    assert found["note"] == {}


def test_choices_of_a_list_are_choices_of_its_items() -> None:
    described = {"type": "array", "items": {"type": "string"}, "enum": ["low", "high"]}
    assert json_schema(described) == {"type": "array", "items": {"type": "string", "enum": ["low", "high"]}}


@pytest.mark.parametrize(
    ("described", "field"),
    [
        ("string", ""),
        ({}, "type"),
        ({"type": ["string", "null"]}, "type"),
        ({"type": "dict", "properties": []}, "properties"),
        ({"type": "dict", "properties": {"a": {"type": "array", "items": 3}}}, "properties.a.items"),
        ({"type": "dict", "required": "a"}, "required"),
    ],
    ids=str,
)
def test_a_fault_in_a_description_names_its_place(described: Any, field: str) -> None:
    with pytest.raises(SchemaFault) as caught:
        json_schema(described)
    assert caught.value.field == field


NAMES = [
    ("plain names stay", ["ring", "ring-2"], ["ring", "ring-2"]),
    ("a dot becomes an underscore", ["bell.ring"], ["bell_ring"]),
    ("a name that is somebody's already gets a number", ["bell.ring", "bell_ring"], ["bell_ring_2", "bell_ring"]),
    ("and the next another", ["a.b", "a b", "a_b"], ["a_b_2", "a_b_3", "a_b"]),
    ("long names are cut", ["x" * 70, "x" * 64], ["x" * 62 + "_2", "x" * 64]),
]


@pytest.mark.parametrize(("names", "offered"), [one[1:] for one in NAMES], ids=[one[0] for one in NAMES])
def test_names_that_an_engine_may_not_take_are_changed_and_changed_back(names: list[str], offered: list[str]) -> None:
    offer = Offer.of([Function(name, "", RING["parameters"]) for name in names])
    assert [spec.name for spec in offer.specs] == offered
    assert [offer.names[name] for name in offered] == names


def test_the_leaderboards_own_rows_are_read_where_they_are() -> None:
    if not LEADERBOARD.is_dir():
        pytest.skip(f"the leaderboard is not at {LEADERBOARD}; name its folder in BFCL_DATA")
    counts = {category: len(read_rows(LEADERBOARD, category)) for category in Category}
    assert all(count >= 50 for count in counts.values())
