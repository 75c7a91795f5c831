"""Markers that somebody typed lose their force; every other text stays as it is."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.guard import neutralize as guard
from npc_sdk.guard.neutralize import first_sign, neutralize, neutralize_json
from tests.effort import effort_below


@pytest.mark.parametrize(
    ("text", "tame"),
    [
        pytest.param("<toolcall>", "‹toolcall›", id="plain"),
        pytest.param("</toolcall>", "‹/toolcall›", id="closing"),
        pytest.param("<ToolCall>", "‹ToolCall›", id="case"),
        pytest.param("< / tool_call >", "‹ / tool_call ›", id="spaces"),
        pytest.param("<tool call>", "‹tool call›", id="space in the name"),
        pytest.param("<_tool-call_>", "‹_tool-call_›", id="fillers at the ends"),
        pytest.param("<t-o o_l\u200b call>", "‹t-o o_l\u200b call›", id="fillers between letters"),
        pytest.param("<//tool_results/>", "‹//tool_results/›", id="slashes"),
        pytest.param("<extra-id 1>", "‹extra-id 1›", id="turn marker, fillers"),
        pytest.param("<|a|b|>", "‹¦a¦b¦›", id="bars between bars"),
        pytest.param("<\ntoolcall\t>", "‹\ntoolcall\t›", id="line break"),
        pytest.param("<toolcall/>", "‹toolcall/›", id="self-closing"),
        pytest.param("＜toolcall＞", "‹toolcall›", id="full-width brackets"),
        pytest.param("<ｔｏｏｌｃａｌｌ>", "‹ｔｏｏｌｃａｌｌ›", id="full-width letters"),
        pytest.param("﹤context﹥", "‹context›", id="small brackets"),
        pytest.param("<tool\u200bcall>", "‹tool\u200bcall›", id="zero width space"),
        pytest.param("<\u2060toolcall\ufeff>", "‹\u2060toolcall\ufeff›", id="word joiner and BOM"),
        pytest.param("<tool\u00adcall>", "‹tool\u00adcall›", id="soft hyphen"),
        pytest.param("<to\u0301olcall>", "‹to\u0301olcall›", id="combining mark"),
        pytest.param("<tool\ufe0fcall>", "‹tool\ufe0fcall›", id="variation selector"),
        pytest.param("<tool\u3164call>", "‹tool\u3164call›", id="Hangul filler"),
        pytest.param("<tool\x00call>", "‹tool\x00call›", id="control character"),
        pytest.param("<tool<toolcall>call>", "<tool‹toolcall›call>", id="nested"),
        pytest.param("<extra_id_1>User", "‹extra_id_1›User", id="turn marker"),
        pytest.param("<EXTRA_ID_12>", "‹EXTRA_ID_12›", id="turn marker, case"),
        pytest.param("</s><s>", "‹/s›‹s›", id="sentence markers"),
        pytest.param("<image>", "‹image›", id="picture"),
        pytest.param("<tile_1><tile_global_thumbnail>", "‹tile_1›‹tile_global_thumbnail›", id="tiles"),
        pytest.param('<img src="x">', '‹img src="x">', id="hosted picture"),
        pytest.param("<|im_start|>system", "‹¦im_start¦›system", id="ChatML"),
        pytest.param("< |im_end| >", "‹ ¦im_end¦ ›", id="ChatML, spaces"),
        pytest.param("＜｜im_end｜＞", "‹¦im_end¦›", id="ChatML, full width"),
        pytest.param("[INST] [/TOOL_CALLS]", "⟦INST⟧ ⟦/TOOL_CALLS⟧", id="Mistral"),
        pytest.param("[ tool-calls ]", "⟦ tool-calls ⟧", id="Mistral, fillers"),
        pytest.param("[ARGS][CALL_ID]", "⟦ARGS⟧⟦CALL_ID⟧", id="Mistral, newer"),
        pytest.param("［TOOL_CALLS］", "⟦TOOL_CALLS⟧", id="Mistral, full width"),
        pytest.param("<|python_tag|>", "‹¦python_tag¦›", id="Llama 3"),
        pytest.param("<function=f>", "‹function=f›", id="Llama 3, function form"),
        pytest.param('{"name": "f"}', '❴"name": "f"}', id="JSON"),
        pytest.param('{ \n "a": {"b": 1}}', '❴ \n "a": ❴"b": 1}}', id="JSON, nested"),
        pytest.param('{"n\\u0061me": 1}', '❴"n\\u0061me": 1}', id="JSON, escaped key"),
        pytest.param('{\\"name\\": 1}', '❴\\"name\\": 1}', id="JSON, escaped"),
        pytest.param("{'name': 1}", "❴'name': 1}", id="JSON, single quotes"),
        pytest.param("{ Name : 1}", "❴ Name : 1}", id="JSON, no quotes"),
        pytest.param('｛"name": 1｝', '❴"name": 1｝', id="JSON, full width"),
        pytest.param('{\u200b"name": 1}', '❴\u200b"name": 1}', id="JSON, zero width"),
        pytest.param("<<SYS>>", "‹‹SYS››", id="Llama 2"),
        pytest.param("a</context>b<context>c", "a‹/context›b‹context›c", id="passage"),
    ],
)
def test_a_marker_loses_its_force(text: str, tame: str) -> None:
    assert neutralize(text) == tame
    assert neutralize(f"Hello, {text} there.") == f"Hello, {tame} there."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I will pay 9 coins.",
        "2 < 3 and 5 > 4",
        "<3 you",
        "a <b> c </b>",
        "<salt>",
        "<tooling>",
        "list[0] and [a link]",
        "x | y || z",
        "Größe, naïve, 日本語, 🙂",
        "<- this way ->",
        "a { b } and {mood} and {{ holds }} and {1}",
        "{names: many}",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert neutralize(text) == text


JSON_VALUES = {
    "plain": ({"name": "f", "n": {"m": [1, 2.5, None, True]}}, '{"name": "f", "n": {"m": [1, 2.5, null, true]}}'),
    "texts": ({"why": ['{"name": 1}', "<toolcall>"]}, '{"why": ["❴\\"name\\": 1}", "‹toolcall›"]}'),
    "marker in a key": ({"<s>": {"[INST]": 1}}, '{"‹s›": {"⟦INST⟧": 1}}'),
    "keys stay apart": ({'{"a': 1, '❴"a': 2}, '{"{\\"a": 1, "❴\\"a": 2}'),
    "marker over several texts": ({"a": ["<|", {"b": "|>"}]}, '{"a": ["‹¦", {"b": "¦›"}]}'),
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), JSON_VALUES.values(), ids=JSON_VALUES)
def test_json_of_ours_keeps_its_braces_and_its_texts_lose_theirs(value: dict[str, Any], text: str) -> None:
    assert neutralize_json(value) == text
    assert json.loads(text)


def test_json_may_be_indented() -> None:
    assert neutralize_json({"a": "<s>"}, indent=4) == '{\n    "a": "‹s›"\n}'


MARKERS = ["<toolcall>", "</toolcall>", "<extra_id_0>", "<extra_id_1>", "<|im_start|>", "</s>", "<image>", "[INST]"]


@given(st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=8)), max_size=12))
def test_no_marker_survives_and_the_length_stays(pieces: list[str]) -> None:
    text = "".join(pieces)
    tame = neutralize(text)
    assert len(tame) == len(text)
    assert not any(marker in tame for marker in MARKERS)


UNITS = [
    "<", "< ", "<|", "<tool ", "<t-", "<extra_id_1 ", "</", "[ ", "＜", "<\u200b", "<<s", "{", "{ ", "{\\", "[ARGS",
    "<function=",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_cost_grows_with_length_only(unit: str) -> None:
    with effort_below(3.0):  # under a tenth of a second; a quadratic search would take minutes
        neutralize("<" + " " * 100_000 + unit * 50_000)


def test_every_character_that_may_begin_a_marker_is_known() -> None:
    chars = map(chr, range(sys.maxunicode + 1))
    signs = [char for char in chars if set("<[{") & set(unicodedata.normalize("NFKC", char).casefold())]
    assert len(signs) >= 10
    for char in signs:
        assert first_sign(f"a{char}") == 1
        tame = neutralize(f'{char}"toolcall>{char}toolcall>{char}inst]')
        assert tame.count(char) < 3
    assert first_sign("no sign at all, ｔ > ]") is None


WIDE = {
    "a saying": "\ufdfa",
    "a saying behind a sign": "<\ufdfa",
    "a number in brackets": "[\u2487",
    "a marker and a saying": "<s>\ufdfa ",
    "marks": "<\u0301\u0316",
}


@pytest.mark.parametrize("unit", WIDE.values(), ids=WIDE)
def test_letters_that_are_many_when_written_out_cost_no_more_than_others(unit: str) -> None:
    with effort_below(0.5):  # written out to their last letter it would be three seconds
        neutralize(unit * (100_000 // len(unit)))


def test_a_text_without_a_sign_is_not_looked_into() -> None:
    with effort_below(0.1):
        assert neutralize("Где же старая мельница? ﷺ" * 4_000).endswith("ﷺ")


PARTS = [
    "\u200b",
    "ｔ",
    "＜",
    *'< > / [ ] { " | = tool call s _ - context extra id 1 think function args inst'.split(),
    " ",
]


@pytest.mark.parametrize("name", ["nemotron", "hermes", "llama3", "mistral"])
@given(st.lists(st.sampled_from(PARTS), max_size=10))
def test_what_the_stream_parser_takes_for_a_marker_or_json_is_disarmed(name: str, parts: list[str]) -> None:
    tame = neutralize("".join(parts))
    assert not re.search(r'\{\s*"', tame)
    for at in range(len(tame)):
        found = tool_format(name).markers.at(tame, at)
        assert found is None or found.kind == "partial" or not set("<[") & set(tame[found.start : found.end])


def test_what_is_remembered_of_texts_is_bounded_in_size() -> None:
    guard._remembered.cache_clear()
    short, long = "<s>" * 5_000, "<s>" * 50_000
    assert neutralize(long) == "‹s›" * 50_000
    assert guard._remembered.cache_info().currsize == 0
    assert neutralize(short) == neutralize(short) == "‹s›" * 5_000
    assert guard._remembered.cache_info()[:2] == (1, 1)
