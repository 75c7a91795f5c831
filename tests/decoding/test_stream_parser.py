"""Every case is fed whole, character by character and split at every position: the items are always the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.decoding.marker import MAX_MARKER_CHARS, MarkerFinder
from npc_sdk.decoding.stream_parser import MAX_HELD_CHARS, Emote, Item, Speech, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.decoding.tool_formats.reader import MAX_CALL_CHARS
from tests.effort import effort_below

from .items import DIALECTS, check_every_split, parse, said, whole_marks

CALL = '{"name": "stay_here", "arguments": {}}'
STAY = ParsedCall("stay_here", {})
GIVE = ParsedCall("give_item", {"item": "a < b"})


NEMOTRON: dict[str, tuple[str, list[Item]]] = {
    "nothing": ("", []),
    "blanks": (" \n ", []),
    "speech": ("Hello there.", said("Hello there.")),
    "speech trimmed": ("  Hello.\n", said("Hello.")),
    "runs of blanks": ("One  two \n\n three", said("One two\nthree")),
    "marker within a marker": ("Go <tool</s>call> on", said("Go <tool… call> on")),
    "marker within bars": ("a <</toolcall>|x|> b", said("a <… |x|> b")),
    "call within a marker": (f"<|<toolcall>{CALL}</toolcall>end|>", [Speech("<|"), STAY, Speech("… end|>")]),
    "less than": ("2 < 3 and a<b, <3 <- x", said("2 < 3 and a<b, <3 <- x")),
    "greater than": ("a > b", said("a > b")),
    "html": ("I <b>mean</b> it", said("I <b>mean</b> it")),
    "blanks that would close up": (f"a <tool{' ' * 60}call> b", said("a tool call> b")),
    "function form": ("a <function=give_item> b </function>", said("a b")),
    "long angle": ("<" + "s" * 60 + ">", said("<" + "s" * 60 + ">")),
    "ends in e": ("Welcome", said("Welcome")),
    "ends in extra": ("Something extra", said("Something extra")),
    "extra words": ("No extra_idea here", said("No extra_idea here")),
    "call": (f"<toolcall> {CALL} </toolcall>", [STAY]),
    "call without blanks": (f"<toolcall>{CALL}</toolcall>", [STAY]),
    "call after speech": (f"Fine.\n<toolcall> {CALL} </toolcall>", [Speech("Fine."), STAY]),
    "call before speech": (f"<toolcall> {CALL} </toolcall>\nFine.", [STAY, Speech("Fine.")]),
    "call between": (f"Well.\n<toolcall>{CALL}</toolcall>\nFine.", [Speech("Well."), STAY, Speech(" Fine.")]),
    "call inside a word": (f"Well<toolcall>{CALL}</toolcall>fine", [Speech("Well"), STAY, Speech(" fine")]),
    "call before a stop": (f"Well<toolcall>{CALL}</toolcall>.", [Speech("Well"), STAY, Speech(".")]),
    "two calls": (f"<toolcall>{CALL}</toolcall> <toolcall>{CALL}</toolcall>", [STAY, STAY]),
    "two in one": (f"<toolcall>{CALL}, {CALL}]}}</toolcall>", [STAY, STAY]),
    "upper case": (f"<ToolCall>{CALL}</TOOLCALL>", [STAY]),
    "blanks in markers": (f"< tool call >{CALL}< / toolcall\n>", [STAY]),
    "underscore": (f"<tool_call>{CALL}</tool-call>", [STAY]),
    "no closing": (f"Fine. <toolcall> {CALL}", [Speech("Fine."), STAY]),
    "closing cut off": (f"<toolcall> {CALL} </toolc", [STAY]),
    "next opening closes": (f"<toolcall> {CALL} <toolcall> {CALL} </toolcall>", [STAY, STAY]),
    "opening twice": (f"<toolcall><toolcall>{CALL}</toolcall>", [STAY]),
    "angle inside call": ('<toolcall>{"name": "give_item", "arguments": {"item": "a < b"}}</toolcall>', [GIVE]),
    "tag inside call": (
        '<toolcall>{"name": "f", "arguments": {"a": "<s> extra_id_1"}}</toolcall>',
        [ParsedCall("f", {"a": "<s> extra_id_1"})],
    ),
    "malformed": (
        "Hm. <toolcall> give sword </toolcall> Yes.",
        [
            Speech("Hm."),
            MalformedCall("give sword", "the call is not valid JSON: Expecting value: line 1 column 2 (char 1)"),
            Speech(" Yes."),
        ],
    ),
    "empty call": ("<toolcall> </toolcall>", [MalformedCall("", "there is no call between the markers")]),
    "opening cut off": (
        "Take it. <toolca",
        [Speech("Take it."), MalformedCall("<toolca", "the reply ended before the call began")],
    ),
    "opening alone": ("<toolcall>", [MalformedCall("", "there is no call between the markers")]),
    "ends in an angle": ("Take it <", said("Take it")),
    "closing alone": ("Fine.</toolcall> Good.", said("Fine. Good.")),
    "closing at the end": ("Fine. </toolcall>", said("Fine.")),
    "control token": ("Fine.<extra_id_1> Good.", said("Fine. Good.")),
    "control token inside a word": ("go<extra_id_7>od", said("go od")),
    "bare control token": ("Fine. extra_id_1", said("Fine.")),
    "bare control token between": ("Fine. EXTRA_ID_12 Good.", said("Fine. Good.")),
    "half a control token": ("Fine. extra_id_1> Good. extra_id_", said("Fine. Good.")),
    "spaced control token": ("Fine. < Extra_Id_1 >", said("Fine.")),
    "chatml token": ("Fine.<|im_end|>", said("Fine.")),
    "chatml token cut off": ("Fine.<|im_", said("Fine.")),
    "marker cut off before words": ("Fine. <|im_ That is all.", said("Fine. That is all.")),
    "end of sequence": ("<s>Fine.</s>", said("Fine.")),
    "context echoed": ("<context> The mill. </context>\nWell.", said("The mill. Well.")),
    "tool echoed": ("A <tool> B </tool>.", said("A B.")),
    "self closing": ("A <image/> B", said("A B")),
    "too long": (
        f"<toolcall>{'x' * (MAX_CALL_CHARS + 500)}</toolcall> Good.",
        [MalformedCall("x" * MAX_CALL_CHARS, f"the call is longer than {MAX_CALL_CHARS} characters"), Speech("Good.")],
    ),
    "a little too long": (
        f"<toolcall>{'x' * (MAX_CALL_CHARS + 1)}</toolcall> Good.",
        [MalformedCall("x" * MAX_CALL_CHARS, f"the call is longer than {MAX_CALL_CHARS} characters"), Speech("Good.")],
    ),
    "too long, then a call": (
        f"<toolcall>{'x' * (MAX_CALL_CHARS + 99)}<toolcall>{CALL}</toolcall>",
        [MalformedCall("x" * MAX_CALL_CHARS, f"the call is longer than {MAX_CALL_CHARS} characters"), STAY],
    ),
    "too long without end": (
        f"Hm.<toolcall>{'x' * (MAX_CALL_CHARS + 99)}",
        [Speech("Hm."), MalformedCall("x" * MAX_CALL_CHARS, f"the call is longer than {MAX_CALL_CHARS} characters")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "items"), NEMOTRON.values(), ids=NEMOTRON)
def test_text_gives_the_same_items_however_it_is_split(text: str, items: list[Item]) -> None:
    check_every_split(text, items)


_PIECES = st.sampled_from(
    ["<toolcall>", "</toolcall>", "< Tool_Call >", CALL, "<extra_id_1>", "extra_id_1", "<|im_end|>", "<s>", "</", "<",
     ">", "e", "ext", " ", "\n", ".", "Hello", "{", "]}", "<toolc", "|", "_", "1", "*", "**", "[", "]", "[TOOL_CALLS]",
     "<|python_tag|>", '{"', "name", ":", "\\", "[happy]", "*nods*", "[ARGS]", "7", ";"]
)  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=200)
@given(pieces=st.lists(_PIECES, max_size=14), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_text_in_any_chunks_gives_the_items_of_the_whole(name: str, pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    chunks = [text[start:end] for start, end in pairwise(ends)]
    assert parse(*chunks, name=name) == parse(text, name=name) == parse(*text, name=name)


@pytest.mark.parametrize("name", DIALECTS)
@given(pieces=st.lists(_PIECES, max_size=14))
def test_no_marker_and_no_json_is_ever_spoken(name: str, pieces: list[str]) -> None:
    for item in parse("".join(pieces), name=name):
        if isinstance(item, Speech):
            assert whole_marks(tool_format(name).markers, item.text) == []
            assert '{"' not in item.text
            assert item.text == item.text.strip() or item.text[0] == " "
        elif isinstance(item, Emote):
            assert whole_marks(tool_format(name).markers, item.text) == []


def test_speech_goes_out_at_once_where_nothing_can_be_a_marker() -> None:
    parser = StreamParser(tool_format("nemotron"))
    assert parser.feed("Good day") == [Speech("Good day")]
    assert parser.feed(", a <") == [Speech(", a")]
    assert parser.feed("b") == [Speech(" <b")]


def test_a_call_goes_out_with_its_closing_marker() -> None:
    parser = StreamParser(tool_format("nemotron"))
    assert parser.feed(f"<toolcall>{CALL}</toolcall") == []
    assert parser.feed(">") == [STAY]


def test_a_later_round_is_set_off_from_what_was_said() -> None:
    assert parse("\nThere.", is_continuing=True) == [Speech(" There.")]
    assert parse("There.", is_continuing=True) == [Speech(" There.")]
    assert parse(" ", is_continuing=True) == []


def test_the_buffer_stays_bounded_in_an_endless_call() -> None:
    parser = StreamParser(tool_format("nemotron"))
    parser.feed("<toolcall>")
    for _ in range(200):
        parser.feed("x" * 500)
        assert parser._buffer == ""
        assert len(vars(parser._reader)["_body"]) <= MAX_CALL_CHARS + 1


@pytest.mark.parametrize("text", ["{", "[", "[ {", "*word ", "[word ", "{ na", "{ ", "e", "<| "])
def test_the_buffer_stays_bounded_whatever_is_begun_and_never_ended(text: str) -> None:
    parser = StreamParser(tool_format("mistral"))
    for _ in range(300):
        parser.feed(text)
        assert len(parser._buffer) <= MAX_HELD_CHARS


def test_the_buffer_stays_bounded_before_a_marker_that_never_closes() -> None:
    parser = StreamParser(tool_format("nemotron"))
    for _ in range(300):
        parser.feed("< ")
        parser.feed("<|")
        assert len(parser._buffer) <= MAX_MARKER_CHARS


def test_markers_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="does not close"):
        MarkerFinder("<toolcall>", "</call>")


def test_a_call_without_end_is_not_searched_again_and_again() -> None:
    parser = StreamParser(tool_format("nemotron"))
    parser.feed("<toolcall>")
    with effort_below(1.0):  # a tenth of it; from the front each time it takes seconds
        for _ in range(MAX_CALL_CHARS // 3):
            parser.feed("<a ")
