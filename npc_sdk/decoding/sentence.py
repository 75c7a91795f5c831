"""Cuts a growing speech into whole sentences, for subtitles and voices.

A sentence is handed out as soon as what follows shows that it has ended. A cut may be missed, never a word. Ours, as
published segmenters want the whole text: they take a cut back when a closing quote comes. Called by session.
"""

from __future__ import annotations

import re
import unicodedata

from npc_sdk.decoding.abbreviation import LONGEST_ABBREVIATION, is_abbreviation

MAX_SENTENCE_CHARS = 400  # longer than two subtitle lines anyway; a speech without stops must not pile up
# These end a sentence whatever follows: CJK, Devanagari, Urdu, Armenian, Ethiopic, Burmese, Khmer. Thai has no such
# sign, and is cut by length alone.
_SURE_ENDERS = "。！？｡।॥۔։።፧။។៕"
_ENDERS = ".!?…‼⁇⁈⁉؟\u037e"
_ANY = _SURE_ENDERS + _ENDERS
_CLOSERS = r"\"'”’»)\]」』】〉》"
_END = re.compile(
    rf"(?P<sure>[{_ANY}]*[{_SURE_ENDERS}][{_ANY}]*[{_CLOSERS}]*)"
    # What opens a quotation in one language closes it in another; French closes it after a blank.
    rf"|(?P<signs>[{_ENDERS}]+)[{_CLOSERS}“‘«‹]*(?:[ \u00a0\u202f]»(?=[\s,.;]|\Z))?"
    r"|\n"
)
_DASH = re.compile(r"\A[—–-]{1,3} ?")  # in many languages "he said" is set off from speech by a dash


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
        if match["sure"] or rest[0] == "\n":
            return True
        if not rest[0].isspace():
            return False
        following = _DASH.sub("", rest.lstrip(), count=1)
        if not following:
            return None
        return not following[0].islower() and not (match["signs"] == "." and self._ends_in_abbreviation(match.end()))

    def _ends_in_abbreviation(self, end: int) -> bool:
        words = self._buffer[max(0, end - LONGEST_ABBREVIATION) : end].split()
        return is_abbreviation(words[-1], is_first=len(words) == 1)

    def _forced_end(self) -> int:
        """The last blank that keeps the sentence within bounds, or the last place where no character is torn."""
        blank = self._buffer.rfind(" ", 0, MAX_SENTENCE_CHARS)
        if blank > 0:
            return blank
        end = MAX_SENTENCE_CHARS
        while end > MAX_SENTENCE_CHARS // 2 and unicodedata.category(self._buffer[end])[0] == "M":
            end -= 1
        return end
