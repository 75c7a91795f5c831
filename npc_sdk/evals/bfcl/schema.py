"""BFCL's parameter descriptions as JSON Schema, and its types as the checker compares them.

Knows neither rows nor models. Called by row.py, offer.py and value.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# None: any JSON value. Compared without regard to case, since the rows write "String" as well.
_TYPES: dict[str, str | None] = {
    "string": "string",
    "str": "string",
    "integer": "integer",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "number": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "array": "array",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "object": "object",
    "any": None,
}
# Of the rest, "optional" only repeats what "required" says, and "format" and its like are prose without force.
_KEPT = ("description", "enum", "default", "minItems", "maxItems", "minimum", "maximum")


class SchemaFault(ValueError):
    """What is wrong in a description, and at which dotted place in it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def json_type(described: Mapping[str, Any], field: str = "") -> str | None:
    """The JSON Schema type of a description, None where any value fits. Raises: SchemaFault."""
    name = described.get("type")
    if not isinstance(name, str) or name.casefold() not in _TYPES:
        raise SchemaFault(_dotted(field, "type"), f"{name!r} is no type, which are: {', '.join(_TYPES)}")
    return _TYPES[name.casefold()]


def parameters_schema(described: Any) -> dict[str, Any]:
    """The parameters of a function, which are an object. Raises: SchemaFault."""
    schema = json_schema(described)
    if schema.get("type") != "object":
        raise SchemaFault("type", f"{described['type']!r}, but the parameters of a function are a dict")
    return schema


def json_schema(described: Any, field: str = "") -> dict[str, Any]:
    """A description as JSON Schema, nested ones as well. Raises: SchemaFault."""
    described = _mapping(described, field)
    kind = json_type(described, field)
    out: dict[str, Any] = {} if kind is None else {"type": kind}
    out |= {key: described[key] for key in _KEPT if key in described}
    if kind == "object":
        _add_properties(out, described, field)
    elif kind == "array" and "items" in described:
        out["items"] = json_schema(described["items"], _dotted(field, "items"))
    if kind == "array" and "enum" in out:
        _choose_items(out)
    return out


def _add_properties(out: dict[str, Any], described: Mapping[str, Any], field: str) -> None:
    """Mutates: out, which gets the described keys. An object without any is a free map. Raises: SchemaFault."""
    place = _dotted(field, "properties")
    properties = _mapping(described.get("properties", {}), place)
    required = described.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise SchemaFault(_dotted(field, "required"), f"{required!r} is not a list of names")
    if properties:
        out["properties"] = {name: json_schema(one, _dotted(place, name)) for name, one in properties.items()}
    if required:
        out["required"] = list(required)


def _choose_items(out: dict[str, Any]) -> None:
    """Mutates: out, a list's schema. Choices that are no lists are meant for what stands in it."""
    if not any(isinstance(choice, list) for choice in out["enum"]):
        out["items"] = {**out.get("items", {}), "enum": out.pop("enum")}


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SchemaFault(field, f"{value!r} is not an object")
    return value


def _dotted(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
