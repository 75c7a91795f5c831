"""The JSON Schema that a tool's parameters are written in: its words, and a walk through all of its parts.

Knows neither tools nor files. Called by persona/parameter.py, persona/limit.py and session/live_schema.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
SchemaPlace: TypeAlias = tuple[str | int, ...]

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")

_HOLD_ONE = (
    "items", "additionalProperties", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
    "not", "if", "then", "else", "contentSchema",
)  # fmt: skip
_HOLD_LIST = ("anyOf", "oneOf", "allOf", "prefixItems")
_HOLD_NAMED = ("properties", "$defs", "definitions", "dependentSchemas")

KEYWORDS = frozenset((
    "type", "description", "title", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment",
    "$schema", "$id", "enum", "const", "format", "nullable", "required", "dependentRequired",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties",
    "contentEncoding", "contentMediaType",
    *_HOLD_ONE, *_HOLD_LIST, *_HOLD_NAMED,
))  # fmt: skip


def types_of(schema: Schema) -> tuple[str, ...]:
    """The types that a schema names; none where it leaves them open."""
    named = schema.get("type", ())
    several = named if isinstance(named, list | tuple) else (named,)
    return tuple(kind for kind in several if isinstance(kind, str))


def schemas_in(schema: Schema, place: SchemaPlace = ()) -> Iterator[tuple[SchemaPlace, Schema]]:
    """The schema and every schema inside it, outermost first, each with where it stands."""
    yield place, schema
    for steps, inner in _parts(schema):
        yield from schemas_in(inner, (*place, *steps))


def holds_more(schema: Schema, most: int) -> bool:
    """Whether it is made of more schemas than that, true and false among them; looks no further than needed."""
    counts = (sum(1 for _ in _held(part)) for _, part in schemas_in(schema))
    return any(total >= most for total in itertools.accumulate(counts))


def rewritten(
    schema: Schema, change: Callable[[dict[str, Any], SchemaPlace], dict[str, Any]], place: SchemaPlace = ()
) -> dict[str, Any]:
    """A copy in which every schema has been changed, innermost first; change is told where each stands."""
    out = dict(schema)
    for steps, inner in _parts(schema):
        _put(out, steps, rewritten(inner, change, (*place, *steps)))
    return change(out, place)


def replaced(schema: Schema, place: SchemaPlace, part: Schema) -> dict[str, Any]:
    """A copy with another part at a place; nothing else is copied."""
    if not place:
        return dict(part)
    out = dict(schema)
    length = 1 if place[0] in _HOLD_ONE else 2
    inner = part_at(schema, place[:length])
    _put(out, place[:length], replaced(inner, place[length:], part))
    return out


def part_at(schema: Schema, place: SchemaPlace) -> Any:
    """What stands at a place of a schema."""
    found: Any = schema
    for step in place:
        found = found[step]
    return found


def is_certain(place: SchemaPlace) -> bool:
    """Whether what stands there always holds: only properties and items lead to it, and no choice between schemas."""
    steps = iter(place)
    for keyword in steps:
        if keyword == "properties":
            next(steps, None)
        elif keyword != "items":
            return False
    return True


def _parts(schema: Schema) -> Iterator[tuple[SchemaPlace, Schema]]:
    return ((steps, inner) for steps, inner in _held(schema) if isinstance(inner, Mapping))


def _held(schema: Schema) -> Iterator[tuple[SchemaPlace, Any]]:
    """What stands in the places of schemas: maps, true or false, and what is none."""
    for keyword, value in schema.items():
        if keyword in _HOLD_ONE:
            yield (keyword,), value
        elif keyword in _HOLD_LIST and isinstance(value, list):
            yield from (((keyword, index), inner) for index, inner in enumerate(value))
        elif keyword in _HOLD_NAMED and isinstance(value, Mapping):
            yield from (((keyword, name), inner) for name, inner in value.items())


def _put(out: dict[str, Any], steps: SchemaPlace, part: dict[str, Any]) -> None:
    """Mutates: out, whose list or map around the part is copied first."""
    keyword = str(steps[0])
    if len(steps) == 1:
        out[keyword] = part
        return
    around: Any = out[keyword]
    around = dict(around) if isinstance(around, Mapping) else list(around)
    around[steps[1]] = part
    out[keyword] = around
