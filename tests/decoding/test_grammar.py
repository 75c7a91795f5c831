"""What a constraint lets a model write, dialect by dialect, and what it does not."""

from __future__ import annotations

from typing import Any

import llguidance
import pytest

from npc_sdk.decoding.grammar import MAX_LIST_ITEMS, MAX_TEXT_CHARS, bounded, constraint_grammar
from npc_sdk.decoding.tool_formats.interface import CallFrame
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint

from .vocabulary import accepts, token_ids, vocabulary

TAGGED = CallFrame(before="<toolcall> ", after=" </toolcall>")
BARE = CallFrame(between="; ", arguments_key="parameters")
LISTED = CallFrame(lead="[TOOL_CALLS] [", between=", ", tail="]")


def tool(name: str, **properties: Any) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ToolSpec(name, "", schema)


GIVE = tool("give_item", item={"enum": ["sword", "iron nails"]})
WAVE = tool("wave")
BOTH = Constraint((GIVE, WAVE), chained=frozenset({"wave"}))


def given(item: str) -> str:
    return f'<toolcall> {{"name": "give_item", "arguments": {{"item": "{item}"}}}} </toolcall>'


WAVED = '<toolcall> {"name": "wave", "arguments": {}} </toolcall>'

TEXTS = {
    "silence": ("", True),
    "speech": ("Take it, and go. *smiles* [softly] Good-bye!", True),
    "speech and a call": (f"Here you are.\n{given('sword')}", True),
    "a call alone": (given("iron nails"), True),
    "two calls, the first of a tool that may be followed": (f"{WAVED}\n{given('sword')}", True),
    "two calls, the first of a tool that ends the run": (f"{given('sword')}\n{WAVED}", False),
    "speech after a call": (f"{WAVED}\nGood day.", False),
    "what stands between calls, after the last": (f"{WAVED}\n", True),
    "the same after a call that ends the run": (f"{given('sword')}\n", False),
    "a value that is not there now": (given("golden crown"), False),
    "a tool that may not be called": (WAVED.replace("wave", "bite"), False),
    "an argument too many": (given("sword").replace('"sword"', '"sword", "price": 3'), False),
    "no argument": (given("sword").replace('"item": "sword"', ""), False),
    "a marker that is not closed": (given("sword").removesuffix("</toolcall>"), False),
    "a marker in speech": ("I say </toolcall> to you.", False),
    "a control token written out": ("Hello <extra_id_1> there.", False),
    "JSON in speech": ('I hold {"item": "sword"} here.', False),
    "a list in speech": ("I hold [1, 2] here.", False),
}


@pytest.mark.parametrize(("text", "is_allowed"), TEXTS.values(), ids=TEXTS.keys())
def test_speech_then_valid_calls(text: str, is_allowed: bool) -> None:
    assert accepts(constraint_grammar(BOTH, TAGGED), text) == is_allowed


def test_a_required_call_may_have_a_few_words_before_it_and_must_come() -> None:
    grammar = constraint_grammar(Constraint((WAVE,), "required"), TAGGED)
    assert accepts(grammar, f"Hello!\n{WAVED}")
    assert accepts(grammar, WAVED)
    assert not accepts(grammar, "Hello!")
    assert not accepts(grammar, f"{'Well. ' * 20}{WAVED}")


@pytest.mark.parametrize("constraint", [Constraint((WAVE,), "none"), Constraint()], ids=["none", "no tools"])
def test_without_tools_there_is_only_speech(constraint: Constraint) -> None:
    grammar = constraint_grammar(constraint, TAGGED)
    assert accepts(grammar, "Good day.")
    assert not accepts(grammar, WAVED)


def test_speech_may_follow_where_it_is_asked_for() -> None:
    grammar = constraint_grammar(Constraint((WAVE,), speaks_after=True), TAGGED)
    assert accepts(grammar, f"Look.\n{WAVED}\nGood day.")


def test_so_many_calls_and_no_more() -> None:
    grammar = constraint_grammar(Constraint((WAVE,), chained=frozenset({"wave"}), max_calls=3), TAGGED)
    assert accepts(grammar, "\n".join([WAVED] * 3))
    assert not accepts(grammar, "\n".join([WAVED] * 4))


DIALECTS = {
    "bare objects": (BARE, '{"name": "wave", "parameters": {}}; {"name": "wave", "parameters": {}}'),
    "one list": (LISTED, '[TOOL_CALLS] [{"name": "wave", "arguments": {}}, {"name": "wave", "arguments": {}}]'),
}


@pytest.mark.parametrize(("frame", "calls"), DIALECTS.values(), ids=DIALECTS.keys())
def test_calls_are_written_as_the_dialect_writes_them(frame: CallFrame, calls: str) -> None:
    grammar = constraint_grammar(Constraint((WAVE,), chained=frozenset({"wave"})), frame)
    assert accepts(grammar, calls)
    assert accepts(grammar, f"Good day. {calls}")
    assert not accepts(grammar, calls[:-1])


def test_a_call_that_ends_the_run_leaves_nothing_to_write() -> None:
    for frame in (TAGGED, BARE, LISTED):
        matcher = llguidance.LLMatcher(vocabulary(), constraint_grammar(Constraint((WAVE,)), frame), log_level=0)
        key = frame.arguments_key
        text = f'{frame.lead}{frame.before}{{"name": "wave", "{key}": {{}}}}{frame.after}{frame.tail}'
        assert matcher.consume_tokens(token_ids(text))
        assert matcher.is_stopped()


def test_a_text_that_ends_replies_may_follow_speech_and_not_calls() -> None:
    grammar = constraint_grammar(Constraint((WAVE,)), TAGGED, ("<|im_end|>",))
    assert accepts(grammar, "Good day.<|im_end|>")
    assert accepts(grammar, "Good day.")
    assert not accepts(grammar, f"{WAVED}<|im_end|>")


def test_a_structured_reply_is_one_value_and_nothing_else() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    grammar = constraint_grammar(Constraint(json_schema=schema), TAGGED)
    assert accepts(grammar, '{"title": "The lost hammer"}')
    assert not accepts(grammar, 'Here: {"title": "The lost hammer"}')
    assert not accepts(grammar, '{"title": 3}')


OPEN_ENDS = {
    "text": ({"type": "string"}, f'"{"a" * MAX_TEXT_CHARS}"', f'"{"a" * (MAX_TEXT_CHARS + 1)}"'),
    "list": ({"type": "array"}, str([1] * MAX_LIST_ITEMS), str([1] * (MAX_LIST_ITEMS + 1))),
    "whole number": ({"type": "integer"}, str(2**53 - 1), str(2**53)),
    "number": ({"type": "number"}, "12.5", "1e400"),
    "anything": ({}, "true", '{"a": 1}'),
    "free map": ({"type": "object"}, '{"a": 1}', '{"</toolcall>": 1}'),
    "text with an end of a call": ({"type": "string"}, '"age > 3"', '"</toolcall>"'),
    "text of a length": ({"type": "string", "minLength": 2, "maxLength": 3}, '"abc"', '"abcd"'),
    "text too short": ({"type": "string", "minLength": 2}, '"ab"', '"a"'),
    "nested": ({"type": "array", "items": {"type": "array"}}, "[[1]]", str([[1] * (MAX_LIST_ITEMS + 1)])),
}


@pytest.mark.parametrize(("schema", "inside", "outside"), OPEN_ENDS.values(), ids=OPEN_ENDS.keys())
def test_what_an_author_leaves_open_has_an_end(schema: dict[str, Any], inside: str, outside: str) -> None:
    grammar = constraint_grammar(Constraint(json_schema=schema), TAGGED)
    assert accepts(grammar, inside)
    assert not accepts(grammar, outside)


OBJECT_A = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]}
OBJECT_B = {"type": "object", "properties": {"b": {"enum": [2]}}, "required": ["b"]}
JOINED: dict[str, tuple[dict[str, Any], str]] = {
    "all of two objects": ({"allOf": [OBJECT_A, OBJECT_B]}, '{"a": 1, "b": 2}'),
    "either required": (
        {"type": "object", "properties": {"a": {"enum": [1]}}, "anyOf": [{"required": ["a"]}]},
        '{"a": 1}',
    ),
    "one of": ({"oneOf": [OBJECT_A, OBJECT_B]}, '{"b": 2}'),
    "what cannot be kept to": ({"type": "array", "items": {"enum": [1]}, "uniqueItems": True}, "[1]"),
    "a format": ({"type": "string", "format": "no-such-format"}, '"x"'),
    "a parameter taken away": (
        {"type": "object", "properties": {"a": {"enum": [1]}, "b": False}, "additionalProperties": True},
        '{"a": 1}',
    ),
}


@pytest.mark.parametrize(("schema", "inside"), JOINED.values(), ids=JOINED.keys())
def test_what_can_be_satisfied_can_be_written(schema: dict[str, Any], inside: str) -> None:
    assert accepts(constraint_grammar(Constraint(json_schema=schema), TAGGED), inside)


def test_a_parameter_that_was_taken_away_cannot_be_written() -> None:
    schema = JOINED["a parameter taken away"][0]
    assert not accepts(constraint_grammar(Constraint(json_schema=schema), TAGGED), '{"a": 1, "b": 3}')


CLOSED: dict[str, dict[str, Any]] = {
    "enum": {"type": "string", "enum": ["a"]},
    "const": {"const": 3},
    "limits": {"type": "integer", "minimum": 1, "maximum": 9},
    "keys": {"type": "object", "properties": {"a": {"enum": [1]}}, "additionalProperties": False},
}


@pytest.mark.parametrize("schema", CLOSED.values(), ids=CLOSED.keys())
def test_what_an_author_closed_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert bounded(schema) == schema
