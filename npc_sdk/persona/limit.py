"""What one NPC may not do with a tool that others may: keywords that narrow a parameter, and never widen it.

Knows neither tools nor personas. Called by persona/tool.py and persona/offer.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from npc_sdk.persona.fault import Fault
from npc_sdk.persona.json_schema import Schema, types_of
from npc_sdk.persona.parameter import FROM, source_faults
from npc_sdk.persona.problem import name_hint, shown

_NUMBERS = ("integer", "number")
_LOWER = {
    "minimum": _NUMBERS,
    "exclusiveMinimum": _NUMBERS,
    "minLength": ("string",),
    "minItems": ("array",),
}
_UPPER = {
    "maximum": _NUMBERS,
    "exclusiveMaximum": _NUMBERS,
    "maxLength": ("string",),
    "maxItems": ("array",),
}
_FITS = {**_LOWER, **_UPPER, FROM: ("string", *_NUMBERS, "boolean")}
_BETWEEN = tuple(zip(_LOWER, _UPPER, strict=True))
LIMITS = (*_LOWER, *_UPPER, "enum", FROM)


def limit_faults(limit: Schema) -> Iterator[Fault]:
    """What is wrong with a limit, whatever it limits."""
    for keyword in limit:
        if keyword not in LIMITS:
            yield Fault((keyword,), f"{shown(keyword)} is no limit", name_hint(keyword, LIMITS, "limits"))
    if FROM in limit:
        yield from source_faults(limit[FROM])
    if "enum" in limit and not limit["enum"]:
        yield Fault(("enum",), "names nothing", "leave the tool out of the list instead")
    try:
        Draft202012Validator.check_schema({key: value for key, value in limit.items() if key in LIMITS and key != FROM})
    except SchemaError as exc:
        yield Fault(tuple(exc.absolute_path), exc.message)


def widening_faults(declared: Schema, limit: Schema) -> Iterator[Fault]:
    """Where a limit does not narrow what the world declares, or leaves nothing of it."""
    kinds = types_of(declared)
    for keyword, value in limit.items():
        fits = _FITS.get(keyword, kinds)
        if kinds and not set(fits) & set(kinds):
            yield Fault((keyword,), f"does not fit a parameter of type {kinds[0]}")
        elif _is_wider(keyword, value, declared.get(keyword)):
            yield Fault(
                (keyword,), f"{shown(value)} is wider than the world's {declared[keyword]}", "a limit only narrows"
            )
    found = Draft202012Validator({key: value for key, value in declared.items() if key != FROM})
    for value in limit.get("enum", ()):
        if not found.is_valid(value):
            yield Fault(("enum",), f"the world does not allow {shown(value)}", "a limit only narrows")
    yield from _nothing_left(narrowed(declared, limit))


def narrowed(schema: Schema, limit: Schema) -> dict[str, Any]:
    """Both together: of each bound the narrower."""
    out = dict(schema)
    for keyword, value in limit.items():
        if keyword in _LOWER:
            out[keyword] = max(value, out.get(keyword, value))
        elif keyword in _UPPER:
            out[keyword] = min(value, out.get(keyword, value))
        elif keyword == "enum":
            allowed = set(map(value_key, value))
            out["enum"] = [one for one in out.get("enum", value) or () if value_key(one) in allowed]
    return out


def value_key(value: Any) -> str:
    """Equal for values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _is_wider(keyword: str, value: Any, declared: Any) -> bool:
    if declared is None or keyword not in (*_LOWER, *_UPPER):
        return False
    return bool(value < declared if keyword in _LOWER else value > declared)


def _nothing_left(schema: Schema) -> Iterator[Fault]:
    for lower, upper in _BETWEEN:
        if lower in schema and upper in schema and schema[lower] > schema[upper]:
            yield Fault((), f"nothing lies between {lower} {schema[lower]} and {upper} {schema[upper]}")
