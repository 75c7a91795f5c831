"""Reads one YAML file the way authors expect: YAML 1.2 words, no aliases, no duplicate keys, every place remembered.

Knows nothing of personas: it returns plain values and where each of them stands. Called by persona/load.py, the
lore readers and whoever else takes YAML from a person.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import syntax_problem

FieldPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_EVENTS = 100_000  # values, keys, and both ends of lists and maps: a second of work
_INTEGERS = range(-(2**63), 2**63)  # what every language that reads a save game can hold

_TAG = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "seq", "map"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands. Units: both count from 1. path is set where it is another file than the document's."""

    line: int
    column: int
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value; places maps each field path to its key, or to the item where it is one of a list."""

    path: Path
    value: JsonValue
    places: Mapping[FieldPath, Place] = field(default_factory=dict)

    def place(self, where: FieldPath) -> Place:
        """Where a field stands, or the nearest thing around it that is in the file."""
        for length in range(len(where), -1, -1):
            place = self.places.get(where[:length])
            if place is not None:
                return place
        return Place(1, 1)

    def line(self, where: FieldPath) -> int:
        """The line of that place."""
        return self.place(where).line


def field_name(where: FieldPath) -> str:
    """A field path as writers read it: ``tools[2].parameters``."""
    name = ""
    for step in where:
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
    return name


def link_problem(path: Path, folder: Path) -> ContentError | None:
    """What is wrong with a path that links lead out of its folder; content from others could show any file so."""
    try:
        if path.resolve().is_relative_to(folder.resolve()):
            return None
    except (OSError, RuntimeError) as exc:  # links that lead to each other
        return ContentError(f"cannot be found: {exc}", path=path)
    return ContentError("a link leads out of the folder", path=path, hint=f"copy the file into {folder.name!r}")


def read_text(path: Path) -> str:
    """The text of an authored file.

    Raises: ContentError where it is missing, not a plain file, too large or not UTF-8.
    """
    try:
        if not path.is_file():
            problem = "is not a plain file" if path.exists() else "does not exist"
            raise ContentError(f"the file {path.name!r} {problem}", path=path)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ContentError(f"the file has {size:,} bytes", path=path, hint=f"at most {MAX_BYTES:,}; split it")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        before = exc.object[exc.object.rfind(b"\n", 0, exc.start) + 1 : exc.start]
        told = f"byte {exc.object[exc.start : exc.end]!r} is not UTF-8"
        hint = "save the file in the encoding UTF-8"
        raise ContentError(told, path=path, line=line, column=len(before.decode("utf-8-sig")) + 1, hint=hint) from exc
    except OSError as exc:
        raise ContentError(f"cannot be read: {exc.strerror}", path=path) from exc


def read_yaml(path: Path) -> Document:
    """Raises: ContentError naming the line of the first thing that is wrong."""
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Document:
    """Like read_yaml, for text that is already at hand; path is only named in errors."""
    if len(text) > MAX_BYTES:
        raise ContentError(f"the text has {len(text):,} characters", path=path, hint=f"at most {MAX_BYTES:,}")
    try:
        _refuse_traps(text, path)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            places: dict[FieldPath, Place] = {}
            value = None if node is None else _Builder(loader, path, places).build(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        raise syntax_problem(exc, text, path) from exc
    return Document(path, value, places)


class _Loader(yaml.CSafeLoader):
    """The C parser, with the words of YAML 1.2 in place of those of 1.1."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's slot


_WORDS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
)
for _name, _pattern, _first in _WORDS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


def _refuse_traps(text: str, path: Path) -> None:
    """Looks at the flat event stream, before anything recursive touches the text."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.AliasEvent):
            told = f"the alias {'*' + str(event.anchor)!r} is not allowed"
            raise _event_error(told, event, path, "write the value out")
        if count > MAX_EVENTS:
            raise _event_error(f"the file holds more than {MAX_EVENTS:,} values", event, path, "split it")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _event_error(f"lists and maps are nested deeper than {MAX_DEPTH}", event, path)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _event_error(message: str, event: yaml.Event, path: Path, hint: str = "") -> ContentError:
    mark = event.start_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return ContentError(message, path=path, line=line, column=column, hint=hint)


@dataclass(slots=True)
class _Builder:
    """Turns nodes into plain values. Mutates: places."""

    loader: yaml.CSafeLoader
    path: Path
    places: dict[FieldPath, Place]

    def build(self, node: yaml.Node, where: FieldPath) -> JsonValue:
        """The value of a node; its depth was bounded before."""
        self.places.setdefault(where, _place(node))
        if node.tag not in _CORE_TAGS:
            raise self._error(f"the tag {_short_tag(node.tag)!r} is not allowed", node, where)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*where, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, where)

    def _mapping(self, node: yaml.MappingNode, where: FieldPath) -> JsonValue:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, where)
            here = (*where, key)
            if key in out:
                first = self.places[here].line
                raise self._error(f"the key {key!r} is given twice", key_node, here, f"first on line {first}")
            self.places[here] = _place(key_node)
            out[key] = self.build(value_node, here)
        return out

    def _key(self, node: yaml.Node, where: FieldPath) -> str:
        key = self._scalar(node, where) if isinstance(node, yaml.ScalarNode) else node.tag
        if isinstance(node, yaml.ScalarNode) and isinstance(key, str):
            return key
        if isinstance(node, yaml.ScalarNode) and isinstance(key, int) and str(int(key)) == node.value:
            return str(node.value)  # -3 is -3 as a text too, which 0x1F, 007 and true are not
        shown = node.value if isinstance(node, yaml.ScalarNode) else _short_tag(node.tag)
        raise self._error(f"the key {shown!r} is not text", node, where, "put it in quotes")

    def _scalar(self, node: yaml.Node, where: FieldPath) -> JsonValue:
        text = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        try:
            value = _READERS[kind](text)
        except (KeyError, ValueError, OverflowError) as exc:
            raise self._error(f"{text[:40]!r} cannot be read as {kind}", node, where) from exc
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(f"the number {text[:40]!r} is too large", node, where)
        return value

    def _error(self, message: str, node: yaml.Node, where: FieldPath, hint: str = "") -> ContentError:
        at = _place(node)
        where_told = field_name(where)
        return ContentError(message, path=self.path, line=at.line, column=at.column, field=where_told, hint=hint)


def _read_int(text: str) -> int:
    value = int(text, 0 if text[:2] in {"0o", "0x"} else 10)
    if value not in _INTEGERS:
        raise ValueError("too large")
    return value


def _read_bool(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_READERS: Mapping[str, Callable[[str], JsonValue]] = {
    "str": str,
    "int": _read_int,
    "float": float,
    "bool": _read_bool,
    "null": lambda _: None,
}


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _short_tag(tag: str) -> str:
    return tag.replace(_TAG, "!!")
