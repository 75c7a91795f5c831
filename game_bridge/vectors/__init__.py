"""Golden frames: what every message looks like in bytes, and frames that must be refused, for clients in any language.

valid.json and invalid.json are written by ``python -m game_bridge.vectors`` from case.py and checked by the tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Vector:
    """One message: its frames, and the map that the first of them holds."""

    name: str
    sender: str
    frames: tuple[bytes, ...]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InvalidVector:
    """Frames of a client that a server must answer with an error of this code."""

    name: str
    code: str
    frames: tuple[bytes, ...]


def load_valid() -> list[Vector]:
    """The golden messages."""
    return [Vector(row["name"], row["sender"], _frames(row), row["body"]) for row in json.loads(_read("valid.json"))]


def load_invalid() -> list[InvalidVector]:
    """The golden mistakes."""
    return [InvalidVector(row["name"], row["code"], _frames(row)) for row in json.loads(_read("invalid.json"))]


def _frames(row: dict[str, Any]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(frame) for frame in row["frames"])


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
