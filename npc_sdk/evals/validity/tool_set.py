"""Tool sets to try a constraint on: invented ones of every kind of parameter, and the functions of BFCL's rows.

Each allows only some of its tools, and gives some parameters the values of a moment. Knows no engine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.evals.bfcl.category import Category
from npc_sdk.evals.bfcl.row import read_rows
from npc_sdk.evals.bfcl.schema import json_schema
from npc_sdk.messages import ToolSpec

VERBS = ("give", "take", "sell", "open", "light", "repair", "summon", "remember", "mark", "teach", "carry", "hide")
NOUNS = ("item", "door", "lamp", "quest", "map", "song", "goat", "letter", "sword", "bridge", "potion", "secret")
VALUES = (
    "iron sword", "Mara's \"best\" hammer", "back\\slash", "Brötchen", "銀のハンマー", "{curly}", "[square]",
    "a, b", "x" * 60, "tool", "name", "arguments", "null", "3", "  two blanks  ", "новый меч",
)  # fmt: skip
MOST_TOOLS, MOST_PARAMETERS, DEPTH = 8, 5, 2


@dataclass(frozen=True, slots=True)
class ToolSet:
    """tools are all that exist, as the game validates them at this moment; allowed names those that may be called."""

    name: str
    tools: tuple[ToolSpec, ...]
    allowed: frozenset[str]

    @property
    def live(self) -> tuple[ToolSpec, ...]:
        """What a constraint is given."""
        return tuple(tool for tool in self.tools if tool.name in self.allowed)


def invented(number: int) -> ToolSet:
    """A set drawn from a seed: the same for the same number."""
    rng = random.Random(f"tools {number}")
    names = rng.sample([f"{verb}_{noun}" for verb in VERBS for noun in NOUNS], rng.randint(1, MOST_TOOLS))
    tools = tuple(ToolSpec(name, name.replace("_", " "), _object(rng, DEPTH)) for name in names)
    return ToolSet(f"invented {number}", tools, _some(rng, names))


def from_rows(folder: Path) -> Iterator[ToolSet]:
    """A set a row of every category. Raises: SettingsError, ContentError."""
    for category in Category:
        for row in read_rows(folder, category):
            tools = tuple(ToolSpec(one.name, one.description, json_schema(one.parameters)) for one in row.functions)
            yield ToolSet(row.row_id, tools, _some(random.Random(row.row_id), [tool.name for tool in tools]))


def _some(rng: random.Random, names: Sequence[str]) -> frozenset[str]:
    """At least one of the names."""
    return frozenset(rng.sample(names, rng.randint(1, len(names))))


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    names = rng.sample(NOUNS, rng.randint(0, MOST_PARAMETERS))
    properties = {name: _schema(rng, depth) for name in names}
    required = [name for name in names if rng.random() < 0.6]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema(rng: random.Random, depth: int) -> dict[str, Any]:
    """Any kind of parameter; deeper ones only while depth lasts."""
    kinds = [_live, _text, _number, _flag, _choice, _maybe]
    return rng.choice([*kinds, _list, _inner] if depth else kinds)(rng, depth)


def _live(rng: random.Random, _depth: int) -> dict[str, Any]:
    """What the game's state holds at the moment."""
    return {"type": "string", "enum": rng.sample(VALUES, rng.randint(1, len(VALUES)))}


def _text(rng: random.Random, _depth: int) -> dict[str, Any]:
    return {"type": "string", **rng.choice(({}, {"maxLength": 12}, {"minLength": 2, "maxLength": 30}))}


def _number(rng: random.Random, _depth: int) -> dict[str, Any]:
    low = rng.randint(-50, 50)
    bounds: dict[str, Any] = rng.choice(({}, {"minimum": low, "maximum": low + rng.randint(0, 90)}, {"minimum": low}))
    return {"type": rng.choice(("integer", "number")), **bounds}


def _flag(_rng: random.Random, _depth: int) -> dict[str, Any]:
    return {"type": "boolean"}


def _choice(rng: random.Random, _depth: int) -> dict[str, Any]:
    return {"enum": rng.sample([1, 2, "two", True, None, 2.5], rng.randint(1, 6))}


def _maybe(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"anyOf": [_text(rng, depth), {"type": "null"}, _number(rng, depth)]}


def _list(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "array", "items": _schema(rng, depth - 1), "maxItems": rng.randint(1, 4)}


def _inner(rng: random.Random, depth: int) -> dict[str, Any]:
    return _object(rng, depth - 1)
