"""Which words of a player are taken. What is refused would cost more to read than its length, or is no text at all.

Called by session.py, for what is said and for what is typed.
"""

from __future__ import annotations

import unicodedata

from npc_sdk.errors import NpcError, RequestError

MAX_WORDS_CHARS = 8000
MAX_MARKS = 30  # on one letter: the bound of Unicode's own Stream-Safe Text Format; sorting more takes their square


def words_fault(text: str) -> NpcError | None:
    """Why the player's words cannot be taken."""
    if not text.strip():
        return RequestError("the player said nothing", hint="send at least one word")
    if len(text) > MAX_WORDS_CHARS:
        return _too_long(len(text), "long")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        return RequestError(f"the player's words hold half a character at {exc.start}", hint="send valid Unicode")
    return None if text.isascii() else _cost_fault(text)


def _cost_fault(text: str) -> NpcError | None:
    """Why words are costlier than they look: searches compare them written out, and ﷺ is eighteen letters then."""
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MAX_MARKS:
            return RequestError(f"the player's words hold more than {MAX_MARKS} marks on one letter", hint="send fewer")
    written_out = len(unicodedata.normalize("NFKC", text))
    return _too_long(written_out, "long when written out") if written_out > MAX_WORDS_CHARS else None


def _too_long(chars: int, how: str) -> NpcError:
    most = f"at most {MAX_WORDS_CHARS} are taken"
    return RequestError(f"the player's words are {chars} characters {how}, {most}", hint="send less at once")
