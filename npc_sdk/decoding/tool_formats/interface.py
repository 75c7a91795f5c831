"""What every tool dialect offers: what opens a call, how far it goes, and a parser for it.

One file a dialect; tool_formats/__init__.py holds the table. Knows neither the tools of a game nor who may use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.decoding.tool_formats.reader import CallReader


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


@dataclass(frozen=True, slots=True)
class CallFrame:
    """How a dialect writes valid calls, for the grammar: lead, calls joined by between, tail.

    Each call is before, the JSON object of its name and, under arguments_key, its arguments, after.
    """

    before: str = ""
    after: str = ""
    between: str = "\n"
    lead: str = ""
    tail: str = ""
    arguments_key: str = "arguments"


class ToolFormat(Protocol):
    """How one family of models writes its calls."""

    @property
    def name(self) -> str: ...

    @property
    def frame(self) -> CallFrame:
        """What a constrained model writes around its calls."""
        ...

    @property
    def markers(self) -> MarkerFinder:
        """What opens a call, and what closes it where anything does."""
        ...

    def reader(self) -> CallReader:
        """What takes in the text after an opening, as far as the call goes."""
        ...

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        """The calls in what stands after an opening: all of them or, where any part is not understood, none."""
        ...

    def parse_bare(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        """The same for JSON that no marker opens."""
        ...


def unmarked(body: str) -> MalformedCall:
    """What JSON without markers is to a dialect that has them."""
    return MalformedCall(body.strip(), "JSON is not spoken, and the markers of a call are missing")
