"""Model outputs of every dialect, and what can become of them: cut, doubled, spliced, sprinkled, their markers bent.

Every word of the speech in them is marked (q…z), so that it can be looked for afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

from npc_sdk.decoding.tool_formats import tool_format

from .items import DIALECTS

_LETTERS = "abcdefghijklmnop"
_NAMES = ("give_item", "stay_here", "open_gate", "f")
_VALUES = (
    "sword",
    "a } b",
    'say "hi"',
    "a < b",
    "Öl 火",
    "[x]",
    "",
    3,
    1.5,
    True,
    None,
    [1, 2],
    {"deep": [{"er": "x"}]},
)
_JOINTS = (" ", " ", " ", ". ", "! ", "… ", "\n", ", ", " *", "* ", " [", "] ", " { ", " 2 * 3 ", " <3 ", " **", "** ")
_EMOTES = ("*smiles*", "*wipes the counter*", "[happy]", "[very softly]", "**now**")
_MARKERS = (
    "<toolcall>", "</toolcall>", "<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]", "[/TOOL_CALLS]",
    "[ARGS]", "[CALL_ID]", "<s>", "</s>", "<|im_end|>", "<|eot_id|>", "<extra_id_1>", "extra_id_1", "[INST]", "[/INST]",
    "< Tool Call >", "<TOOLCALL>", "<function=f>", "<context>", "[ tool_calls ]",
)  # fmt: skip
_SIGNS = (
    *'{}[]<>"*\\|:;,_ \n\t',
    "{'",
    '{"',
    '"name"',
    '"arguments"',
    "e",
    "}}",
    "]}",
    "\x00",
    "\u200b",
    "﹛",
    "＜",
    "🙂",
)


def speech(rng: Random) -> str:
    """Words with what may stand between them."""
    words = ["q" + "".join(rng.choices(_LETTERS, k=3)) + "z" for _ in range(rng.randint(1, 6))]
    out = "".join(word + rng.choice(_JOINTS) for word in words[1:]) + words[0]
    return f"{out} {rng.choice(_EMOTES)}" if rng.random() < 0.2 else out


def calls(rng: Random, name: str) -> str:
    """One call or two as the dialect writes them."""
    frame = tool_format(name).frame
    written = [f"{frame.before}{_call(rng, name)}{frame.after}" for _ in range(rng.choice((1, 1, 1, 2)))]
    if name == "mistral" and rng.random() < 0.3:
        return f"[TOOL_CALLS]{rng.choice(_NAMES)}[ARGS]{json.dumps(_arguments(rng))}"
    return frame.lead + frame.between.join(written) + frame.tail


def _call(rng: Random, name: str) -> str:
    body = {"name": rng.choice(_NAMES), tool_format(name).frame.arguments_key: _arguments(rng)}
    if name == "mistral" and rng.random() < 0.5:
        body["id"] = "abc123def"
    return json.dumps(body, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 2)))


def _arguments(rng: Random) -> dict[str, object]:
    return {rng.choice(_LETTERS): rng.choice(_VALUES) for _ in range(rng.randint(0, 3))}


def valid(rng: Random, name: str) -> str:
    """Speech, calls, and perhaps speech again."""
    parts = [speech(rng)]
    while rng.random() < 0.5:
        parts += [rng.choice(("", " ", "\n")), calls(rng, name), rng.choice(("", " ", "\n"))]
        if rng.random() < 0.6:
            parts.append(speech(rng))
    return "".join(parts)


def _cut(rng: Random, text: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] if rng.random() < 0.6 else text[at:]


def _dropped(rng: Random, text: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + text[at + rng.randint(1, 12) :]


def _doubled(rng: Random, text: str) -> str:
    start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[:end] + text[start:]


def _spliced(rng: Random, text: str) -> str:
    other = valid(rng, rng.choice(DIALECTS))
    at, start = rng.randint(0, len(text)), rng.randint(0, len(other))
    return text[:at] + other[start:] + (text[at:] if rng.random() < 0.7 else "")


def _marked(rng: Random, text: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(_MARKERS) + text[at:]


def _sprinkled(rng: Random, text: str) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        sign = (
            rng.choice(_SIGNS) if rng.random() < 0.8 else chr(rng.choice((rng.randrange(128), rng.randrange(0xD800))))
        )
        text = text[:at] + sign + text[at:]
    return text


def _bent(rng: Random, text: str) -> str:
    """Case and blanks of the markers changed, as small models do."""
    marker = rng.choice(_MARKERS)
    return text.replace(marker, rng.choice((marker.upper(), marker.lower(), marker[0] + " " + marker[1:], marker[:-1])))


_MUTATIONS: tuple[Callable[[Random, str], str], ...] = (
    _cut, _dropped, _doubled, _spliced, _marked, _sprinkled, _bent
)  # fmt: skip


def outputs(name: str, count: int, seed: int) -> Iterator[str]:
    """So many texts of this dialect, a few of them whole."""
    rng = Random(f"{name} {seed}")
    for _ in range(count):
        text = valid(rng, name)
        for _ in range(rng.randint(0, 4)):
            text = rng.choice(_MUTATIONS)(rng, text)
        yield text


def chunks(text: str, rng: Random) -> list[str]:
    """The text in pieces as a tokenizer might give them."""
    out, at = [], 0
    while at < len(text):
        size = rng.randint(1, 40)
        out.append(text[at : at + size])
        at += size
    return out
