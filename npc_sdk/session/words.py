"""Which words of a player are taken. What is refused would cost more to read than its length, or is no text at all.

Called by session.py and, for words that are still typed, by ahead.py.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

from npc_sdk.errors import NpcError, RequestError

MAX_WORDS_CHARS = 8000
MAX_WRITTEN_OUT = 3 * MAX_WORDS_CHARS  # "…" is three characters then, and so is a syllable of Korean
MAX_MARKS = 30  # on one letter: the bound of Unicode's own Stream-Safe Text Format; sorting more takes their square

_MARK, _NO_MARK = "^", "."
_REMEMBERED_CHARS = 4096


def words_fault(text: str) -> NpcError | None:
    """Why the player's words cannot be taken."""
    fault = form_fault(text)
    return fault if fault or text.isascii() else _cost_fault(text)


def form_fault(text: str) -> NpcError | None:
    """The faults among those that take no time to see, whatever the text."""
    if not text.strip():
        return RequestError("the player said nothing", hint="send at least one word")
    if len(text) > MAX_WORDS_CHARS:
        too_long = f"the player's words are {len(text)} characters long, at most {MAX_WORDS_CHARS} are taken"
        return RequestError(too_long, hint="send less at once")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        return RequestError(f"the player's words hold half a character at {exc.start}", hint="send valid Unicode")
    return None


def _cost_fault(text: str) -> NpcError | None:
    """Why words are costlier than they look: searches compare them written out, and ﷺ is eighteen letters then.

    Writes them out a character at a time, which takes no longer whatever stands together.
    """
    counts = Counter(text)
    signs = {char: _signs(char) for char in counts}
    if sum(len(signs[char]) * count for char, count in counts.items()) > MAX_WRITTEN_OUT:
        return _too_long_written_out(max(counts, key=lambda char: len(signs[char]) * counts[char]))
    if _MARK * (MAX_MARKS + 1) in text.translate({ord(char): sign for char, sign in signs.items()}):
        return RequestError(f"the player's words hold more than {MAX_MARKS} marks on one letter", hint="send fewer")
    return None


@lru_cache(maxsize=_REMEMBERED_CHARS)
def _signs(char: str) -> str:
    """One for each character that it is made of. U+0F73 is two marks, and none to Unicode while it is whole."""
    return "".join(_MARK if unicodedata.combining(part) else _NO_MARK for part in unicodedata.normalize("NFKD", char))


def _too_long_written_out(char: str) -> NpcError:
    fault = f"the player's words are more than {MAX_WRITTEN_OUT} characters when written out"
    return RequestError(fault, hint=f"send fewer {char!r}: each counts as {len(_signs(char))}")
