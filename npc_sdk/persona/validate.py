"""Holds a YAML document against a pydantic model and says each mistake in a writer's words, with its line.

Knows no particular model. Called by persona/load.py and the lore readers.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from npc_sdk.errors import ContentError
from npc_sdk.persona.fault import FAULTS
from npc_sdk.persona.problem import first_problems, name_hint, shown
from npc_sdk.persona.yaml_reader import Document, FieldPath, field_name

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "string_type": "should be text",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a map of keys and values",
    "model_type": "should be a map of keys and values",
    "model_attributes_type": "should be a map of keys and values",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge} or more",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le} or less",
    "string_too_short": "should not be empty",
    "string_too_long": "should have at most {max_length} characters",
    "too_short": "should not be empty",
    "too_long": "should have at most {max_length} items",
    "string_pattern_mismatch": "should be one word of letters, digits and '_'",
    "literal_error": "should be {expected}",
}


def validate(document: Document, model: type[M]) -> tuple[M | None, list[ContentError]]:
    """The model's value, or None and every mistake."""
    try:
        # JSON mode is strict about types ("yes" is no number) and still takes lists for tuples.
        return model.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        return None, first_problems(problem for error in errors for problem in _problems(document, model, error))


def problem_at(document: Document, where: FieldPath, message: str, hint: str = "") -> ContentError:
    """A mistake at a field of a document."""
    return ContentError(message, path=document.path, line=document.line(where), field=field_name(where), hint=hint)


def _problems(document: Document, model: type[BaseModel], error: Any) -> Iterator[ContentError]:
    """One error of pydantic's: one mistake, or all that a model found in itself."""
    where = _place(error)
    if error["type"] == FAULTS:
        for fault in error["ctx"][FAULTS]:
            yield problem_at(document, (*where, *fault.where), fault.message, fault.hint)
    else:
        yield _problem(document, model, where, error)


def _problem(document: Document, model: type[BaseModel], where: FieldPath, error: Any) -> ContentError:
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _fields_at(model, where[:-1])
        return problem_at(document, where, f"unknown key {where[-1]!r}", name_hint(str(where[-1]), known, "keys"))
    if kind == "missing":
        return problem_at(document, where, "is missing", _description(model, where))
    if kind == "value_error":
        return problem_at(document, where, error["msg"].removeprefix("Value error, "))
    value = error["input"]
    if value is None:
        return _nothing_there(document, model, where)
    said = _WORDS[kind].format_map(_limits(error)) if kind in _WORDS else error["msg"]
    hint = _type_hint(kind, value) or (_keys_hint(model, where) if kind.startswith(("model", "dict")) else "")
    return problem_at(document, where, said if value == "" else f"{said}, not {shown(value)}", hint)


def _place(error: Any) -> FieldPath:
    """Where in the file, without pydantic's own steps: which kind of item it took one for, and that a key is meant."""
    loc = error["loc"]
    if loc[-1:] == ("[key]",) and error["type"] != "extra_forbidden":
        loc = loc[:-1]
    return tuple(
        step
        for before, step in zip((None, *loc), loc, strict=False)
        if not (isinstance(before, int) and str(step).startswith("<"))
    )


def _nothing_there(document: Document, model: type[BaseModel], where: FieldPath) -> ContentError:
    """A key without a value, an item without a text, or a file without anything."""
    hint = _keys_hint(model, where)
    if not where:
        return problem_at(document, where, "the file is empty", hint)
    if isinstance(where[-1], int):
        return problem_at(document, where, "the item is empty", "write a text after the '-', or take the line out")
    return problem_at(document, where, "has no value", hint or "write one after the ':', or take the key out")


def _type_hint(kind: str, value: object) -> str:
    if kind == "string_type":
        if isinstance(value, dict):
            return "a text with ': ' in it stands in quotes"
        return "write one text, without '- ' and '['" if isinstance(value, list) else "put it in quotes"
    if kind in {"tuple_type", "list_type"} and isinstance(value, str):
        return "put a blank after each '-'" if value.startswith("-") else "start each item with '- '"
    return ""


def _limits(error: Any) -> dict[str, str]:
    """What a constraint allows, with whole numbers written as such."""
    limits = error.get("ctx", {})
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in limits.items()}


def _keys_hint(model: type[BaseModel], where: FieldPath) -> str:
    """What stands inside, where a map is wanted."""
    keys = ", ".join(_fields_at(model, where))
    if not where:
        return f"write 'key: value' lines; keys: {keys}"
    return f"indented under it stand: {keys}" if keys else ""


def _fields_at(model: type[BaseModel], where: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that a model allows at a place."""
    found = _model_at(model, where)
    return tuple(found.model_fields) if found else ()


def _description(model: type[BaseModel], where: Sequence[str | int]) -> str:
    parent = _model_at(model, where[:-1])
    info = parent.model_fields.get(str(where[-1])) if parent else None
    return (info.description or "") if info else ""


def _model_at(model: type[BaseModel], where: Sequence[str | int]) -> type[BaseModel] | None:
    """Follows a field path through nested models and tuples of models."""
    found: type[BaseModel] | None = model
    for step in where:
        if isinstance(step, int):
            continue
        info = found.model_fields.get(step) if found else None
        found = _model_in(info.annotation) if info else None
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``tuple[Tool, ...]`` or ``Voice | None``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in typing.get_args(annotation) if (found := _model_in(part))), None)
