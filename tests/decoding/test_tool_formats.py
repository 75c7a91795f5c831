"""What the tool dialects understand and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.errors import SettingsError

from .items import DIALECTS

GIVE = ParsedCall("give_item", {"item": "sword"})
STAY = ParsedCall("stay_here", {})


UNDERSTOOD = {
    "plain": ('{"name": "give_item", "arguments": {"item": "sword"}}', (GIVE,)),
    "blanks around": ('  \n {"name": "give_item", "arguments": {"item": "sword"}} \n', (GIVE,)),
    "pretty printed": (json.dumps({"name": "give_item", "arguments": {"item": "sword"}}, indent=4), (GIVE,)),
    "parameters": ('{"name": "give_item", "parameters": {"item": "sword"}}', (GIVE,)),
    "arguments first": ('{"arguments": {"item": "sword"}, "name": "give_item"}', (GIVE,)),
    "arguments as text": ('{"name": "give_item", "arguments": "{\\"item\\": \\"sword\\"}"}', (GIVE,)),
    "arguments left out": ('{"name": "stay_here"}', (STAY,)),
    "arguments null": ('{"name": "stay_here", "arguments": null}', (STAY,)),
    "arguments empty text": ('{"name": "stay_here", "arguments": ""}', (STAY,)),
    "blanks in the name": ('{"name": " stay_here "}', (STAY,)),
    "two joined by a comma": (
        '{"name": "stay_here"}, {"name": "give_item", "arguments": {"item": "sword"}}',
        (STAY, GIVE),
    ),
    "two joined by a semicolon": ('{"name": "stay_here"}; {"name": "stay_here"}', (STAY, STAY)),
    "two joined by a line": ('{"name": "stay_here"}\n{"name": "stay_here"}', (STAY, STAY)),
    "a list": ('[{"name": "stay_here"}, {"name": "give_item", "arguments": {"item": "sword"}}]', (STAY, GIVE)),
    "stray closers": ('{"name": "give_item", "arguments": {"item": "sword"}}]}', (GIVE,)),
    "stray closer and comma": ('{"name": "stay_here"}},', (STAY,)),
    "unicode": ('{"name": "give_item", "arguments": {"item": "Öl 火"}}', (ParsedCall("give_item", {"item": "Öl 火"}),)),
    "numbers": ('{"name": "f", "arguments": {"a": -3, "b": 1.5e2}}', (ParsedCall("f", {"a": -3, "b": 150.0}),)),
    "largest integer": ('{"name": "f", "arguments": {"a": 9223372036854775807}}', (ParsedCall("f", {"a": 2**63 - 1}),)),
}

REFUSED = {
    "nothing": ("", "no call between"),
    "blanks only": (" \n ", "no call between"),
    "brackets only": ("]}", "no call between"),
    "empty list": ("[]", "no call between"),
    "prose": ("give the sword", "not valid JSON"),
    "python": ("give_item(item='sword')", "not valid JSON"),
    "single quotes": ("{'name': 'stay_here'}", "not valid JSON"),
    "cut off": ('{"name": "give_item", "arguments": {"item": "sw', "not valid JSON"),
    "second cut off": ('{"name": "stay_here"}, {"name": "give', "not valid JSON"),
    "words after": ('{"name": "stay_here"} there you go', "not valid JSON"),
    "open list": ('[{"name": "stay_here"}', "not valid JSON"),
    "a number": ("7", "a call is an object"),
    "no name": ('{"arguments": {}}', "no name"),
    "empty name": ('{"name": " "}', "no name"),
    "name not text": ('{"name": 3}', "no name"),
    "another key": ('{"name": "f", "args": {}}', "'args'"),
    "both keys": ('{"name": "f", "arguments": {}, "parameters": {}}', "both"),
    "arguments a list": ('{"name": "f", "arguments": [1]}', "not an object"),
    "arguments text of a list": ('{"name": "f", "arguments": "[1]"}', "not an object"),
    "arguments prose": ('{"name": "f", "arguments": "sword"}', "not valid JSON"),
    "NaN": ('{"name": "f", "arguments": {"a": NaN}}', "NaN is not a number"),
    "infinity": ('{"name": "f", "arguments": {"a": -Infinity}}', "not a number"),
    "infinity spelt out": ('{"name": "f", "arguments": {"a": 1e999}}', "too large"),
    "infinity inside text": ('{"name": "f", "arguments": "{\\"a\\": Infinity}"}', "not a number"),
    "integer over 64 bits": ('{"name": "f", "arguments": {"a": 9223372036854775808}}', "too large"),
    "very long integer": ('{"name": "f", "arguments": {"a": ' + "9" * 5000 + "}}", "too large"),
    "key twice": ('{"name": "f", "name": "g"}', "twice"),
    "argument twice": ('{"name": "f", "arguments": {"a": 1, "a": 2}}', "twice"),
    "half a character": ('{"name": "f", "arguments": {"a": "\\ud800"}}', "half a character"),
    "half a character as key": ('{"name": "f", "arguments": {"\\udfff": 1}}', "half a character"),
    "half a character in a list": ('{"name": "f", "arguments": {"a": ["\\ud800"]}}', "half a character"),
    "half a character in the name": ('{"name": "\\ud800"}', "half a character"),
    "too deep": ('{"name": "f", "arguments": {"a": ' + "[" * 20 + "]" * 20 + "}}", "too deeply"),
    "deep enough to overflow": ("[" * 8000, "nested too deeply"),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(("body", "calls"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_a_tolerable_body_gives_its_calls(name: str, body: str, calls: tuple[ParsedCall, ...]) -> None:
    assert tool_format(name).parse(body) == calls


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_any_other_body_is_malformed_and_keeps_its_text(name: str, body: str, reason: str) -> None:
    parsed = tool_format(name).parse(body)
    assert isinstance(parsed, MalformedCall)
    assert reason in parsed.reason
    assert parsed.raw == body.strip()


@pytest.mark.parametrize(("name", "key"), [("mistral", "id"), ("llama3", "type")], ids=["Mistral's id", "Llama's type"])
def test_a_key_that_one_dialect_writes_besides_is_ignored_there_alone(name: str, key: str) -> None:
    body = json.dumps({"name": "stay_here", "arguments": {}, key: "x"})
    for dialect in DIALECTS:
        parsed = tool_format(dialect).parse(body)
        assert (parsed == (STAY,)) if dialect == name else isinstance(parsed, MalformedCall)


NAMED = {
    "plain": ('stay_here[ARGS]{"a": 1}', (ParsedCall("stay_here", {"a": 1}),)),
    "blanks": (' stay_here [ARGS] {"a": 1} ', (ParsedCall("stay_here", {"a": 1}),)),
    "lower case": ("stay_here[args]{}", (STAY,)),
    "null": ("stay_here[ARGS]null", None),
    "two objects": ("stay_here[ARGS]{}{}", None),
    "a list": ("stay_here[ARGS][1]", None),
    "no name": ("[ARGS]{}", None),
    "too large": ('f[ARGS]{"a": 1e999}', None),
}


@pytest.mark.parametrize(("body", "calls"), NAMED.values(), ids=NAMED)
def test_mistral_reads_a_name_before_its_arguments(body: str, calls: tuple[ParsedCall, ...] | None) -> None:
    parsed = tool_format("mistral").parse(body)
    assert (parsed == calls) if calls else isinstance(parsed, MalformedCall)


_LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_VALUES = st.recursive(
    _LEAVES | _TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=8
)


@given(arguments=st.dictionaries(_TEXT, _VALUES, max_size=4), is_ascii=st.booleans())
def test_every_json_object_survives_as_arguments(arguments: dict[str, Any], is_ascii: bool) -> None:
    body = json.dumps({"name": "f", "arguments": arguments}, ensure_ascii=is_ascii)
    assert tool_format("nemotron").parse(body) == (ParsedCall("f", arguments),)


@pytest.mark.parametrize("name", DIALECTS)
@given(body=st.text(alphabet='{}[]",:;\\ \nname arguments0123eE.-+NIfty[ARGS]\ud800', max_size=80))
def test_no_body_makes_the_parser_raise(name: str, body: str) -> None:
    parsed = tool_format(name).parse(body)
    assert isinstance(parsed, MalformedCall) or all(isinstance(call, ParsedCall) for call in parsed)


def test_a_dialect_nobody_wrote_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"'pythonic'.*nemotron, hermes, llama3, mistral"):
        tool_format("pythonic")
