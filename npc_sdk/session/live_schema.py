"""A tool's parameters as they hold at this moment: bounded, so that every call ends, and filled from the state.

Knows no persona and no quota. Called by session/toolbelt.py.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from npc_sdk.decoding.grammar import MAX_LIST_ITEMS, MAX_NUMBER, MAX_TEXT_CHARS
from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import JsonValue
from npc_sdk.persona.json_schema import Schema, SchemaPlace, is_certain, part_at, replaced, rewritten, types_of
from npc_sdk.persona.limit import value_key
from npc_sdk.persona.parameter import Source

MAX_VALUES = 256
MAX_VALUE_CHARS = 200

_CHOICES = frozenset({"anyOf", "oneOf", "allOf", "if", "not", "dependentSchemas"})
_KEPT = ("type", "description")  # beside live values, which fit all the rest

log = logging.getLogger(__name__)


class NothingToName(Exception):
    """The state holds nothing that a parameter could be; the text says why."""


def bounded(schema: Schema) -> dict[str, Any]:
    """The schema with an end to every text, list and number that has none, and closed to arguments it does not name."""
    return rewritten(schema, _bounded)


def filled(schema: Schema, sources: Iterable[Source], state: Mapping[str, JsonValue]) -> dict[str, Any]:
    """The schema with the state's values where it waits for them; an optional parameter that finds none goes.

    Raises: NothingToName for one that must be there.
    """
    out = dict(schema)
    for source in sources:
        parameter = str(source.place[1])
        if parameter not in out["properties"]:
            continue
        part = part_at(out, source.place)
        try:
            values = _values(part, source, state)
        except NothingToName as exc:
            if parameter in out.get("required", ()):
                raise NothingToName(f"no {parameter} to name, for {exc}") from None
            out["properties"] = {**out["properties"], parameter: False}  # left out, it could be anything
        else:
            kept = {key: part[key] for key in _KEPT if key in part}
            out = replaced(out, source.place, {**kept, "enum": values})
    return out


def _bounded(part: dict[str, Any], place: SchemaPlace) -> dict[str, Any]:
    if "enum" in part or "const" in part:
        return part
    out, kinds = dict(part), types_of(part)
    if "string" in kinds:
        out.setdefault("maxLength", max(MAX_TEXT_CHARS, part.get("minLength", 0)))
    if "array" in kinds:
        out.setdefault("maxItems", max(MAX_LIST_ITEMS, part.get("minItems", 0)))
    if "integer" in kinds:
        if "exclusiveMinimum" not in part:
            out.setdefault("minimum", -MAX_NUMBER)
        if "exclusiveMaximum" not in part:
            out.setdefault("maximum", MAX_NUMBER)
    is_plain = "properties" in part and is_certain(place) and not _CHOICES & part.keys()
    if is_plain and "unevaluatedProperties" not in part:
        out.setdefault("additionalProperties", False)
    return out


def _values(part: Schema, source: Source, state: Mapping[str, JsonValue]) -> list[JsonValue]:
    """The values to choose from, each once, in the order of the state. Raises: NothingToName."""
    named = " or ".join(source.paths)
    found = [reported for path in source.paths if (reported := _at(state, path)) is not None]
    if not found:
        raise NothingToName(f"the game has not reported {named}")
    values = [value for reported in found for value in _scalars(reported)]
    if not values:
        is_empty = all(reported in ([], {}) for reported in found)
        raise NothingToName(f"{named} {'is empty' if is_empty else 'holds neither texts nor numbers'}")
    fits = Draft202012Validator(dict(part))
    fitting = {value_key(value): value for value in values if _is_nameable(value) and fits.is_valid(value)}
    if not fitting:
        raise NothingToName(f"nothing in {named} fits")
    if len(fitting) < len({value_key(value) for value in values}) or len(fitting) > MAX_VALUES:
        why = f"too long, of another type, outside the limits, with markers, or beyond {MAX_VALUES}"
        _warn(f"some of {named} cannot be named: {why}")
    return list(fitting.values())[:MAX_VALUES]


def _at(state: Mapping[str, JsonValue], path: str) -> JsonValue:
    """What stands at a path such as state.shop.goods; None where nothing does."""
    found: Any = state
    for step in path.split(".")[1:]:
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found  # type: ignore[no-any-return]


def _scalars(reported: JsonValue) -> Iterator[JsonValue]:
    """A list's scalars, a map's keys, or the value itself."""
    held: Iterable[JsonValue] = reported if isinstance(reported, list | dict) else [reported]
    return (value for value in held if isinstance(value, str | int | float))


def _is_nameable(value: JsonValue) -> bool:
    """Whether a call can hold the value: a marker inside it would end the call."""
    return not isinstance(value, str) or (0 < len(value) <= MAX_VALUE_CHARS and neutralize(value) == value)


@lru_cache(maxsize=64)
def _warn(message: str) -> None:
    """Once for each cause: tools are filled at every step of a conversation."""
    log.warning(message)
