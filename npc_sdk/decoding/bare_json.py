"""Finds JSON in what a model writes where nothing marks it as a call. JSON is never spoken, whatever it says.

An ordinary brace is speech: only one that a quote, a key of calls or its own end follows begins JSON. Called by
stream_parser.
"""

from __future__ import annotations

import re

from npc_sdk.decoding.marker import Mark

_KEYS = ("name", "function", "tool", "arguments", "parameters")
_LIST = r"(?:\[\s{0,16}+)?"
# So many blanks that speech would close up again are no ordinary brace either.
_OPENING = re.compile(
    rf"{_LIST}\{{(?:\s{{0,64}}+(?:\\?[\"'“”„‘’`]|\}}|(?:{'|'.join(_KEYS)})\s{{0,8}}+:)|\s{{64}})", re.IGNORECASE
)
_CUT = re.compile(rf"{_LIST}(?:\{{\s{{0,64}}+(?:\\|(?P<key>[a-z]+)(?P<gap>\s{{0,8}}))?)?\Z", re.IGNORECASE)


def json_at(text: str, start: int) -> Mark | None:
    """The opening of a JSON object, or of a list of them, at this bracket. It is part of the JSON."""
    found = _OPENING.match(text, start)
    if found:
        return Mark(start, found.end(), "json")
    cut = _CUT.match(text, start)
    if cut and _may_be_key((cut["key"] or "").lower(), is_whole=bool(cut["gap"])):
        return Mark(start, len(text), "partial")
    return None


def _may_be_key(text: str, *, is_whole: bool) -> bool:
    return text in _KEYS if is_whole else any(key.startswith(text) for key in _KEYS)
