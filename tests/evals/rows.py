"""Rows of our own in the leaderboard's format, so that its rules are checked where the leaderboard itself is not.

Also: expected answers as calls, calls as a dialect writes them, and where the leaderboard may be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import ParsedCall
from npc_sdk.evals.bfcl.category import SOURCES, Category
from npc_sdk.evals.bfcl.offer import Offer
from npc_sdk.evals.bfcl.row import ExpectedCall, Function, Row

LEADERBOARD = Path(os.environ.get("BFCL_DATA") or Path(__file__).parents[3] / "shared" / "reference" / "bfcl")

BREW: dict[str, Any] = {
    "name": "alchemy.brew",
    "description": "Brews a potion.",
    "parameters": {
        "type": "dict",
        "properties": {
            "potion": {"type": "string", "description": "What to brew.", "enum": ["Night-eye", "Cat's foot"]},
            "bottles": {"type": "integer", "description": "How many."},
            "strength": {"type": "float", "description": "From 0 to 10.", "default": 1.0},
            "is_hot": {"type": "boolean", "description": "Served hot.", "optional": True},
            "herbs": {"type": "array", "items": {"type": "string"}, "description": "In the order of adding."},
            "doses": {"type": "array", "items": {"type": "float"}},
            "limit": {"type": "dict", "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}}},
            "steps": {"type": "array", "items": {"type": "dict", "properties": {"do": {"type": "String"}}}},
            "spot": {"type": "tuple", "items": {"type": "integer"}},
            "note": {"type": "any"},
        },
        "required": ["potion", "bottles"],
    },
}
RING: dict[str, Any] = {
    "name": "bell_ring",
    "description": "Rings a bell.",
    "parameters": {
        "type": "dict",
        "properties": {"times": {"type": "integer"}, "bell": {"type": "string"}},
        "required": ["times"],
    },
}
# Takes the name that "bell.ring" would get.
RING_TWIN: dict[str, Any] = {**RING, "name": "bell.ring"}

BREWED: dict[str, list[Any]] = {
    "potion": ["Night-eye", "night eye brew"],
    "bottles": [3],
    "strength": [2.0, 2.5],
    "is_hot": [True, ""],
    "herbs": [["Wolf's bane", "sage"]],
    "doses": [[0.5, 1.5]],
    "limit": [{"min": [1], "max": [9, ""]}],
    "steps": [[{"do": ["stir"]}, {"do": ["pour off"]}]],
    "spot": [[4, 7]],
    "note": ["for Mara's cat", ""],
}


def _ring(times: Sequence[Any], bell: Sequence[Any] = ("",), name: str = "bell_ring") -> dict[str, Any]:
    return {name: {"times": list(times), "bell": list(bell)}}


_CASES: dict[Category, list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]] = {
    Category.SIMPLE: [
        ("Brew three bottles.", [BREW], [{"alchemy.brew": BREWED}]),
        ("Ring once.", [RING], [_ring([1], ["great bell", ""])]),
        ("Ring the bell named 5.", [RING], [{"bell_ring": {"times": [2], "bell": ["5th", ""]}}]),
    ],
    Category.MULTIPLE: [("Ring twice.", [BREW, RING_TWIN, RING], [_ring([2], name="bell.ring")])],
    Category.PARALLEL: [
        ("Ring once, then one to three times.", [RING], [_ring([1, 2, 3]), _ring([1])]),
        ("Ring low and high.", [RING_TWIN], [_ring([4], ["low"], "bell.ring"), _ring([4], ["high"], "bell.ring")]),
    ],
    Category.PARALLEL_MULTIPLE: [("Brew and ring.", [BREW, RING], [{"alchemy.brew": BREWED}, _ring([7, 8])])],
    Category.IRRELEVANCE: [("What is the moon made of?", [RING], [])],
}


def write_leaderboard(folder: Path) -> Path:
    """Our rows as files of the leaderboard's names."""
    answers = folder / "possible_answer"
    answers.mkdir(parents=True)
    for category, cases in _CASES.items():
        name = f"BFCL_v4_{SOURCES[category].names[0]}.json"
        rows, truths = [], []
        for index, (question, functions, truth) in enumerate(cases):
            row_id = f"{category.value}_{index}"
            rows.append({"id": row_id, "question": [[{"role": "user", "content": question}]], "function": functions})
            truths.append({"id": row_id, "ground_truth": truth})
        write_lines(folder / name, rows)
        if SOURCES[category].has_answers:
            write_lines(answers / name, truths)
    return folder


def write_lines(path: Path, values: Sequence[Any]) -> None:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")


def expected_calls(row: Row, *, has_optional: bool) -> list[ParsedCall]:
    """The row's answer as calls: of each parameter the first right value; has_optional: also what may be left out."""
    functions = {function.name: function for function in row.functions}
    return [_call(functions[wanted.name], wanted, has_optional) for wanted in row.expected]


def _call(function: Function, wanted: ExpectedCall, has_optional: bool) -> ParsedCall:
    """A parameter that an answer allows but the function does not have (the leaderboard has one) cannot be given."""
    described, required = function.parameters["properties"], function.parameters["required"]
    arguments = {
        name: _written(next(value for value in allowed if value != ""), has_optional)
        for name, allowed in wanted.arguments.items()
        if name in described and any(value != "" for value in allowed)
        if has_optional or name in required or "" not in allowed
    }
    return ParsedCall(wanted.name, arguments)


def _written(value: Any, has_optional: bool) -> Any:
    """A right value as a model writes it: answers hold, for every key of a dict, the list of what is right there."""
    if isinstance(value, list):
        return [_written(one, has_optional) for one in value]
    if isinstance(value, dict):
        return {
            key: next(one for one in right if one != "")
            for key, right in value.items()
            if has_optional or "" not in right
        }
    return value


def in_dialect(name: str, row: Row, calls: Sequence[ParsedCall]) -> str:
    """The calls as a model of this dialect writes them, under the names that it was offered."""
    frame = tool_format(name).frame
    offered = {original: shown for shown, original in Offer.of(row.functions).names.items()}
    written = [_json(offered.get(call.name, call.name), call.arguments, frame.arguments_key) for call in calls]
    blocks = frame.between.join(f"{frame.before}{one}{frame.after}" for one in written)
    return f"{frame.lead}{blocks}{frame.tail}" if calls else "None of the functions can answer that."


def _json(name: str, arguments: Mapping[str, Any], key: str) -> str:
    return json.dumps({"name": name, key: dict(arguments)}, ensure_ascii=False)
