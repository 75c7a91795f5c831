"""Turns what a model writes, chunk by chunk, into speech, calls and malformed calls.

Owns what is heard and what is not: markers never are, and text that may become one is held back. Knows no tools, no
session. However the text is cut into chunks, the items are the same. Called by session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from npc_sdk.decoding.marker import MAX_MARKER_CHARS, Marker, MarkerFinder
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall, ToolFormat

MAX_CALL_CHARS = 8192
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of what is said aloud; joined in order the pieces are the speech, blanks at both ends cut off."""

    text: str


Item: TypeAlias = Speech | ParsedCall | MalformedCall


class StreamParser:
    """One run of the model. is_continuing: something was said before, so that more is set off by a blank.

    Mutates: feed and finish move it on; it holds at most MAX_CALL_CHARS and a marker between them.
    """

    def __init__(self, tool_format: ToolFormat, *, is_continuing: bool = False) -> None:
        self._format = tool_format
        self._finder = MarkerFinder(tool_format.opening, tool_format.closing)
        self._buffer = ""
        self._searched = 0  # so far the buffer holds no end of a call, whatever comes
        self._mode: Literal["speech", "call", "overlong"] = "speech"
        self._has_spoken = is_continuing
        self._gap = " " if is_continuing else ""
        self._is_gap_cut = is_continuing
        self._tail = ""  # the end of the speech, as long as a marker
        self._items: list[Item] = []

    def feed(self, text: str) -> list[Item]:
        """The items that are certain after this much text."""
        self._buffer += text
        while self._buffer and self._step():
            pass
        return self._taken()

    def finish(self) -> list[Item]:
        """The items that the end of the text makes certain."""
        rest, self._buffer = self._buffer, ""
        if self._mode == "speech":
            self._end_speech(rest)
        elif self._mode == "call":
            cut = self._finder.call_end(rest)
            self._close_call(rest[: cut.start] if cut else rest)
        self._mode = "speech"
        return self._taken()

    def _taken(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def _step(self) -> bool:
        """Whether there may be more to take from the buffer."""
        if self._mode == "speech":
            return self._step_speech()
        found = self._finder.call_end(self._buffer, self._searched)
        if found is None or found.kind == "partial":
            self._wait_for_end(found)
            return False
        body = self._cut(found)
        if self._mode == "call" and (body.strip() or found.kind == "closing"):
            self._close_call(body)
        self._mode = "call" if found.kind == "opening" else "speech"
        return True

    def _step_speech(self) -> bool:
        found = self._finder.any(self._buffer)
        if found is None or found.kind == "partial":
            start = found.start if found else len(self._buffer)
            self._say(self._buffer[:start])
            self._buffer = self._buffer[start:]
            return False
        self._say(self._cut(found))
        self._is_gap_cut = True
        if found.kind == "opening":
            self._mode = "call"
        return True

    def _cut(self, marker: Marker) -> str:
        """What stands before the marker; both leave the buffer."""
        before, self._buffer, self._searched = self._buffer[: marker.start], self._buffer[marker.end :], 0
        return before

    def _wait_for_end(self, partial: Marker | None) -> None:
        """Keeps the buffer, and what is searched of it again, bounded while no end of the call is in sight."""
        if self._mode == "call" and len(self._buffer) > MAX_CALL_CHARS + MAX_MARKER_CHARS:
            self._close_call(self._buffer)
            self._mode = "overlong"
        if self._mode == "overlong":
            self._buffer = self._buffer[partial.start :] if partial else ""
            self._searched = 0
        else:
            self._searched = partial.start if partial else max(0, len(self._buffer) - MAX_MARKER_CHARS)

    def _close_call(self, body: str) -> None:
        if len(body) > MAX_CALL_CHARS:
            self._items.append(
                MalformedCall(body[:MAX_CALL_CHARS], f"the call is longer than {MAX_CALL_CHARS} characters")
            )
            return
        parsed = self._format.parse(body)
        self._items += [parsed] if isinstance(parsed, MalformedCall) else parsed

    def _end_speech(self, rest: str) -> None:
        """The text has ended in what might have become a marker: a cut-off tag is no speech, an "e" is."""
        if rest.startswith("<"):
            if self._finder.may_open_call(rest):
                self._items.append(MalformedCall(rest, "the reply ended before the call began"))
        elif "_" not in rest:
            self._say(rest)

    def _say(self, text: str) -> None:
        """Speech, with every run of blanks as one, and those at its end kept until more is said."""
        words = text.strip()
        lead, _, trail = text.partition(words) if words else (text, "", "")
        self._gap = _blank(self._gap + lead)
        if not words:
            return
        said = self._joint(words[0]) + _BLANKS.sub(lambda run: _blank(run[0]), words)
        self._items.append(Speech(said))
        self._tail = (self._tail + said)[-MAX_MARKER_CHARS:]
        self._gap, self._is_gap_cut, self._has_spoken = _blank(trail), False, True

    def _joint(self, first: str) -> str:
        """What stands between the speech so far and this character; words on both sides of a marker must not meet.

        Nor must they make a marker of their own, as ``<tool</s>call>`` would.
        """
        if not self._has_spoken:
            return ""
        if not self._is_gap_cut:
            return self._gap
        if self._finder.is_open(self._tail):
            return "… "
        return " " if self._gap or first.isalnum() else ""


def _blank(run: str) -> str:
    """One blank for a run of them: a line break where there was one."""
    return "\n" if "\n" in run else " " if run else ""
