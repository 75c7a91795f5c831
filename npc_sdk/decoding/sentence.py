"""Cuts a growing speech into whole sentences, for subtitles and voices.

A sentence is handed out as soon as what follows shows that it has ended. Knows Latin and CJK punctuation and common
English abbreviations; a cut may be missed, never a word. Called by session.
"""

from __future__ import annotations

import re

MAX_SENTENCE_CHARS = 400  # longer than two subtitle lines anyway; a speech without stops must not pile up
_CJK_ENDERS = "。！？"
_END = re.compile(rf"[.!?…{_CJK_ENDERS}]+[\"'”’»)\]」』]*|\n")
_ABBREVIATION_CHARS = 16  # more than the longest abbreviation with what stands before it
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:mr|mrs|ms|dr|st|sr|jr|prof|capt|col|gen|lt|sgt|rev|hon|vs|etc|no|e\.g|i\.e|(?-i:[A-HJ-Z]))\.$",
    re.IGNORECASE,
)


class SentenceCutter:
    """Mutates: feed and finish move it on."""

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that are whole after this much text, without blanks at their ends."""
        self._buffer += text
        out = []
        while (end := self._end()) is not None:
            sentence, self._buffer = self._buffer[:end].strip(), self._buffer[end:]
            if sentence:
                out.append(sentence)
        return out

    def finish(self) -> list[str]:
        """What is left, if anything; a new speech may follow."""
        rest, self._buffer = self._buffer.strip(), ""
        return [rest] if rest else []

    def _end(self) -> int | None:
        """Where the first sentence ends; None while that is not certain."""
        for match in _END.finditer(self._buffer, 0, MAX_SENTENCE_CHARS):
            is_end = self._is_end(match)
            if is_end is not False:
                return match.end() if is_end else None
        return self._forced_end() if len(self._buffer) > MAX_SENTENCE_CHARS else None

    def _is_end(self, match: re.Match[str]) -> bool | None:
        """Whether a sentence ends here; None where only more text can tell."""
        if match[0] == "\n":
            return True
        rest = self._buffer[match.end() :]
        if not rest:
            return None
        if match[0].rstrip("\"'”’»)]」』")[-1] in _CJK_ENDERS:
            return True
        if not rest[0].isspace():
            return False
        if rest[0] == "\n":
            return True
        following = rest.lstrip()
        if not following:
            return None
        last_word = self._buffer[max(0, match.end() - _ABBREVIATION_CHARS) : match.end()]
        return not following[0].islower() and not _ABBREVIATION.search(last_word)

    def _forced_end(self) -> int:
        """The last blank that keeps the sentence within bounds, or the bound itself."""
        blank = self._buffer.rfind(" ", 0, MAX_SENTENCE_CHARS)
        return blank if blank > 0 else MAX_SENTENCE_CHARS
