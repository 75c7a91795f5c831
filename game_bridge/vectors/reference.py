"""The tables of PROTOCOL.md, made from the message models and the golden frames, so that they cannot go stale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from game_bridge import message as wire
from game_bridge.vectors import Vector

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
_PARTS = (
    ("Limits", wire.Limits, "In welcome.limits."),
    ("NpcEntry", wire.NpcEntry, "In welcome.npcs."),
    ("SessionEntry", wire.SessionEntry, "In session_list.sessions."),
    ("Usage", wire.UsageFields, "In finished.usage, in tokens."),
    ("Timings", wire.TimingFields, "In finished.timings, in seconds."),
    ("Bridge", wire.BridgeFields, "In figures.bridge."),
    ("Engine", wire.EngineFields, "In figures.engine."),
    ("Batch", wire.BatchFields, "In figures.batches."),
    ("Cache", wire.CacheFields, "In figures.cache, in bytes."),
    ("Governor", wire.GovernorFields, "In figures.governor, in seconds."),
    ("Request", wire.RequestFields, "In figures.requests, in tokens and seconds."),
)
_ROW = "| `{name}` | {kind} | {default} | {meaning} |"


def refresh(text: str, vectors: list[Vector]) -> str:
    """PROTOCOL.md with its generated part made anew. Raises: ValueError where the markers are missing."""
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"PROTOCOL.md needs {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{render(vectors)}\n{END}{tail}"


def render(vectors: list[Vector]) -> str:
    """Every message of both directions, then the maps inside messages."""
    parts = ["## Messages from client to server", "", *_messages("client", vectors)]
    parts += ["## Messages from server to client", "", *_messages("server", vectors)]
    parts += ["## Maps inside messages", ""]
    for title, model, place in _PARTS:
        parts += [f"### {title}", "", place, "", *_table(model)]
    return "\n".join(parts)


def _messages(sender: str, vectors: list[Vector]) -> Iterable[str]:
    own = [vector for vector in vectors if vector.sender == sender]
    for kind in dict.fromkeys(vector.body["type"] for vector in own):
        model = wire.MODELS_BY_TYPE[kind]
        yield from (f"### {kind}", "", (model.__doc__ or "").strip(), "", *_table(model))
        for vector in own:
            if vector.body["type"] == kind:
                yield from _example(vector)


def _example(vector: Vector) -> Iterable[str]:
    yield from (f"Example, {vector.name}:", "", "```")
    for index, frame in enumerate(vector.frames):
        label = "" if len(vector.frames) == 1 else f"frame {index + 1}: "
        yield f"{label}{frame.hex()}"
    yield from ("```", "")


def _table(model: type[wire.WireModel]) -> Iterable[str]:
    schema = model.model_json_schema()
    yield from ("| Field | Type and limits | Default | Meaning |", "|---|---|---|---|")
    fields = sorted(schema["properties"].items(), key=lambda item: (item[0] != "type", item[0] != "ref"))
    for name, spec in fields:
        is_type = name == "type"
        yield _ROW.format(
            name=name,
            kind=f"`{spec['const']}`" if is_type else _kind(spec),
            default="required" if is_type or name in schema.get("required", ()) else _default(spec.get("default")),
            meaning="names the message" if is_type else spec.get("description", ""),
        )
    yield ""


def _default(value: object) -> str:
    return "nil" if value is None else "see there" if isinstance(value, dict) else f"`{value!r}`"


def _kind(spec: dict[str, Any]) -> str:
    if "anyOf" in spec:
        return _choice(spec["anyOf"])
    if "$ref" in spec:
        return str(spec["$ref"].rpartition("/")[2])
    if "enum" in spec:
        return ", ".join(f"`{value}`" for value in spec["enum"])
    base = {"string": "string", "integer": "integer", "number": "float", "boolean": "boolean"}.get(spec.get("type", ""))
    if base is None:
        base = _container(spec)
    return ", ".join([base, *_limits(spec)])


def _choice(options: list[dict[str, Any]]) -> str:
    kinds = [option for option in options if option.get("type") != "null"]
    return f"{_kind(kinds[0])}, or nil" if len(kinds) == 1 else "any value"


def _container(spec: dict[str, Any]) -> str:
    if spec.get("type") == "array":
        return f"array of ({_kind(spec['items'])})"
    return "map of string to any value" if spec.get("type") == "object" else "any value"


def _limits(spec: dict[str, Any]) -> Iterable[str]:
    words = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "maxItems": "at most {}",
        "maxProperties": "at most {}",
        "minimum": "{} or more",
        "maximum": "{} or less",
        "exclusiveMinimum": "more than {}",
        "pattern": "matches `{}`",
    }
    return [phrase.format(spec[key]) for key, phrase in words.items() if key in spec]
