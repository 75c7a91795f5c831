"""What a Python type hint means as JSON Schema, and how a JSON value becomes what the hint promises.

Knows the standard library only. Called by npc_sdk/tool.py.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias, Union

Read: TypeAlias = Callable[[Any], Any]

_PLAIN: Mapping[Any, tuple[str, tuple[type, ...], str]] = {
    str: ("string", (str,), "text"),
    bool: ("boolean", (bool,), "true or false"),
    int: ("integer", (int,), "a whole number"),
    float: ("number", (int, float), "a number"),
}
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number"}


class HintError(TypeError):
    """A hint that cannot be said in JSON; the text says what can."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A hint as JSON Schema. read raises ValueError, in words for a model, for a value that does not fit."""

    schema: dict[str, Any]
    read: Read


def shape_of(hint: Any) -> Shape:
    """Raises: HintError for a hint that cannot be said in JSON."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _annotated(shape_of(inner[0]), inner[1:])
    if hint in _PLAIN:
        return _plain(*_PLAIN[hint])
    if hint is Any:
        return Shape({}, lambda value: value)
    if origin is Literal:
        return _choice({value: value for value in inner})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice({member.value: member for member in hint})
    if origin in (Union, types.UnionType):
        return _union(tuple(shape_of(one) for one in inner if one is not types.NoneType))
    if hint is list or origin in (list, Sequence):
        return _list(shape_of(inner[0]) if inner else shape_of(Any))
    if hint is dict or origin in (dict, Mapping):
        return _map(inner)
    raise HintError(
        f"{getattr(hint, '__name__', hint)!r} cannot be said in JSON; take str, int, float, bool, Literal, an Enum, "
        "list[…], dict, or a union of these"
    )


def allows_none(hint: Any) -> bool:
    """Whether the hint is for something that may be left out: ``str | None``."""
    if typing.get_origin(hint) is typing.Annotated:
        return allows_none(typing.get_args(hint)[0])
    return typing.get_origin(hint) in (Union, types.UnionType) and types.NoneType in typing.get_args(hint)


def _annotated(shape: Shape, notes: tuple[Any, ...]) -> Shape:
    """A text describes, a mapping adds keywords; what else stands there is for others."""
    schema = dict(shape.schema)
    for note in notes:
        schema |= {"description": note} if isinstance(note, str) else note if isinstance(note, Mapping) else {}
    return Shape(schema, shape.read)


def _must(is_right: bool, what: str, value: Any) -> None:
    """Raises: ValueError."""
    if not is_right:
        raise ValueError(f"should {what}, not {value!r:.60}")


def _plain(kind: str, taken: tuple[type, ...], words: str) -> Shape:
    def read(value: Any) -> Any:
        _must(isinstance(value, taken) and (bool in taken or not isinstance(value, bool)), f"be {words}", value)
        return float(value) if kind == "number" else value

    return Shape({"type": kind}, read)


def _choice(meant: Mapping[Any, Any]) -> Shape:
    """One of the values; 1 and true are two, though Python calls them equal."""
    known = {(type(value), value): result for value, result in meant.items()}

    def read(value: Any) -> Any:
        is_known = not isinstance(value, list | dict) and (type(value), value) in known
        _must(is_known, f"be one of {', '.join(map(str, meant))}", value)
        return known[type(value), value]

    kinds = {type(value) for value in meant}
    if not kinds <= _KINDS.keys():
        raise HintError(f"the choice {list(meant)!r} cannot be said in JSON; take texts and numbers")
    kind = {"type": _KINDS[kinds.pop()]} if len(kinds) == 1 else {}
    return Shape({**kind, "enum": list(meant)}, read)


def _union(shapes: tuple[Shape, ...]) -> Shape:
    """The first that fits."""
    if len(shapes) == 1:
        return shapes[0]

    def read(value: Any) -> Any:
        reasons = []
        for shape in shapes:
            try:
                return shape.read(value)
            except ValueError as exc:
                reasons.append(str(exc))
        raise ValueError("; or ".join(reasons))

    return Shape({"anyOf": [shape.schema for shape in shapes]}, read)


def _list(items: Shape) -> Shape:
    def read(value: Any) -> Any:
        _must(isinstance(value, list), "be a list", value)
        return [items.read(item) for item in value]

    return Shape({"type": "array", **({"items": items.schema} if items.schema else {})}, read)


def _map(inner: tuple[Any, ...]) -> Shape:
    if inner and inner[0] is not str:
        raise HintError(f"a dict with keys of {inner[0]!r} cannot be said in JSON; take dict[str, …]")
    values = shape_of(inner[1]) if inner else shape_of(Any)

    def read(value: Any) -> Any:
        _must(isinstance(value, dict), "be a map", value)
        return {name: values.read(of) for name, of in value.items()}

    return Shape({"type": "object", **({"additionalProperties": values.schema} if values.schema else {})}, read)
