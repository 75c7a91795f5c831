"""Ten thousand broken outputs of each dialect: no crash, no word lost, no call that its own markers do not open."""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random

import pytest

from npc_sdk.decoding.stream_parser import Emote, Item, Speech
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall

from .fuzz import chunks, outputs, speech, valid
from .items import DIALECTS, parse

OUTPUTS = 10_000
_FILL = r"[\s_-]*"


def _tolerant(opening: str, name: str, closing: str) -> str:
    return opening + _FILL + _FILL.join(name) + _FILL + closing


# Written apart from the parser's own: which text can be a call at all.
OPENINGS = {
    "nemotron": re.compile(_tolerant("<", "toolcall", ">"), re.IGNORECASE),
    "hermes": re.compile(_tolerant("<", "toolcall", ">"), re.IGNORECASE),
    "llama3": re.compile(r"\{"),
    "mistral": re.compile(_tolerant(r"\[", "toolcalls", r"\]"), re.IGNORECASE),
}
WORD = re.compile(r"q[a-p]{3}z")
# Where a word may go unheard: in a tag, whole or cut off by the end, and in an id or a key that a dialect ignores.
UNHEARD = re.compile(
    r"<[^>]{0,48}(?:>|\Z)|\[CALL_ID\][^\[\]{}]*|extra_id_\S*|\"(?:id|type)\"\s*:\s*\"[^\"]*", re.IGNORECASE
)
SIGN = re.compile(r"[<\[{*]|extra_", re.IGNORECASE)


def _text(item: Item) -> str:
    if isinstance(item, ParsedCall):
        return f"{item.name} {json.dumps(item.arguments, ensure_ascii=False)}"
    return item.raw if isinstance(item, MalformedCall) else item.text


def _words(text: str) -> Counter[str]:
    return Counter(WORD.findall(text))


def _check_words(text: str, items: list[Item]) -> None:
    """Every word is somewhere, none is made up, and what stands before any sign is spoken as it is."""
    out = sum((_words(_text(item)) for item in items), Counter[str]())
    assert not _words(UNHEARD.sub(" ", text)) - out, "words were lost"
    assert not out - _words(text), "words were made up"
    sign = SIGN.search(text)
    plain = " ".join(text[: sign.start() if sign else len(text)].split())
    spoken = items[0].text if items and isinstance(items[0], Speech) else ""
    assert " ".join(spoken.split()).startswith(plain)


def _check_calls(text: str, items: list[Item], name: str) -> None:
    """Each call's name stands behind an opening of its dialect."""
    calls = [item for item in items if isinstance(item, ParsedCall)]
    starts = [found.end() for found in OPENINGS[name].finditer(text)]
    assert not calls or starts
    for call in calls:
        assert call.name in text[min(starts) :] or "\\" in text  # an escape in it


def _check_speech(items: list[Item]) -> None:
    for item in items:
        if isinstance(item, Speech | Emote):
            assert not re.search(r"\{\s*\"", item.text)
            assert not any(OPENINGS[name].search(item.text) for name in ("hermes", "mistral"))


@pytest.mark.parametrize("name", DIALECTS)
def test_fuzzed_outputs_lose_no_word_and_make_no_call(name: str) -> None:
    rng = Random(7)
    kinds: Counter[type] = Counter()
    for number, text in enumerate(outputs(name, OUTPUTS, seed=4)):
        items = parse(text, name=name)
        try:
            _check_words(text, items)
            _check_calls(text, items, name)
            _check_speech(items)
            assert parse(*(chunks(text, rng) if number % 50 else text), name=name) == items
        except AssertionError as exc:
            raise AssertionError(f"{text!r} gave {items!r}") from exc
        kinds.update(type(item) for item in items)
    assert all(kinds[kind] > OUTPUTS // 10 for kind in (Speech, Emote, ParsedCall, MalformedCall)), kinds


@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "llama3"])
def test_the_same_outputs_without_their_opening_markers_make_no_call(name: str) -> None:
    for text in outputs(name, OUTPUTS // 10, seed=5):
        while OPENINGS[name].search(text):
            text = OPENINGS[name].sub("", text)
        assert not any(isinstance(item, ParsedCall) for item in parse(text, name=name)), text


@pytest.mark.parametrize("name", DIALECTS)
def test_whole_outputs_are_understood_whole(name: str) -> None:
    rng = Random(9)
    for _ in range(500):
        text = valid(rng, name)
        items = parse(text, name=name)
        assert not any(isinstance(item, MalformedCall) for item in items), (text, items)


def test_words_that_nobody_marks_are_all_spoken() -> None:
    rng = Random(11)
    for _ in range(500):
        text = re.sub(r"[*\[\]]|<3|\{", " ", speech(rng))
        assert " ".join("".join(_text(item) for item in parse(text)).split()) == " ".join(text.split())
