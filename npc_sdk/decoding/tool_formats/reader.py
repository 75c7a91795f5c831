"""Takes in the text of one call until it ends, in pieces of any size and within bounds.

A call ends at its closing marker or where its JSON is complete, as its dialect has it; the next call's opening ends
it as well. Understands nothing of what it reads. Made by the dialects, fed by stream_parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from npc_sdk.decoding.marker import MarkerFinder

MAX_CALL_CHARS = 8192
_BRACKETS = re.compile(r"[<\[{]")
_AFTERS = " \t\r\n;,]}"  # what may follow a complete value and is no speech: separators, stray closing brackets


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A call's text, of an overlong one just more than MAX_CALL_CHARS, and what follows.

    is_closed: it came to its own end, rather than to the next call's opening.
    """

    body: str
    rest: str
    is_closed: bool


class CallReader(Protocol):
    """Mutates: feed and finish move it on; it holds at most MAX_CALL_CHARS and a marker."""

    def feed(self, text: str) -> ReadCall | None:
        """The call, once this much text shows its end."""
        ...

    def finish(self) -> ReadCall:
        """The call, ended by the end of the text."""
        ...


class PairReader:
    """A call that a closing marker ends."""

    def __init__(self, markers: MarkerFinder) -> None:
        self._markers = markers
        self._body = ""
        self._text = ""  # not yet certain to be of the body

    def feed(self, text: str) -> ReadCall | None:
        self._text += text
        end = self._markers.call_end(self._text)
        self._keep(end.start if end else len(self._text))
        if end is None or end.kind == "partial":
            return None
        is_closed = end.kind == "closing"
        rest = self._text[end.end - end.start :] if is_closed else self._text
        return ReadCall(self._body, rest, is_closed)

    def finish(self) -> ReadCall:
        return ReadCall(self._body, "", is_closed=True)  # what is left is a closing marker cut off

    def _keep(self, count: int) -> None:
        self._body = _grown(self._body, self._text[:count])
        self._text = self._text[count:]


class JsonReader:
    """A call that ends where the first JSON value in it does."""

    def __init__(self, markers: MarkerFinder) -> None:
        self._markers = markers
        self._body = ""
        self._text = ""  # not yet read
        self._depth = 0
        self._is_string = False
        self._is_escaped = False
        self._is_complete = False

    def feed(self, text: str) -> ReadCall | None:
        self._text += text
        if not self._depth and not self._is_complete:
            end = self._read_head()
            if end is not None:
                return end
        if self._depth:
            self._read_value()
        return self._read_after() if self._is_complete else None

    def finish(self) -> ReadCall:
        self._keep(len(self._text))
        return ReadCall(self._body, "", is_closed=True)

    def _read_head(self) -> ReadCall | None:
        """Reads to the value: a brace, or a bracket with nothing before it. The call, where a marker ends it first."""
        for match in _BRACKETS.finditer(self._text):
            at = match.start()
            marker = self._markers.at(self._text, at)
            if marker is not None and marker.kind == "partial":
                self._keep(at)
                return None
            if marker is not None and marker.kind in ("opening", "closing"):
                is_closed = marker.kind == "closing"
                self._keep(at)
                rest = self._text[marker.end - at :] if is_closed else self._text
                return ReadCall(self._body, rest, is_closed)
            if match[0] == "{" or (match[0] == "[" and marker is None and not (self._body + self._text[:at]).strip()):
                self._keep(at + 1)
                self._depth = 1
                return None
        self._keep(len(self._text))
        return None

    def _read_value(self) -> None:
        for at, char in enumerate(self._text):
            self._turn(char)
            if not self._depth:
                self._is_complete = True
                self._keep(at + 1)
                return
        self._keep(len(self._text))

    def _turn(self, char: str) -> None:
        """Mutates: where in the value the next character stands."""
        if self._is_escaped:
            self._is_escaped = False
        elif self._is_string and char == "\\":
            self._is_escaped = True
        elif char == '"':
            self._is_string = not self._is_string
        elif not self._is_string:
            self._depth += (char in "{[") - (char in "}]")

    def _read_after(self) -> ReadCall | None:
        """Reads past what may follow a value, blanks left out; one at its end sets off what is said next."""
        rest = self._text.lstrip(_AFTERS)
        after = self._text[: len(self._text) - len(rest)]
        self._body = _grown(self._body, "".join(after.split()))
        blank = after[-1:] if after[-1:].isspace() else ""
        if not rest:
            self._text = blank
            return None
        return ReadCall(self._body, blank + rest, is_closed=True)

    def _keep(self, count: int) -> None:
        self._body = _grown(self._body, self._text[:count])
        self._text = self._text[count:]


def _grown(body: str, text: str) -> str:
    """The body with text added; of an overlong one only so much that it shows."""
    return (body + text)[: MAX_CALL_CHARS + 1]
