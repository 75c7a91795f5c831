"""Holds what an import made against the models that will read it; what they refuse is taken out and told.

The last gate: a file that `npc import` writes passes `npc check`. Called by cards/book.py and cards/character.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from npc_sdk.cards.report import Report
from npc_sdk.persona.yaml_reader import field_name

_ROUNDS = 8  # mistakes may hide others


def fitted(model: type[BaseModel], value: Mapping[str, Any], place: str, report: Report) -> dict[str, Any] | None:
    """The value without what the model refuses, or None where too little is left of it. Mutates: report."""
    left: dict[str, Any] = json.loads(json.dumps(value))
    for _ in range(_ROUNDS):
        try:
            model.model_validate_json(json.dumps(left), strict=True)
        except ValidationError as exc:
            if not _prune(left, exc, place, report):
                return None
        else:
            return left
    return None


def _prune(value: dict[str, Any], exc: ValidationError, place: str, report: Report) -> bool:
    """Takes out every place that an error names; False where one is missing or is the whole. Mutates: value, report."""
    errors = exc.errors(include_url=False, include_context=False)
    for error in sorted(errors, key=lambda error: [str(step).zfill(8) for step in error["loc"]], reverse=True):
        message = error["msg"].removeprefix("Value error, ")
        taken = None if error["type"] == "missing" else _take_out(value, error["loc"])
        if not taken:
            report.left(place, field_name(error["loc"]), f"our files cannot hold it: {message}")
            return False
        report.left(place, field_name(taken), f"our files cannot hold it: {message}")
    return True


def _take_out(value: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Deletes the innermost thing on the way; pydantic's own steps (which kind it took) are passed over."""
    holder, at, path = None, None, []
    for step in loc:
        found = value if isinstance(value, dict | list) else None
        if (isinstance(found, dict) and step in found) or (isinstance(found, list) and _is_index(step, found)):
            holder, at = found, step
            path.append(step)
            value = found[step]  # type: ignore[index]
    if holder is None or at is None:
        return ()
    del holder[at]  # type: ignore[arg-type]
    return tuple(path)


def _is_index(step: str | int, items: list[Any]) -> bool:
    return isinstance(step, int) and 0 <= step < len(items)
