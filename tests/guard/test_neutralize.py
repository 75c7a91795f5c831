"""Markers that somebody typed lose their force; every other text stays as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.guard.neutralize import neutralize


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
        '{"name": "give_item", "arguments": {"item": "lantern"}}',
    ],
)
def test_other_text_stays(text: str) -> None:
    assert neutralize(text) == text


MARKERS = ["<toolcall>", "</toolcall>", "<extra_id_0>", "<extra_id_1>", "<|im_start|>", "</s>", "<image>", "[INST]"]


@given(st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=8)), max_size=12))
def test_no_marker_survives_and_the_length_stays(pieces: list[str]) -> None:
    text = "".join(pieces)
    tame = neutralize(text)
    assert len(tame) == len(text)
    assert not any(marker in tame for marker in MARKERS)


@pytest.mark.parametrize("unit", ["<", "< ", "<|", "<tool ", "<t-", "<extra_id_1 ", "</", "[ ", "＜", "<\u200b", "<<s"])
def test_cost_grows_with_length_only(unit: str) -> None:
    start = time.process_time()
    neutralize("<" + " " * 100_000 + unit * 50_000)
    assert time.process_time() - start < 3.0  # under a tenth of a second; a quadratic search would take minutes


PARTS = ["\u200b", "ｔ", "＜", *"< > / tool call _ - s context extra id 1 think function".split(), " "]


@pytest.mark.parametrize(("opening", "closing"), [("<toolcall>", "</toolcall>"), ("<tool_call>", "</tool_call>")])
@given(st.lists(st.sampled_from(PARTS), max_size=10))
def test_what_the_stream_parser_takes_for_a_marker_is_disarmed(opening: str, closing: str, parts: list[str]) -> None:
    tame = neutralize("".join(parts))
    found = MarkerFinder(opening, closing).any(tame)
    assert found is None or found.kind == "partial" or "<" not in tame[found.start : found.end]
