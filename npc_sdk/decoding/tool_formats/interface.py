"""What every tool dialect offers: its two markers and a parser for what stands between them.

One file a dialect; tool_formats/__init__.py holds the table. Knows neither the tools of a game nor who may use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call as the model wrote it, well formed but not yet checked against anything."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MalformedCall:
    """Something between call markers that is no call. raw is what the model wrote, reason is written for the model."""

    raw: str
    reason: str


class ToolFormat(Protocol):
    """How one family of models writes its calls."""

    @property
    def name(self) -> str: ...

    @property
    def opening(self) -> str:
        """The marker before a call."""
        ...

    @property
    def closing(self) -> str:
        """The marker after it."""
        ...

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        """The calls between two markers: all of them or, where any part is not understood, none."""
        ...
