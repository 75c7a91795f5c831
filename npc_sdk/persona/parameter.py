"""A tool's parameters as authors write them: OpenAI's shape or the short form, with `from` where the state fills them.

Turns both into the one schema that prompts declare, and says which places wait for the game. Called by persona/tool.py.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from npc_sdk.persona.fault import Fault
from npc_sdk.persona.json_schema import (
    KEYWORDS,
    TYPES,
    Schema,
    SchemaPlace,
    is_certain,
    rewritten,
    schemas_in,
    types_of,
)
from npc_sdk.persona.problem import name_hint, shown

FROM = "from"
OPTIONAL = "optional"
MAX_PARAMETERS_CHARS = 8000  # more than a small model can make use of, with room for many tools

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PATH = re.compile(r"state(\.[A-Za-z_][A-Za-z0-9_-]{0,63}){1,8}")
_UNTYPED = frozenset({"enum", "const", "anyOf", "oneOf", "allOf"})  # say on their own what a value is
_COSTLY = {  # can take for ever on what a model writes, or fetch something
    "$ref": "{value!r} is not followed: write the schema out in its place",
    "$dynamicRef": "{value!r} is not followed: write the schema out in its place",
    "pattern": "patterns are not searched for: list what is allowed with 'enum'",
    "patternProperties": "patterns are not searched for: list what is allowed with 'enum'",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A place in the parameters whose values are those that the state holds at any of the paths."""

    place: SchemaPlace
    paths: tuple[str, ...]


def in_full(params: Mapping[str, Any]) -> dict[str, Any]:
    """The short form in OpenAI's shape; what stands for no parameter is left to short_faults."""
    read = {name: _one_in_full(value) for name, value in params.items() if not _short_faults(name, value)}
    return {
        "type": "object",
        "properties": {name: schema for name, (schema, _) in read.items()},
        "required": [name for name, (_, is_optional) in read.items() if not is_optional],
    }


def declared(schema: Schema) -> dict[str, Any]:
    """The schema as prompts show it: the same whatever the state holds."""
    return rewritten(schema, lambda part, _: _without_source(part))


def sources(schema: Schema) -> tuple[Source, ...]:
    """What the state fills."""
    return tuple(Source(place, paths_of(part[FROM])) for place, part in schemas_in(schema) if FROM in part)


def paths_of(value: Any) -> tuple[str, ...]:
    """The paths that stand behind a from."""
    return (value,) if isinstance(value, str) else tuple(value)


def short_faults(params: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the short form itself."""
    for name, value in params.items():
        yield from (fault.under(name) for fault in _short_faults(name, value))


def schema_faults(schema: Schema) -> Iterator[Fault]:
    """What is wrong with parameters in OpenAI's shape."""
    written = len(json.dumps(schema))
    if written > MAX_PARAMETERS_CHARS:
        most = f"at most {MAX_PARAMETERS_CHARS:,}: prompts hold them all"
        yield Fault((), f"{written:,} characters as JSON, {most}")
        return
    found = [fault.under(*place) for place, part in schemas_in(schema) for fault in _part_faults(part, place)]
    yield from found
    if not found:
        try:
            Draft202012Validator.check_schema(declared(schema))
        except SchemaError as exc:
            yield Fault(tuple(exc.absolute_path), f"not a valid JSON Schema: {exc.message}")


def source_faults(value: Any) -> Iterator[Fault]:
    """What is wrong with what stands behind a from."""
    paths = value if isinstance(value, list | tuple) and value else [value]
    for path in paths:
        if not isinstance(path, str):
            hint = "write 'state.' and the name of a variable, or a list of such paths"
            yield Fault((FROM,), f"should be a path into the state, not {shown(path)}", hint)
        elif not _PATH.fullmatch(path):
            yield Fault((FROM,), f"{shown(path)} is no path into the state", _path_hint(path))


def _path_hint(path: str) -> str:
    first, _, rest = path.partition(".")
    near = f"state.{rest if difflib.get_close_matches(first, ['state'], cutoff=0.7) else path}"
    return f"did you mean {near!r}?" if _PATH.fullmatch(near) else "write 'state.' and the name of a variable"


def _one_in_full(value: Any) -> tuple[dict[str, Any], bool]:
    """A parameter's schema, and whether it may be left out."""
    if isinstance(value, list):
        return {"type": "string", "enum": value}, False
    schema = {"type": value} if isinstance(value, str) else {key: of for key, of in value.items() if key != OPTIONAL}
    is_optional = isinstance(value, Mapping) and value.get(OPTIONAL, False)
    kind = schema.get("type")
    if isinstance(kind, str) and kind.endswith("?"):
        return {**schema, "type": kind.removesuffix("?")}, True
    return schema, is_optional


def _without_source(part: dict[str, Any]) -> dict[str, Any]:
    if FROM not in part:
        return part
    rest = {key: value for key, value in part.items() if key != FROM}
    return rest if types_of(rest) or _UNTYPED & rest.keys() else {"type": "string", **rest}


def _short_faults(name: str, value: Any) -> list[Fault]:
    if not _NAME.fullmatch(name):
        is_marked = name.endswith("?")
        hint = "put the '?' behind the type: 'string?'" if is_marked else "letters, digits and _, a letter first"
        return [Fault((), f"{shown(name)} is no name for a parameter", hint)]
    if isinstance(value, str):
        return _type_name_faults(value)
    if isinstance(value, list):
        is_choice = value and all(isinstance(item, str) for item in value) and len(set(value)) == len(value)
        return [] if is_choice else [Fault((), "a list names the texts to choose from, each once")]
    if not isinstance(value, Mapping):
        hint = f"types: {', '.join(TYPES)}; or {{from: state.…}}"
        return [Fault((), f"should be a type or a map of keys and values, not {shown(value)}", hint)]
    if not isinstance(value.get(OPTIONAL, False), bool):
        return [Fault((OPTIONAL,), f"should be true or false, not {shown(value[OPTIONAL])}")]
    return []


def _type_name_faults(value: str) -> list[Fault]:
    kind = value.removesuffix("?")
    if kind in TYPES:
        return []
    hint = f"write {{from: {value}}}" if _PATH.fullmatch(value) else name_hint(kind, TYPES, "types")
    return [Fault((), f"unknown type {shown(kind)}", hint)]


def _part_faults(part: Schema, place: SchemaPlace) -> Iterator[Fault]:
    """What is wrong with one schema, those inside it left aside."""
    for keyword, value in part.items():
        if keyword in _COSTLY:
            yield Fault((keyword,), _COSTLY[keyword].format(value=value))
        elif keyword not in KEYWORDS and keyword != FROM and not keyword.startswith("x-"):
            known = (FROM,) if isinstance(value, str) and _PATH.fullmatch(value) else {*KEYWORDS, FROM}
            yield Fault((keyword,), f"unknown key {shown(keyword)}", name_hint(keyword, known, "keys"))
    for kind in types_of(part):
        if kind not in TYPES:
            hint = name_hint(str(kind).removesuffix("?"), TYPES, "types")
            yield Fault(("type",), f"not a valid JSON Schema: {shown(kind)} is no type", hint)
    if FROM in part:
        yield from source_faults(part[FROM])
        yield from _misplaced(part, place)


def _misplaced(part: Schema, place: SchemaPlace) -> Iterator[Fault]:
    if not place or not is_certain(place):
        yield Fault((FROM,), "cannot stand here", "put it into a property, or into the items of a list")
    elif {"array", "object"} & set(types_of(part)):
        yield Fault((FROM,), "fills one value, and this is a list or a map", "put it into 'items' or into a property")
