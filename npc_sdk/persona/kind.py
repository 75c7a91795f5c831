"""Kinds: partial personas that others begin from (`extends: villager`), merged before anything is validated.

Every inherited value keeps its place in the kind's file, so that a mistake in it is told there. Knows no model of a
persona but the names of its keys. Called by persona/load.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.problem import meant_hint, name_hint, shown
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.yaml_reader import Document, FieldPath, Place, field_name, link_problem, read_yaml

WORLD_FOLDER = "world"
KINDS_FOLDER = "kinds"
EXTENDS, REPLACES = "extends", "replaces"
MAX_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Inherited:
    """A document with what its kinds add, and what is wrong with how it names them.

    is_whole: every kind was found, so what is missing now is missing.
    """

    document: Document
    problems: tuple[ContentError, ...] = ()
    is_whole: bool = True


def kinds_folder(persona_file: Path) -> Path:
    """Where the kinds of a character's world are."""
    folder = persona_file.parent
    named = folder if folder.name not in {"", ".."} else folder.resolve()
    return named.parent / WORLD_FOLDER / KINDS_FOLDER


def kind_paths(folder: Path) -> list[Path]:
    """The kinds' files, by name."""
    return sorted(path for path in folder.glob("*.yaml") if path.name[0] not in "._")


def inherited(document: Document, folder: Path, chain: tuple[str, ...] = ()) -> Inherited:
    """The document laid over its kinds. chain names the kinds that led here, the document's own last."""
    own = document.value if isinstance(document.value, dict) else {}
    name = own.get(EXTENDS)
    if not isinstance(name, str):
        lost = [problem_at(document, (REPLACES,), "nothing is extended", "add 'extends:'")] if REPLACES in own else []
        return Inherited(document, tuple(lost))
    try:
        kind = _kind(document, folder, name, chain)
    except ContentError as problem:
        return Inherited(document, (problem,), is_whole=False)
    around = inherited(kind, folder, (*chain, name))
    joined, wrong = _joined(around.document, document)
    return Inherited(joined, (*around.problems, *wrong), around.is_whole)


def _kind(document: Document, folder: Path, name: str, chain: tuple[str, ...]) -> Document:
    """Raises: ContentError."""
    paths = {path.stem: path for path in kind_paths(folder)}
    if name not in paths:
        raise problem_at(document, (EXTENDS,), f"there is no kind {name!r}", _unknown_hint(name, paths))
    if name in chain:
        circle = " → ".join((*chain[chain.index(name) :], name))
        raise problem_at(document, (EXTENDS,), f"the kinds extend each other in a circle: {circle}")
    if len(chain) >= MAX_CHAIN:
        raise problem_at(document, (EXTENDS,), f"more than {MAX_CHAIN} kinds in a row: {' → '.join((*chain, name))}")
    if outside := link_problem(paths[name], folder):
        raise outside
    kind = read_yaml(paths[name])
    if not isinstance(kind.value, dict):
        raise problem_at(kind, (), "a kind should be a map of keys and values", "write 'key: value' lines")
    return kind


def _unknown_hint(name: str, known: Mapping[str, Path]) -> str:
    if not known:
        return f"kinds are files in {WORLD_FOLDER}/{KINDS_FOLDER}, one a kind: {name}.yaml"
    return name_hint(name, known, "kinds")


def _joined(kind: Document, own: Document) -> tuple[Document, list[ContentError]]:
    kept, wrong = _kept_lists(own)
    merge = _Merge(kind, own, kept)
    own_value = own.value if isinstance(own.value, dict) else {}
    kind_value = kind.value if isinstance(kind.value, dict) else {}
    general = {key: value for key, value in kind_value.items() if key not in {EXTENDS, REPLACES}}
    value = merge.maps(general, own_value, ())
    merge.places[()] = own.place(())
    return Document(own.path, value, merge.places), wrong


def _kept_lists(own: Document) -> tuple[frozenset[FieldPath], list[ContentError]]:
    """The lists that a file wants to itself, and names of none."""
    value = own.value if isinstance(own.value, dict) else {}
    lists = {field_name(where): where for where in _lists(value, ()) if where != (REPLACES,)}
    named = value.get(REPLACES)
    kept, wrong = set(), []
    for index, name in enumerate(named if isinstance(named, list) else ()):
        if isinstance(name, str) and name in lists:
            kept.add(lists[name])
        elif isinstance(name, str):
            hint = meant_hint(name, lists) or _nameable(name, lists)
            wrong.append(problem_at(own, (REPLACES, index), f"{shown(name)} is no list of this file", hint))
    return frozenset(kept), wrong


def _nameable(name: str, lists: Collection[str]) -> str:
    """What 'replaces' can name."""
    there = f"it can name the lists of this file: {', '.join(lists)}" if lists else "it names lists of this file alone"
    return f"{there}; write '{name}:' here too, with what shall stand in place of the kind's"


def _lists(value: JsonValue, where: FieldPath) -> Iterator[FieldPath]:
    if isinstance(value, list):
        yield where
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, (*where, key))


@dataclass(slots=True)
class _Merge:
    """Lays own over kind. Mutates: places, which are those of the result."""

    kind: Document
    own: Document
    kept: frozenset[FieldPath]
    places: dict[FieldPath, Place] = field(default_factory=dict)

    def maps(self, kind: Mapping[str, JsonValue], own: Mapping[str, JsonValue], at: FieldPath) -> dict[str, JsonValue]:
        """own's keys over kind's; the kind's come first. Both stand at one place in their files and in the result."""
        out: dict[str, JsonValue] = {}
        for key in dict.fromkeys((*kind, *own)):
            here = (*at, key)
            if key not in own:
                out[key] = self._taken(self.kind, kind[key], here, here)
            elif key not in kind:
                out[key] = self._taken(self.own, own[key], here, here)
            else:
                out[key] = self._both(kind[key], own[key], here)
        return out

    def _both(self, kind: JsonValue, own: JsonValue, at: FieldPath) -> JsonValue:
        if isinstance(kind, dict) and isinstance(own, dict):
            self.places[at] = self.own.place(at)
            return self.maps(kind, own, at)
        if isinstance(kind, list) and isinstance(own, list) and at not in self.kept:
            self.places[at] = self.own.place(at)
            return self._lists(kind, own, at)
        return self._taken(self.own, own, at, at)

    def _lists(self, kind: Sequence[JsonValue], own: Sequence[JsonValue], at: FieldPath) -> list[JsonValue]:
        """The kind's items, then own's; an own item that means the same as one of the kind's takes its place."""
        meant = {_identity(item): index for index, item in reversed(list(enumerate(own)))}
        out: list[JsonValue] = []
        used: set[int] = set()
        for index, item in enumerate(kind):
            other = meant.get(_identity(item))
            if other is None:
                out.append(self._taken(self.kind, item, (*at, index), (*at, len(out))))
            elif other not in used:
                used.add(other)
                out.append(self._taken(self.own, own[other], (*at, other), (*at, len(out))))
        for index, item in enumerate(own):
            if index not in used:
                out.append(self._taken(self.own, item, (*at, index), (*at, len(out))))
        return out

    def _taken(self, source: Document, value: JsonValue, at: FieldPath, to: FieldPath) -> JsonValue:
        """The value with its places, which name the kind's file where it is the kind's."""
        if at in source.places:
            place = source.places[at]
            self.places[to] = replace(place, path=place.path or source.path)
        if isinstance(value, dict):
            return {key: self._taken(source, inner, (*at, key), (*to, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._taken(source, inner, (*at, index), (*to, index)) for index, inner in enumerate(value)]
        return value


def _identity(item: JsonValue) -> str:
    """What an item of a list is about: a name, an id, or all that it says."""
    if isinstance(item, dict):
        named = item.get("name", item.get("id"))
        return named if isinstance(named, str) else json.dumps(item, sort_keys=True)
    return item if isinstance(item, str) else json.dumps(item)
