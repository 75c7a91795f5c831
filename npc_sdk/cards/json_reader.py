"""Reads JSON from strangers within bounds of size, depth and count; what JSON should not hold is noted, not kept.

Knows no cards. Called by cards/source.py and cards/exported.py.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue

MAX_BYTES = 10_000_000  # of a card.json, by the card specification's readers
MAX_DEPTH = 64
MAX_VALUES = 500_000  # about 60 MB once read; 10,000 entries of World Info hold 380,000
_MAX_DIGITS = 400
_INTEGERS = range(-(2**63), 2**63)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SHOWN_NOTES = 20


@dataclass(frozen=True, slots=True)
class ReadJson:
    """A value without oddities; notes says which there were."""

    value: JsonValue
    notes: tuple[str, ...] = ()


def read_json(data: bytes, path: Path) -> ReadJson:
    """Raises: ContentError naming the file, and the line and column where it is no JSON."""
    if len(data) > MAX_BYTES:
        raise ContentError(f"the JSON has {len(data):,} bytes", path=path, hint=f"at most {MAX_BYTES:,}")
    text = _decoded(data, path)
    if _has_more_values(text, MAX_VALUES):
        raise ContentError("the JSON holds too many values", path=path, hint=f"at most {MAX_VALUES:,}; split it")
    reader = _Reader([])
    value = _parsed(text, path, reader)
    if _is_deeper(value, MAX_DEPTH):
        raise _too_deep(path)
    if _ESCAPED_SURROGATE.search(text):
        value = _without_surrogates(value, reader)
    return ReadJson(value, tuple(dict.fromkeys(reader.notes)))


def write_json(value: JsonValue | Mapping[str, Any]) -> str:
    """The value as people read it."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


@dataclass(slots=True)
class _Reader:
    """The hooks of the parser. Mutates: notes."""

    notes: list[str]

    def note(self, told: str) -> None:
        if len(self.notes) < _SHOWN_NOTES:
            self.notes.append(told)

    def constant(self, name: str) -> None:
        self.note(f"{name} is no JSON number; read as nothing")

    def whole(self, digits: str) -> int | None:
        if len(digits) <= 20 and (value := int(digits)) in _INTEGERS:
            return value
        self.note(f"the number {digits[:24]}… is too large; read as nothing")
        return None

    def real(self, digits: str) -> float | None:
        if len(digits) <= _MAX_DIGITS and math.isfinite(value := float(digits)):
            return value
        self.note(f"the number {digits[:24]} is too large; read as nothing")
        return None

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.note("a map gives a key twice; the last one counts")
        return found


def _has_more_values(text: str, limit: int) -> bool:
    """Whether more begin than are allowed, told before any is made. Texts are looked into only where it matters."""
    if sum(map(text.count, "[{,")) <= limit:
        return False
    between = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]  # without texts, which may hold any sign
    return sum(part.count(sign) for part in between for sign in "[{,") > limit


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        wrong = data[exc.start : exc.start + 1]
        hint = "save the file in the encoding UTF-8"
        raise ContentError(f"byte {wrong!r} is not UTF-8", path=path, line=line, hint=hint) from exc


def _parsed(text: str, path: Path, reader: _Reader) -> JsonValue:
    try:
        value: JsonValue = json.loads(
            text,
            parse_int=reader.whole,
            parse_float=reader.real,
            parse_constant=reader.constant,
            object_pairs_hook=reader.pairs,
        )
    except json.JSONDecodeError as exc:
        told = f"not valid JSON: {exc.msg[:1].lower()}{exc.msg[1:]}"
        raise ContentError(told, path=path, line=exc.lineno, column=exc.colno) from exc
    except RecursionError as exc:
        raise _too_deep(path) from exc
    return value


def _too_deep(path: Path) -> ContentError:
    return ContentError(f"lists and maps are nested deeper than {MAX_DEPTH}", path=path, hint="no card needs that")


def _is_deeper(value: JsonValue, limit: int) -> bool:
    """Looked at layer by layer, so that depth costs no stack."""
    layer: list[Any] = [value]
    for _ in range(limit + 1):
        layer = [item for inner in layer for item in _items(inner)]
        if not layer:
            return False
    return True


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _without_surrogates(value: JsonValue, reader: _Reader) -> JsonValue:
    """Half characters cannot be written to any file; each becomes the sign for an unknown character."""
    text = json.dumps(value, ensure_ascii=False)
    if not _LONE_SURROGATE.search(text):
        return value
    reader.note("half characters (lone surrogates) were replaced")
    cleaned: JsonValue = json.loads(_LONE_SURROGATE.sub("\ufffd", text))
    return cleaned
