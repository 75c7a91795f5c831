"""Takes the force out of markers that somebody typed: player, lore, state, tool result, persona.

Reserved tokens are split by the tokenizer as well (requests.Segment.is_trusted); this is the defence for what is plain
text to the tokenizer: markers and, as one family's calls have none, JSON. Called by the chat formats.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
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
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # blank, yet letters or symbols to Unicode
_TAMED = {"<": "‹", ">": "›", "[": "⟦", "]": "⟧", "|": "¦", "{": "❴"}


def neutralize(text: str) -> str:
    """Words with every look-alike of a marker or of a JSON object disarmed; all other characters stay as they are.

    Compared after NFKC, case folding and removal of invisible characters, so that ＜ＴｏｏｌＣａｌｌ＞ is found too.
    """
    return _disarmed(text, (_MARKERS, _OBJECTS), "<[{")


def neutralize_json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """The JSON text of a value that is ours, in which the texts are somebody else's and lose their force."""
    return _disarmed(json.dumps(_tame(value), ensure_ascii=False, indent=indent), (_MARKERS,), "<[")


def _tame(value: Any) -> Any:
    """The value with its texts neutralized; keys keep their braces, so that no two become the same."""
    if isinstance(value, str):
        return neutralize(value)
    if isinstance(value, Mapping):
        return {key: _tame(inner) for key, inner in value.items()}
    return [_tame(inner) for inner in value] if isinstance(value, list | tuple) else value


def _disarmed(text: str, patterns: tuple[re.Pattern[str], ...], signs: str) -> str:
    if text.isascii() and not any(sign in text for sign in signs):
        return text
    plain, origin = _folded(text)
    out = list(text)
    for pattern in patterns:
        for match in pattern.finditer(plain):
            ends = (match.start(), match.end() - 1)
            for at in range(match.start(), match.end()):
                # Brackets between the ends are no part of the marker; in JSON they may be its own.
                if plain[at] in "<>|" or (at in ends and plain[at] in _TAMED):
                    out[origin[at]] = _TAMED[plain[at]]
    return "".join(out)


def _folded(text: str) -> tuple[str, list[int]]:
    """The text as a marker search sees it, and for each of its characters the index it came from."""
    if text.isascii() and not _CONTROL.search(text):
        return text.lower(), list(range(len(text)))
    chars: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        if _is_invisible(char):
            continue
        for folded in unicodedata.normalize("NFKC", char).casefold():
            chars.append(folded)
            origin.append(index)
    return "".join(chars), origin


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category in {"Cf", "Mn", "Me"} or char in _FILLERS or (category == "Cc" and not char.isspace())
