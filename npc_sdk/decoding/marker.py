"""Finds the markers in what a model writes: around calls, and control tokens that slipped out as text.

Markers are compared without case, blanks, ``_`` and ``-``, because small models write ``< Tool_Call >`` as well.
Says "partial" where the text ends in what may still become a marker. Called by stream_parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

MarkerKind: TypeAlias = Literal["opening", "closing", "stray", "partial"]

MAX_MARKER_CHARS = 48  # a longer <…> is no marker; so much text is held back at the most
_FILL = re.compile(r"[\s_-]+")
_STRAY_NAMES = frozenset(
    ("tool", "tools", "toolcalls", "toolresponse", "toolresponses", "toolresult", "toolresults", "function",
     "functions", "context", "contexts", "image", "s", "unk", "pad", "think")
)  # fmt: skip
_EXTRA_ID = re.compile(r"extraid\d{1,3}")
_BARE = re.compile(r"extra_id_\d{1,3}>?", re.IGNORECASE)
_BARE_FIRST = "extra_id_"
_BARE_CUT = re.compile(r"extra_id_\d{1,3}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Marker:
    """A stretch of text. A partial one runs to the end of the text."""

    start: int
    end: int
    kind: MarkerKind


class MarkerFinder:
    """Knows the markers of one dialect and all stray ones."""

    def __init__(self, opening: str, closing: str) -> None:
        self._call = _plain(opening.strip("<>"))
        if _plain(closing.strip("<>")) != f"/{self._call}":
            raise ValueError(f"{closing!r} does not close {opening!r}")
        self._names = _STRAY_NAMES | {self._call}

    def any(self, text: str) -> Marker | None:
        """The first marker of any kind."""
        for match in re.finditer(r"[<eE]", text):
            found = self._tag(text, match.start()) if match[0] == "<" else _bare(text, match.start())
            if found is not None:
                return found
        return None

    def call_end(self, text: str, start: int = 0) -> Marker | None:
        """The first marker from start on that ends a call: its closing, or the opening of the next."""
        at = text.find("<", start)
        while at >= 0:
            found = self._tag(text, at)
            if found is not None and found.kind != "stray":
                return found
            at = text.find("<", at + 1)
        return None

    def is_open(self, text: str) -> bool:
        """Whether more text could make a marker of the end of this one."""
        at = text.rfind("<")
        return at >= 0 and self._tag(text, at) is not None

    def may_open_call(self, text: str) -> bool:
        """Whether text, cut off as it is, looks like the start of an opening marker."""
        name = _plain(text[1:])
        return bool(name) and self._call.startswith(name)

    def _tag(self, text: str, start: int) -> Marker | None:
        """The marker that begins at this ``<``."""
        end = text.find(">", start, start + MAX_MARKER_CHARS)
        if end >= 0:
            kind = self._kind(_plain(text[start + 1 : end]))
            return Marker(start, end + 1, kind) if kind else None
        is_short = len(text) - start < MAX_MARKER_CHARS
        return Marker(start, len(text), "partial") if is_short and self._may_become(_plain(text[start + 1 :])) else None

    def _kind(self, name: str) -> MarkerKind | None:
        if name == self._call:
            return "opening"
        if name == f"/{self._call}":
            return "closing"
        if "<" not in name and len(name) > 1 and name[0] == name[-1] == "|":
            return "stray"
        bare = name.strip("/")
        return "stray" if bare in self._names or _EXTRA_ID.fullmatch(bare) else None

    def _may_become(self, name: str) -> bool:
        """Whether more text could make a marker of it; true for every beginning that ``_kind`` would accept whole."""
        if name.startswith("|"):
            return "<" not in name
        bare = name.lstrip("/")
        whole = bare.rstrip("/")
        is_start = any(known.startswith(bare) for known in self._names) or "extraid".startswith(bare)
        return is_start or whole in self._names or _EXTRA_ID.fullmatch(whole) is not None


def _plain(text: str) -> str:
    return _FILL.sub("", text).casefold()


def _bare(text: str, start: int) -> Marker | None:
    """``extra_id_1`` without its brackets, as some builds write it."""
    if _BARE_CUT.match(text, start):
        return Marker(start, len(text), "partial")
    match = _BARE.match(text, start)
    if match:
        return Marker(start, match.end(), "stray")
    tail = text[start : start + len(_BARE_FIRST)].lower()
    is_cut = start + len(tail) == len(text) and _BARE_FIRST.startswith(tail)
    return Marker(start, len(text), "partial") if is_cut else None
