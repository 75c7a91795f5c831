"""Turns what a model writes, chunk by chunk, into speech, emotes, calls and malformed calls.

Owns what is heard and what is not: markers and JSON never are, and text that may become either is held back. Knows no
tools, no session. However the text is cut into chunks, the items are the same. Called by session.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from npc_sdk.decoding.bare_json import json_at
from npc_sdk.decoding.emote import MAX_ACTION_CHARS, emote_at
from npc_sdk.decoding.marker import Mark, MarkKind
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall, ToolFormat
from npc_sdk.decoding.tool_formats.reader import MAX_CALL_CHARS, CallReader, JsonReader, ReadCall

MAX_HELD_CHARS = MAX_ACTION_CHARS + 16  # the longest of what may become something else than speech
_SIGNS = re.compile(r"[<\[{*eE]")
_BRACKETS = re.compile(r"[<\[{]")
_BLANKS = re.compile(r"\s+")
_CUT_OFF = re.compile(r"<[\s/|_-]*\S*|\*|extra_\S*", re.IGNORECASE)  # a word of a marker, no more, is dropped with it
_STOPS = ",.;:!?"  # stand close to the word before what was taken out


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of what is said aloud; joined in order the pieces are the speech, blanks at both ends cut off."""

    text: str


@dataclass(frozen=True, slots=True)
class Emote:
    """What the NPC does while it speaks (a stage direction), or how (an emotion tag); never said aloud."""

    text: str
    kind: Literal["action", "emotion"]


Item: TypeAlias = Speech | Emote | ParsedCall | MalformedCall
_Parse: TypeAlias = Callable[[str], tuple[ParsedCall, ...] | MalformedCall]


class StreamParser:
    """One run of the model. is_continuing: something was said before, so that more is set off by a blank.

    Mutates: feed and finish move it on; it holds at most MAX_HELD_CHARS of speech, or one call.
    """

    def __init__(self, tool_format: ToolFormat, *, is_continuing: bool = False) -> None:
        self._format = tool_format
        self._buffer = ""
        self._before = ""  # the character in front of the buffer
        self._reader: CallReader | None = None
        self._parse: _Parse = tool_format.parse
        self._has_spoken = is_continuing
        self._gap = " " if is_continuing else ""
        self._is_gap_cut = is_continuing
        self._tail = ""  # the end of the speech
        self._items: list[Item] = []

    def feed(self, text: str) -> list[Item]:
        """The items that are certain after this much text."""
        self._buffer += text
        while self._buffer and self._step():
            pass
        return self._taken()

    def finish(self) -> list[Item]:
        """The items that the end of the text makes certain."""
        if self._reader is not None:
            self._close(self._reader.finish())
        while self._buffer:
            self._end_partial()
            while self._buffer and self._step():
                pass
        return self._taken()

    def _taken(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def _step(self) -> bool:
        """Whether there may be more to take from the buffer."""
        return self._step_speech() if self._reader is None else self._step_call(self._reader)

    def _step_call(self, reader: CallReader) -> bool:
        read = reader.feed(self._take(len(self._buffer)))
        if read is not None:
            self._close(read)
        return read is not None

    def _step_speech(self) -> bool:
        found = self._first_mark()
        self._say(self._take(found.start if found else len(self._buffer)))
        if found is None or found.kind == "partial":
            return False
        self._is_gap_cut = True
        # JSON is its own opening: the reader needs it.
        self._enter(found.kind, "" if found.kind == "json" else self._take(found.end - found.start))
        return True

    def _first_mark(self) -> Mark | None:
        """The first stretch of the buffer that is not speech, or may not be."""
        for sign in _SIGNS.finditer(self._buffer):
            found = self._mark_at(self._buffer, sign.start(), self._before)
            if found is not None:
                return found
        return None

    def _mark_at(self, text: str, start: int, before: str) -> Mark | None:
        """What begins at this sign; undecided while any of what it may become is."""
        marks = (
            self._format.markers.at(text, start),
            json_at(text, start) if text[start] in "[{" else None,
            emote_at(text, start, text[start - 1] if start else before),
        )
        found = [mark for mark in marks if mark is not None]
        return next((mark for mark in found if mark.kind == "partial"), found[0] if found else None)

    def _enter(self, kind: MarkKind, text: str) -> None:
        if kind == "opening":
            self._reader, self._parse = self._format.reader(), self._format.parse
        elif kind == "json":
            self._reader, self._parse = JsonReader(self._format.markers), self._format.parse_bare
        elif kind == "emphasis":
            self._say(text[1:-1])
        elif kind in ("action", "emotion"):
            self._items.append(Emote(" ".join(text[1:-1].split()), "action" if kind == "action" else "emotion"))

    def _take(self, count: int) -> str:
        """The first characters of the buffer, which they leave."""
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        self._before = taken[-1:] or self._before
        return taken

    def _close(self, read: ReadCall) -> None:
        """Ends the call; one that is empty because the next begins is none."""
        self._reader, self._buffer, self._before = None, read.rest, ""
        if len(read.body) > MAX_CALL_CHARS:
            reason = f"the call is longer than {MAX_CALL_CHARS} characters"
            self._items.append(MalformedCall(read.body[:MAX_CALL_CHARS], reason))
        elif read.body.strip() or read.is_closed:
            parsed = self._parse(read.body)
            self._items += [parsed] if isinstance(parsed, MalformedCall) else parsed

    def _end_partial(self) -> None:
        """The text has ended in what might have become a mark: a cut-off marker is no speech, a bracket is."""
        first = self._buffer[0]
        if self._format.markers.may_open_call(self._buffer):
            self._items.append(MalformedCall(self._take(len(self._buffer)), "the reply ended before the call began"))
        elif cut_off := _CUT_OFF.match(self._buffer):
            self._take(cut_off.end())
            self._is_gap_cut = True
        else:
            self._say(self._take(1 if first in "[{" else len(self._buffer)))

    def _say(self, text: str) -> None:
        """Speech, with every run of blanks as one, and those at its end kept until more is said."""
        words = text.strip()
        lead, _, trail = text.partition(words) if words else (text, "", "")
        self._gap = _blank(self._gap + lead)
        if not words:
            return
        said = self._joint(words[0]) + _BLANKS.sub(lambda run: _blank(run[0]), words)
        self._items.append(Speech(said))
        self._tail = (self._tail + said)[-MAX_HELD_CHARS:]
        self._gap, self._is_gap_cut, self._has_spoken = _blank(trail), False, True

    def _joint(self, first: str) -> str:
        """What stands between the speech so far and this character; words on both sides of a mark must not meet.

        Nor must they make a mark of their own, as ``<tool</s>call>`` would.
        """
        if not self._has_spoken:
            return ""
        if not self._is_gap_cut:
            return self._gap
        if self._is_tail_open():
            return "… "
        return " " if (self._gap and first not in _STOPS) or first.isalnum() else ""

    def _is_tail_open(self) -> bool:
        """Whether more speech could make a mark of the end of what was said."""
        marks = (self._mark_at(self._tail, sign.start(), "") for sign in _BRACKETS.finditer(self._tail))
        return any(mark is not None for mark in marks)


def _blank(run: str) -> str:
    """One blank for a run of them: a line break where there was one."""
    return "\n" if "\n" in run else " " if run else ""
