"""Takes the force out of markers that somebody typed: player, lore, state, tool result, persona.

Reserved tokens are split by the tokenizer as well (requests.Segment.is_trusted); this is the defence for what is plain
text to the tokenizer: markers and, as one family's calls have none, JSON. Called by the chat formats.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

# Possessive (*+), so that a long run of fillers costs no more than its length. The stream parser looks past the same
# fillers: what it would take for a marker if the NPC repeated it must not stand in a prompt.
_FILL = r"[\s_-]*+"
_EDGE = r"[\s_/-]*+"


def _names(*names: str) -> str:
    return "|".join(_FILL.join(name) for name in names)


_PLURALS = "|".join(
    _FILL.join((*name, "s?+"))
    for name in ("toolcall", "tool", "toolresponse", "toolresult", "context", "function", "image")
)
_TAGS = "|".join(
    (
        _PLURALS,
        _names("s", "unk", "pad", "think"),
        _names("extraid") + rf"{_FILL}\d[\d\s_-]*+",
        _names("function=") + r"[^<>]*+",
        r"tile_\w{1,40}",
    )
)
_BRACKETS = _names(
    "inst", "toolcalls", "availabletools", "toolresults", "toolcontent", "systemprompt", "args", "callid"
)
_MARKERS = re.compile(
    rf"<{_EDGE}(?:{_TAGS}){_EDGE}>"  # <toolcall>, </context>, <extra_id_1>, <s>, <function=…> …
    rf"|<{_FILL}\|[^>]{{0,44}}\|{_FILL}>"  # <|im_start|> and its kin
    r"|<\s*+img\b"  # hosted vision models read pictures from <img src=…>
    rf"|\[{_EDGE}(?:{_BRACKETS}){_EDGE}\]"  # Mistral
    r"|<<\s*+/?\s*+sys\s*+>>"  # Llama 2
)
# A brace before a quote begins an object; which keys it has nobody can tell who does not undo its escapes.
_OBJECTS = re.compile(r"\{(?=[\s\\]*+[\"'`“”‘’„]|\s*+(?:name|function|tool|arguments|parameters)\s*+:)")
# All that is one of < [ { to the search: every marker begins with one, so that most texts need no closer look.
_OPENINGS = "<＜﹤[［﹇"
_SIGN = re.compile(f"[{re.escape(_OPENINGS)}]")
_SIGN_OR_BRACE = re.compile(f"[{re.escape(_OPENINGS)}{{｛﹛︷]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # blank, yet letters or symbols to Unicode
_REMEMBERED = 128  # texts, for the same ones come with every turn
_REMEMBERED_TEXT_CHARS = 16_384  # in one of them: the game's own may be a megabyte each
_REMEMBERED_CHARS = 4096
_TAMED = {"<": "‹", ">": "›", "[": "⟦", "]": "⟧", "|": "¦", "{": "❴"}


def neutralize(text: str) -> str:
    """Words with every look-alike of a marker or of a JSON object disarmed; all other characters stay as they are.

    Compared after NFKC, case folding and removal of invisible characters, so that ＜ＴｏｏｌＣａｌｌ＞ is found too.
    """
    return _disarmed(text) if _SIGN_OR_BRACE.search(text) else text


def neutralize_json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """The JSON text of a value that is ours, in which the texts are somebody else's and lose their force."""
    text = json.dumps(_tame(value), ensure_ascii=False, indent=indent)
    return _disarmed(text, is_json=True) if _SIGN.search(text) else text


def first_sign(text: str) -> int | None:
    """Where the first character stands with which a marker or an object may begin, once more has been written."""
    found = _SIGN_OR_BRACE.search(text)
    return found.start() if found else None


def _tame(value: Any) -> Any:
    """The value with its texts neutralized; keys keep their braces, so that no two become the same."""
    if isinstance(value, str):
        return neutralize(value)
    if isinstance(value, Mapping):
        return {key: _tame(inner) for key, inner in value.items()}
    return [_tame(inner) for inner in value] if isinstance(value, list | tuple) else value


def _disarmed(text: str, *, is_json: bool = False) -> str:
    """JSON of ours keeps its braces."""
    look = _remembered if len(text) <= _REMEMBERED_TEXT_CHARS else _looked_through
    return look(text, is_json=is_json)


def _looked_through(text: str, *, is_json: bool) -> str:
    plain = _folded(text)
    matches = [match for pattern in (_MARKERS, _OBJECTS)[: 2 - is_json] for match in pattern.finditer(plain)]
    if not matches:
        return text
    origin = _origin(text)
    out = list(text)
    for match in matches:
        ends = (match.start(), match.end() - 1)
        for at in range(match.start(), match.end()):
            # Brackets between the ends are no part of the marker; in JSON they may be its own.
            if plain[at] in "<>|" or (at in ends and plain[at] in _TAMED):
                out[origin[at]] = _TAMED[plain[at]]
    return "".join(out)


_remembered = lru_cache(maxsize=_REMEMBERED)(_looked_through)


def _folded(text: str) -> str:
    """The text as a marker search sees it."""
    return text.lower() if _is_plain(text) else "".join(map(_fold, text))


def _origin(text: str) -> Sequence[int]:
    """For each character of the folded text the index that it came from."""
    if _is_plain(text):
        return range(len(text))
    return [index for index, char in enumerate(text) for _ in _fold(char)]


def _is_plain(text: str) -> bool:
    return text.isascii() and not _CONTROL.search(text)


@lru_cache(maxsize=_REMEMBERED_CHARS)
def _fold(char: str) -> str:
    """Nothing for what nobody sees. One letter may be a whole saying: what is in no marker counts as one."""
    if _is_invisible(char):
        return ""
    folded = unicodedata.normalize("NFKC", char).casefold()
    return folded if folded.isascii() else max(folded)


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category in {"Cf", "Mn", "Me"} or char in _FILLERS or (category == "Cc" and not char.isspace())
