"""Finds the markers in what a model writes: around calls, and control tokens that slipped out as text.

Markers are compared without case, blanks, ``_`` and ``-``, because small models write ``< Tool_Call >`` as well.
Says "partial" where the text ends in what may still become a marker. Knows one dialect's markers; called by
stream_parser and by the readers of calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

MarkKind: TypeAlias = Literal["opening", "closing", "stray", "partial", "json", "action", "emotion", "emphasis"]

MAX_MARKER_CHARS = 48  # a longer <…> is no marker; so much text is held back at the most
_FILL = re.compile(r"[\s_-]+")
_CLOSERS = {"<": ">", "[": "]"}
_STRAY_NAMES = {
    "<": frozenset(
        ("tool", "tools", "toolcall", "toolcalls", "toolresponse", "toolresponses", "toolresult", "toolresults",
         "function", "functions", "context", "contexts", "image", "s", "unk", "pad", "think")
    ),
    "[": frozenset(
        ("inst", "toolcalls", "availabletools", "toolresults", "toolcontent", "systemprompt", "args", "callid")
    ),
}  # fmt: skip
_FUNCTION = "function="  # Llama's other form, <function=name>
_EXTRA_ID = re.compile(r"extraid\d{1,3}")
BARE_TOKEN = re.compile(r"extra_id_\d{1,3}>?", re.IGNORECASE)
_BARE_FIRST = "extra_id_"
_BARE_CUT = re.compile(r"extra_id_\d{1,3}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text that is not speech. A partial one runs to the end of the text."""

    start: int
    end: int
    kind: MarkKind


class MarkerFinder:
    """Knows the markers of one dialect, of which closing may be none, and all stray ones."""

    def __init__(self, opening: str, closing: str = "") -> None:
        self._sign = opening[0]
        self._opening = _plain(opening[1:-1])
        self._closing = _plain(closing[1:-1])
        if closing and (closing[0], self._closing) != (self._sign, f"/{self._opening}"):
            raise ValueError(f"{closing!r} does not close {opening!r}")

    def at(self, text: str, start: int) -> Mark | None:
        """The marker that begins at this character."""
        if text[start] in _CLOSERS:
            return self._tag(text, start)
        return _bare(text, start) if text[start] in "eE" else None

    def call_end(self, text: str) -> Mark | None:
        """The first marker that ends a call: its closing, or the opening of the next."""
        at = text.find(self._sign)
        while at >= 0:
            found = self._tag(text, at)
            if found is not None and found.kind != "stray":
                return found
            at = text.find(self._sign, at + 1)
        return None

    def may_open_call(self, text: str) -> bool:
        """Whether text, cut off as it is, looks like the start of an opening marker."""
        name = _plain(text[1:])
        return text[0] == self._sign and bool(name.strip("|")) and self._opening.startswith(name)

    def _tag(self, text: str, start: int) -> Mark | None:
        """The marker that begins at this bracket."""
        sign, stop = text[start], start + MAX_MARKER_CHARS
        end = text.find(_CLOSERS[sign], start, stop)
        if end >= 0:
            kind = self._kind(sign, _plain(text[start + 1 : end]))
            return Mark(start, end + 1, kind) if kind else None
        if not self._may_become(sign, _plain(text[start + 1 : stop])):
            return None
        if len(text) < stop:
            return Mark(start, len(text), "partial")
        return Mark(start, start + 1, "stray")  # stretched with blanks, which speech would close up again

    def _kind(self, sign: str, name: str) -> MarkKind | None:
        if sign == self._sign and name == self._opening:
            return "opening"
        if sign == self._sign and name and name == self._closing:
            return "closing"
        bare = name.strip("/")
        if bare in _STRAY_NAMES[sign]:
            return "stray"
        if sign == "[" or sign in name:
            return None
        is_token = len(name) > 1 and name[0] == name[-1] == "|"
        return "stray" if is_token or bare.startswith(_FUNCTION) or _EXTRA_ID.fullmatch(bare) else None

    def _may_become(self, sign: str, name: str) -> bool:
        """Whether more text could make a marker of it; true for every beginning that ``_kind`` would accept whole."""
        bare = name.lstrip("/")
        whole = bare.rstrip("/")
        names = _STRAY_NAMES[sign]
        if whole in names or any(known.startswith(bare) for known in names):
            return True
        if sign == "[" or sign in name:
            return False
        is_token = name.startswith("|") or bare.startswith(_FUNCTION)
        return is_token or any(known.startswith(bare) for known in (_FUNCTION, "extraid")) or _is_extra_id(whole)


def _is_extra_id(name: str) -> bool:
    return _EXTRA_ID.fullmatch(name) is not None


def _plain(text: str) -> str:
    return _FILL.sub("", text).casefold()


def _bare(text: str, start: int) -> Mark | None:
    """``extra_id_1`` without its brackets, as some builds write it."""
    if _BARE_CUT.match(text, start):
        return Mark(start, len(text), "partial")
    match = BARE_TOKEN.match(text, start)
    if match:
        return Mark(start, match.end(), "stray")
    tail = text[start : start + len(_BARE_FIRST)].lower()
    is_cut = start + len(tail) == len(text) and _BARE_FIRST.startswith(tail)
    return Mark(start, len(text), "partial") if is_cut else None
