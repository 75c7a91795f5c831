"""How calls begin and end in each dialect, and what becomes of those that have lost their markers."""

from __future__ import annotations

import pytest

from npc_sdk.decoding.stream_parser import Item, Speech, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.decoding.tool_formats.reader import MAX_CALL_CHARS

from .items import DIALECTS, check_every_split, parse, said

CALL = '{"name": "stay_here", "arguments": {}}'
GIVE_CALL = '{"name": "give_item", "parameters": {"item": "a } \\" b"}}'
STAY = ParsedCall("stay_here", {})
GIVE = ParsedCall("give_item", {"item": 'a } " b'})
UNMARKED = "JSON is not spoken, and the markers of a call are missing"
NOTHING = MalformedCall("", "there is no call between the markers")
TOO_LONG = f"the call is longer than {MAX_CALL_CHARS} characters"


def bad(raw: str, reason: str) -> MalformedCall:
    return MalformedCall(raw, reason)


LLAMA3: dict[str, tuple[str, list[Item]]] = {
    "call": (GIVE_CALL, [GIVE]),
    "call after speech": (f"Here.\n{GIVE_CALL}", [Speech("Here."), GIVE]),
    "call before speech": (f'{GIVE_CALL}\n"There."', [GIVE, Speech('"There."')]),
    "call between": (f"Here. {GIVE_CALL} There.", [Speech("Here."), GIVE, Speech(" There.")]),
    "two calls": (f"{GIVE_CALL}; {CALL}", [GIVE, STAY]),
    "two calls, a comma": (f"{GIVE_CALL}, {CALL}", [GIVE, STAY]),
    "two calls, nothing between": (f"{GIVE_CALL}{CALL}", [GIVE, STAY]),
    "list": (f"[{GIVE_CALL}, {CALL}]", [GIVE, STAY]),
    "stray closers": (f"{CALL}]}}; There.", [STAY, Speech("There.")]),
    "tag": (f"<|python_tag|>{CALL}", [STAY]),
    "tag, blanks and case": (f"<| Python_Tag |> {CALL} Fine.", [STAY, Speech("Fine.")]),
    "tag twice": (f"<|python_tag|><|python_tag|>{CALL}", [STAY]),
    "tag between": (f"{CALL}<|python_tag|>{CALL}", [STAY, STAY]),
    "tag in a text": (
        '{"name": "f", "parameters": {"a": "<|python_tag|>"}}',
        [ParsedCall("f", {"a": "<|python_tag|>"})],
    ),
    "type copied": ('{"type": "function", "name": "stay_here", "parameters": {}}', [STAY]),
    "pretty printed": ('{\n  "name": "stay_here",\n  "parameters": {}\n}', [STAY]),
    "Python": (
        '<|python_tag|>brave_search.call(query="x")',
        [bad('brave_search.call(query="x")', "the call is not valid JSON: Expecting value: line 1 column 1 (char 0)")],
    ),
    "tag alone": ("Fine. <|python_tag|>", [Speech("Fine."), NOTHING]),
    "tag cut off": ("Fine. <|pyth", [Speech("Fine."), bad("<|pyth", "the reply ended before the call began")]),
    "another token cut off": ("Fine. <|eot_", said("Fine.")),
    "cut off": (
        'Fine. {"name": "stay_he',
        [
            Speech("Fine."),
            bad(
                '{"name": "stay_he',
                "the call is not valid JSON: Unterminated string starting at: line 1 column 10 (char 9)",
            ),
        ],
    ),
    "no call": ('{"mood": 1} Fine.', [bad('{"mood": 1}', "a call has only a name and arguments, not 'mood'"),
                                       Speech("Fine.")]),
    "another dialect's markers": (f"<tool_call>{CALL}</tool_call> Fine.", [STAY, Speech("Fine.")]),
    "Mistral's": (f"[TOOL_CALLS] [{CALL}] Fine.", [STAY, Speech("Fine.")]),
    "too long": (f'{{"a": "{"x" * 9000}"}} Fine.', [bad(('{"a": "' + "x" * 9000)[:MAX_CALL_CHARS], TOO_LONG),
                                                  Speech("Fine.")]),
}  # fmt: skip

MISTRAL: dict[str, tuple[str, list[Item]]] = {
    "call": (f"[TOOL_CALLS] [{CALL}]", [STAY]),
    "no blank": (f"[TOOL_CALLS][{CALL}]", [STAY]),
    "call after speech": (f"Here.[TOOL_CALLS] [{CALL}]", [Speech("Here."), STAY]),
    "trailing text": (f"[TOOL_CALLS] [{CALL}]\n\nThere.", [STAY, Speech("There.")]),
    "two calls": (f"[TOOL_CALLS] [{CALL}, {GIVE_CALL}]", [STAY, GIVE]),
    "an object": (f"[TOOL_CALLS] {CALL} There.", [STAY, Speech("There.")]),
    "id": ('[TOOL_CALLS] [{"name": "stay_here", "arguments": {}, "id": "abc123def"}]', [STAY]),
    "blanks and case": (f"[ tool calls ] [{CALL}]", [STAY]),
    "stray closers": (f"[TOOL_CALLS] [{CALL}]]}}", [STAY]),
    "closing": (f"[TOOL_CALLS] [{CALL}] [/TOOL_CALLS] There.", [STAY, Speech("There.")]),
    "marker twice": (f"[TOOL_CALLS] [TOOL_CALLS] [{CALL}]", [STAY]),
    "marker in a text": (
        '[TOOL_CALLS] [{"name": "f", "arguments": {"a": "[TOOL_CALLS] ["}}]',
        [ParsedCall("f", {"a": "[TOOL_CALLS] ["})],
    ),
    "named": ('[TOOL_CALLS]give_item[ARGS]{"item": "a"} There.', [ParsedCall("give_item", {"item": "a"}),
                                                               Speech("There.")]),
    "named with id": ("[TOOL_CALLS]stay_here[CALL_ID]a1b2[ARGS]{}", [STAY]),
    "named, its marker left out": ('[TOOL_CALLS]give_item{"item": "a"}', [ParsedCall("give_item", {"item": "a"})]),
    "two named": ("[TOOL_CALLS]a[ARGS]{}[TOOL_CALLS]b[ARGS]{}", [ParsedCall("a", {}), ParsedCall("b", {})]),
    "named, no object": (
        "[TOOL_CALLS]give_item[ARGS]",
        [bad("give_item[ARGS]", "the call is not valid JSON: Expecting value: line 1 column 1 (char 0)")],
    ),
    "named, broken": (
        "[TOOL_CALLS]give_item[ARGS]{item: 1} There.",
        [
            bad(
                "give_item[ARGS]{item: 1}",
                "the call is not valid JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)",
            ),
            Speech("There."),
        ],
    ),
    "no call, then one": (
        f"[TOOL_CALLS] hm [TOOL_CALLS] [{CALL}]",
        [bad("hm", "the call is not valid JSON: Expecting value: line 1 column 2 (char 1)"), STAY],
    ),
    "empty list": ("[TOOL_CALLS] [] There.", [bad("[]", "there is no call between the markers"), Speech("There.")]),
    "marker alone": ("Fine. [TOOL_CALLS]", [Speech("Fine."), NOTHING]),
    "marker cut off": ("Fine. [TOOL_CA", [Speech("Fine."), bad("[TOOL_CA", "the reply ended before the call began")]),
    "cut off": (
        "[TOOL_CALLS] [{",
        [
            bad(
                "[{",
                "the call is not valid JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 4 (char 3)",
            )
        ],
    ),
    "control markers": ("[INST] Fine. [/INST] Good [TOOL_RESULTS] day.[AVAILABLE_TOOLS]", said("Fine. Good day.")),
    "too long without JSON": (f"[TOOL_CALLS]{'x' * 9000}", [bad("x" * MAX_CALL_CHARS, TOO_LONG)]),
}  # fmt: skip

BARE: dict[str, tuple[str, list[Item]]] = {
    "call": (f"Here. {CALL} There.", [Speech("Here."), bad(CALL, UNMARKED), Speech(" There.")]),
    "list": (f"[{CALL}, {CALL}]", [bad(f"[{CALL}, {CALL}]", UNMARKED)]),
    "any object": ('{"mood": "sad"} Well.', [bad('{"mood": "sad"}', UNMARKED), Speech("Well.")]),
    "blanks": ('{ \n "name": 1} Well.', [bad('{ \n "name": 1}', UNMARKED), Speech("Well.")]),
    "many blanks": (f'{{{" " * 90}"name": 1}} Well.', [bad(f'{{{" " * 90}"name": 1}}', UNMARKED), Speech("Well.")]),
    "single quotes": ("{'name': 'f'} Well.", [bad("{'name': 'f'}", UNMARKED), Speech("Well.")]),
    "printed quotes": ("{“name”: 1} Well.", [bad("{“name”: 1}", UNMARKED), Speech("Well.")]),
    "no quotes": ("{name: f} Well.", [bad("{name: f}", UNMARKED), Speech("Well.")]),
    "escaped": ('{\\"name\\": 1', [bad('{\\"name\\": 1', UNMARKED)]),
    "empty": ("{} Well.", [bad("{}", UNMARKED), Speech("Well.")]),
    "cut off": ('Well. {"name": "f', [Speech("Well."), bad('{"name": "f', UNMARKED)]),
    "cut off early": ("Well. {", said("Well. {")),
    "a word": ("Say {name} and {names: x}.", said("Say {name} and {names: x}.")),
    "braces torn by a marker": ('{<s>"name": 1}', said('{… "name": 1}')),
}

OURS = {"nemotron": f"<toolcall> {CALL} </toolcall>", "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
        "mistral": f"[TOOL_CALLS] [{CALL}]"}  # fmt: skip


@pytest.mark.parametrize(("text", "items"), LLAMA3.values(), ids=LLAMA3)
def test_llama3_calls_are_json_wherever_it_stands(text: str, items: list[Item]) -> None:
    check_every_split(text, items, "llama3")


@pytest.mark.parametrize(("text", "items"), MISTRAL.values(), ids=MISTRAL)
def test_mistral_calls_follow_their_marker(text: str, items: list[Item]) -> None:
    check_every_split(text, items, "mistral")


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(("text", "items"), BARE.values(), ids=BARE)
def test_json_without_markers_is_neither_spoken_nor_a_call(name: str, text: str, items: list[Item]) -> None:
    check_every_split(text, items, name)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("other", OURS)
def test_only_a_dialects_own_markers_make_a_call(name: str, other: str) -> None:
    is_own = name == other or "mistral" not in (name, other)  # <toolcall> and <tool_call> are one to a tolerant reader
    (item,) = parse(OURS[other], name=name)
    assert item == STAY if is_own else isinstance(item, MalformedCall)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_reads_what_its_frame_writes(name: str) -> None:
    frame = tool_format(name).frame
    calls = [f'{{"name": "{call}", "{frame.arguments_key}": {{"a": 1}}}}' for call in ("f", "g")]
    written = frame.between.join(f"{frame.before}{call}{frame.after}" for call in calls)
    text = f"Well. {frame.lead}{written}{frame.tail} Good."
    items = [Speech("Well."), ParsedCall("f", {"a": 1}), ParsedCall("g", {"a": 1}), Speech(" Good.")]
    check_every_split(text, items, name)


def test_a_call_of_json_goes_out_once_the_next_character_shows_that_it_is_whole() -> None:
    parser = StreamParser(tool_format("llama3"))
    assert parser.feed(CALL) == []
    assert parser.feed("; ") == []
    assert parser.feed("F") == [STAY, Speech("F")]
