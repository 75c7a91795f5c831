"""Takes the force out of markers that somebody typed: player, lore, state, tool result, persona.

Reserved tokens are split by the tokenizer as well (requests.Segment.is_trusted); this is the defence for markers
that are plain text to the tokenizer. Called by the chat formats on every untrusted text.
"""

from __future__ import annotations

import re
import unicodedata

# Possessive (*+), so that a long run of fillers costs no more than its length. The stream parser looks past the same
# fillers: what it would take for a marker if the NPC repeated it must not stand in a prompt.
_FILL = r"[\s_-]*+"
_EDGE = r"[\s_/-]*+"
_NAMES = "|".join(
    (
        *(
            _FILL.join((*name, "s?+"))
            for name in ("toolcall", "tool", "toolresponse", "toolresult", "context", "function", "image")
        ),
        *(_FILL.join(name) for name in ("s", "unk", "pad", "think")),
        _FILL.join("extraid") + rf"{_FILL}\d[\d\s_-]*+",
        r"tile_\w{1,40}",
    )
)
_MARKERS = re.compile(
    rf"<{_EDGE}(?:{_NAMES}){_EDGE}>"  # <toolcall>, </context>, <extra_id_1>, <s> …
    rf"|<{_FILL}\|[^>]{{0,44}}\|{_FILL}>"  # <|im_start|> and its kin
    r"|<\s*+img\b"  # hosted vision models read pictures from <img src=…>
    r"|\[\s*+/?\s*+(?:inst|tool_calls|available_tools|tool_results|system_prompt)\s*+\]"  # Mistral
    r"|<<\s*+/?\s*+sys\s*+>>"  # Llama 2
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # blank, yet letters or symbols to Unicode
_TAMED = {"<": "‹", ">": "›", "[": "⟦", "]": "⟧", "|": "¦"}


def neutralize(text: str) -> str:
    """The text with every look-alike of a marker disarmed; all other characters stay as they are.

    Compared after NFKC, case folding and removal of invisible characters, so that ＜ＴｏｏｌＣａｌｌ＞ is found too.
    """
    plain, origin = _folded(text)
    if not any(sign in plain for sign in "<["):
        return text
    out = list(text)
    for match in _MARKERS.finditer(plain):
        for at in range(match.start(), match.end()):
            if plain[at] in _TAMED:
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
