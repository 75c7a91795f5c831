"""Whether a call's argument is one of the right values, by the published rules for each type.

Types are exact, one level deep; texts are compared without case, blanks and some punctuation. Called by check.py.
Source: ShishirPatil/gorilla, bfcl_eval/eval_checker/ast_eval/ast_checker.py (rules only).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from npc_sdk.evals.bfcl.schema import json_type
from npc_sdk.evals.bfcl.verdict import RIGHT, Reason, Verdict

MAY_BE_LEFT_OUT = ""
_IGNORED = re.compile(r"[ ,./\-_*^]")
# "any" is checked as a text; answers of another type make that type right as well.
_PYTHON: dict[str | None, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    None: str,
}


def check_value(value: Any, described: Mapping[str, Any], allowed: Sequence[Any]) -> Verdict:
    """described is the parameter as the row describes it, allowed the right values. A whole number may be a float."""
    kind = _PYTHON[json_type(described)]
    items = described.get("items") if kind is list else None
    item_kind = _PYTHON[json_type(items)] if items else None
    if kind is float and type(value) is int:
        value = float(value)
    if not _has_type(value, kind, item_kind, allowed):
        return Verdict(Reason.WRONG_TYPE, f"{value!r} is not of type {described['type']}")
    # Answers of another type stand for a variable's name or the like; they are compared as they are.
    is_described = type(value) is kind and _answer_type(allowed) in (None, kind)
    is_right = _is_among(value, item_kind, allowed) if is_described else any(_same(value, one) for one in allowed)
    return RIGHT if is_right else Verdict(Reason.WRONG_VALUE, f"{value!r} is none of {list(allowed)!r}")


def standard(text: str) -> str:
    """A text with all that does not count taken out."""
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _answer_type(allowed: Sequence[Any]) -> type | None:
    """The type of the answers; None where nothing is given but that the parameter may be left out."""
    return next((type(one) for one in allowed if one != MAY_BE_LEFT_OUT), None)


def _has_type(value: Any, kind: type, item_kind: type | None, allowed: Sequence[Any]) -> bool:
    """The described type, or else that of the answers; of a list, also what stands in it."""
    if type(value) is not kind:
        return type(value) is _answer_type(allowed)
    if item_kind is None or not isinstance(value, list):
        return True
    return any(not isinstance(one, list) or _have_type(value, item_kind, one) for one in allowed)


def _have_type(values: list[Any], kind: type, wanted: list[Any]) -> bool:
    """Items are not converted: a whole number stands for a float only where the answer writes whole numbers too."""
    return all(type(value) in (kind, _answer_type(wanted)) for value in values)


def _is_among(value: Any, item_kind: type | None, allowed: Sequence[Any]) -> bool:
    """By the rule for the type that value has."""
    if isinstance(value, str):
        return standard(value) in {standard(one) for one in allowed if isinstance(one, str)}
    if isinstance(value, dict):
        return any(_is_dict(value, one) for one in allowed)
    if isinstance(value, list):
        is_one = _is_list_of_dicts if item_kind is dict else _is_list
        return any(is_one(value, [] if one == MAY_BE_LEFT_OUT else one) for one in allowed)
    return any(_same(value, one) for one in allowed)


def _is_list(value: list[Any], wanted: Any) -> bool:
    """In order. An empty list is as good as none where the parameter may be left out, as an empty text is."""
    if not isinstance(wanted, list) or len(value) != len(wanted):
        return False
    return all(_same(_plain(one), _plain(other)) for one, other in zip(value, wanted, strict=True))


def _is_list_of_dicts(value: list[Any], wanted: Any) -> bool:
    if not isinstance(wanted, list) or len(value) != len(wanted):
        return False
    return all(_is_dict(one, other) for one, other in zip(value, wanted, strict=True))


def _is_dict(value: Any, wanted: Any) -> bool:
    """Key by key; wanted holds the right values of each, and a key may be left out where "" is among them."""
    if not isinstance(value, dict) or not isinstance(wanted, dict):
        return False
    if any(key not in value and MAY_BE_LEFT_OUT not in right for key, right in wanted.items()):
        return False
    return all(key in wanted and _is_one_of(one, wanted[key]) for key, one in value.items())


def _is_one_of(value: Any, right: Sequence[Any]) -> bool:
    return any(_same(_plain(value), _plain(one)) for one in right)


def _plain(value: Any) -> Any:
    return standard(value) if isinstance(value, str) else value


def _same(one: Any, other: Any) -> bool:
    """Equal, and a truth value only to a truth value: Python takes True for 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
