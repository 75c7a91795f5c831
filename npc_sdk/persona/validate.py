"""Holds a YAML document against a pydantic model and says each mistake in a writer's words, with its line.

Knows no particular model. Called by persona/load.py and the lore readers.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard, TypeVar

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
    "int_parsing": "should be a whole number",
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


def validate(document: Document, model: type[M], *, is_partial: bool = False) -> tuple[M | None, list[ContentError]]:
    """The model's value, or None and every mistake. A partial document may lack keys, but those of a list's items."""
    try:
        # JSON mode is strict about types ("yes" is no number) and still takes lists for tuples.
        return model.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        if is_partial:
            errors = [error for error in errors if error["type"] != "missing" or any(map(_is_index, error["loc"]))]
        return None, first_problems(problem for error in errors for problem in _problems(document, model, error))


def problem_at(document: Document, where: FieldPath, message: str, hint: str = "") -> ContentError:
    """A mistake at a field of a document."""
    at = document.place(where)
    path, field = at.path or document.path, field_name(where)
    return ContentError(message, path=path, line=at.line, column=at.column, field=field, hint=hint)


def _problems(document: Document, model: type[BaseModel], error: Any) -> Iterator[ContentError]:
    """One error of pydantic's: one mistake, or all that a model found in itself."""
    where = _place(document, error)
    if error["type"] == FAULTS:
        for fault in error["ctx"][FAULTS]:
            yield problem_at(document, (*where, *fault.where), fault.message, fault.hint)
    elif not _follows_from_others(error):
        yield _problem(document, model, where, error)


def _follows_from_others(error: Any) -> bool:
    """Whether a list counts as too short only because its items are wrong, which is told of each."""
    return bool(error["type"] == "too_short" and len(error["input"] or ()) >= error["ctx"]["min_length"])


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


def _place(document: Document, error: Any) -> FieldPath:
    """Where in the file, without pydantic's own steps: which kind of value it took one for, and that a key is meant."""
    loc = error["loc"]
    if loc[-1:] == ("[key]",) and error["type"] != "extra_forbidden":
        loc = loc[:-1]
    where: FieldPath = ()
    for step in loc:
        if not str(step).startswith("<") or (*where, step) in document.places:
            where = (*where, step)
    return where


def _is_index(step: object) -> bool:
    return isinstance(step, int)


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
    return tuple(name for found in _models_at(model, where) for name in found.model_fields)


def _description(model: type[BaseModel], where: Sequence[str | int]) -> str:
    fields = (found.model_fields.get(str(where[-1])) for found in _models_at(model, where[:-1]))
    return next((info.description or "" for info in fields if info), "")


def _models_at(model: type[BaseModel], where: Sequence[str | int]) -> list[type[BaseModel]]:
    """Follows a field path through nested models, and lists and maps of models."""
    found: list[Any] = [model]
    for step in where:
        if isinstance(step, str):
            found = [inner for part in found for inner in _inside(part, step)]
    return [part for part in _parts(found) if _is_model(part)]


def _inside(annotation: Any, key: str) -> Iterator[Any]:
    """The annotations of what stands under a key."""
    for part in _parts([annotation]):
        if not _is_model(part):
            yield typing.get_args(part)[1]
        elif key in part.model_fields:
            yield part.model_fields[key].annotation


def _parts(annotations: Sequence[Any]) -> Iterator[Any]:
    """The models and the maps in annotations such as ``tuple[Tool, ...]``, ``Voice | None``, ``dict[str, Place]``."""
    for annotation in annotations:
        if _is_model(annotation) or typing.get_origin(annotation) is dict:
            yield annotation
        else:
            yield from _parts(typing.get_args(annotation))


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    is_plain = isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias)
    return is_plain and issubclass(annotation, BaseModel)
