"""Token ids to text while they arrive: whole code points only, and nothing that may yet become a stop string.

Knows no tokenizer, only a decode function. Called by the local engine for each token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MAX_OPEN_TOKENS = 16  # a code point has four bytes: what is open for longer never becomes one
REPLACEMENT = "\ufffd"  # what decoders write for bytes that are not (yet) a code point


class Detokenizer:
    """Turns ids into text piece by piece; the pieces joined are the decoded whole.

    Decodes a short window: the new tokens, and those of the last piece for the spaces and bytes that depend on them.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._settled = 0  # tokens at the window's front whose text is out
        self._emitted = 0  # characters of the window's text that are out

    def feed(self, token_id: int) -> str:
        """The text that this token completes; empty while a code point is open."""
        self._window.append(token_id)
        text = self._decode(self._window)
        is_hopeless = len(self._window) - self._settled > MAX_OPEN_TOKENS
        whole = text if is_hopeless else text.rstrip(REPLACEMENT)
        piece = whole[self._emitted :]
        self._emitted += len(piece)
        if len(whole) == len(text):
            self._slide()
        return piece

    def flush(self) -> str:
        """What is still held back, at the end of the reply; bytes that never became a code point show as such."""
        piece = self._decode(self._window)[self._emitted :]
        self._emitted += len(piece)
        return piece

    def _slide(self) -> None:
        """Keeps only the tokens since the last slide. Mutates: the window."""
        self._window = self._window[self._settled :]
        self._settled = len(self._window)
        self._emitted = len(self._decode(self._window))


class StopHolder:
    """Lets text through up to the first stop string; the stop string itself never comes out."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.is_stopped = False

    def feed(self, text: str) -> str:
        """The text that can no longer be part of a stop string. After a stop it is always empty."""
        if self.is_stopped:
            return ""
        text = self._held + text
        start = self._find(text)
        self.is_stopped = start is not None
        keep = self._open_at(text) if start is None else start
        self._held = "" if self.is_stopped else text[keep:]
        return text[:keep]

    def flush(self) -> str:
        """The text held back, at the end of a reply that met no stop string."""
        held, self._held = self._held, ""
        return held

    def _find(self, text: str) -> int | None:
        """Where the stop string that is complete first begins: the answer may not depend on how the text was cut."""
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _open_at(self, text: str) -> int:
        """Where the longest tail begins that starts some stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for start in range(max(0, len(text) - longest), len(text)):
            if any(stop.startswith(text[start:]) for stop in self._stops):
                return start
        return len(text)
