"""A reply that is one JSON value: valid for its schema, never spoken, never remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineError, RequestError
from npc_sdk.events import Event, Structured
from npc_sdk.session.structured import MAX_SCHEMAS, schema_fault
from tests.effort import effort_below

from .stage import GIVE, end_of, failure_of, hear, make_session, make_world, prompt_of

ENTRY: dict[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "reward": {"type": "integer", "minimum": 0}},
    "required": ["title", "reward"],
    "additionalProperties": False,
}
GOOD = {"title": "The lost ring", "reward": 5}
WORDS = "Note down what we agreed on."

READ: dict[str, tuple[str, dict[str, Any], Any]] = {
    "an object": (json.dumps(GOOD), ENTRY, GOOD),
    "blanks around it": (f"\n  {json.dumps(GOOD, indent=2)}\n", ENTRY, GOOD),
    "a fence around it": (f"```json\n{json.dumps(GOOD)}\n```", ENTRY, GOOD),
    "a list": ('["rope", "lamp"]', {"type": "array", "items": {"enum": ["rope", "lamp"]}}, ["rope", "lamp"]),
    "a text with a marker": ('"<toolcall>"', {"type": "string"}, "<toolcall>"),
    "nothing": ("null", {"type": ["null", "string"]}, None),
}


@pytest.mark.parametrize(("written", "schema", "value"), READ.values(), ids=READ)
async def test_the_value_is_the_whole_of_the_reply(written: str, schema: dict[str, Any], value: object) -> None:
    session, engine = make_session(written)
    events = await hear(session, WORDS, json_schema=schema)
    assert [event.value for event in events if isinstance(event, Structured)] == [value]
    assert [type(event).__name__ for event in events] == ["Structured", "ReplyFinished"]
    assert (end_of(events).text, end_of(events).finish_reason) == ("", "stop")
    assert end_of(events).usage.completion_tokens > 0
    constraint = engine.requests[0].constraint
    assert constraint is not None
    assert (constraint.json_schema, engine.requests[0].tools) == (schema, ())
    told = engine.requests[0].messages[-1].contexts[-1]
    assert yaml.safe_load(told.partition("nothing else.")[2]) == schema, "a model that nobody constrains must be told"
    assert told.strip() in prompt_of(engine.requests[0])


async def test_nobody_hears_it_so_nobody_remembers_it() -> None:
    session, engine = make_session([json.dumps(GOOD), "Aye."])
    before = session.history
    await hear(session, WORDS, json_schema=ENTRY)
    assert session.history == before
    await hear(session, "Well?")
    assert GOOD["title"] not in prompt_of(engine.requests[1])
    assert WORDS not in prompt_of(engine.requests[1])


WRONG = {
    "speech": ("I will note it down.", "not JSON"),
    "a call": (GIVE, "not JSON"),
    "cut short": ('{"title": "The lo', "not JSON"),
    "two values": (f"{json.dumps(GOOD)} {json.dumps(GOOD)}", "not JSON"),
    "NaN": ('{"title": "x", "reward": NaN}', "NaN is no number"),
    "too deep": ("[" * 40 + "]" * 40, "nested too deeply"),
    "far too deep": ("[" * 100_000, "not JSON"),
    "a huge number": ('{"title": "x", "reward": 123456789012345678901234567890}', "too large"),
    "half a character": ('{"title": "\\ud800", "reward": 1}', "half a character"),
    "a field missing": ('{"title": "x"}', "'reward' is a required property"),
    "a field too many": ('{"title": "x", "reward": 1, "more": 2}', "more"),
    "out of range": ('{"title": "x", "reward": -1}', "reward: -1 is less than the minimum"),
    "nothing at all": ("", "not JSON"),
}


@pytest.mark.parametrize(("written", "reason"), WRONG.values(), ids=WRONG)
async def test_what_is_no_such_value_is_tried_again_and_the_model_reads_why(written: str, reason: str) -> None:
    session, engine = make_session([written, json.dumps(GOOD)])
    events = await hear(session, WORDS, json_schema=ENTRY)
    assert [event.value for event in events if isinstance(event, Structured)] == [GOOD]
    assert reason in engine.requests[1].messages[-1].contexts[-1]
    assert engine.requests[1].segments[:4] == engine.requests[0].segments[:4]


@pytest.mark.parametrize("repair_rounds", [0, 2])
async def test_a_model_that_cannot_write_it_fails_the_reply_after_so_many_tries(repair_rounds: int) -> None:
    session, engine = make_session(lambda _request: "No.", repair_rounds=repair_rounds)
    failure = failure_of(await hear(session, WORDS, json_schema=ENTRY))
    assert type(failure.error) is EngineError
    assert "not JSON" in failure.error.message
    assert failure.text == ""
    assert len(engine.requests) == 1 + repair_rounds
    assert len(session.history) == 1


REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([], "is a list"),
    "a reference": ({"$ref": "http://example.org/schema"}, "$ref"),
    "a reference inside": ({"type": "array", "items": {"$ref": "#"}}, "$ref"),
    "a pattern": ({"type": "string", "pattern": "(a+)+$"}, "pattern"),
    "an unknown key": ({"typ": "string"}, "typ"),
    "no type": ({"type": "text"}, "text"),
    "not a schema": ({"type": "string", "minLength": "two"}, "minLength"),
    "the state's values": ({"type": "object", "properties": {"item": {"from": "state.holds"}}}, "from"),
    "too long": ({"type": "string", "enum": ["x" * 9000]}, "8,000"),
    "not JSON": ({"type": "string", "enum": [{1, 2}]}, "set"),
    "a wide choice": ({"anyOf": [{}] * 1900}, "more than 64 schemas"),
    "one schema too many": ({"properties": {f"p{at}": {} for at in range(MAX_SCHEMAS)}}, "more than 64 schemas"),
    "plain yes and no": ({"properties": {f"{at}": at % 2 > 0 for at in range(500)}}, "more than 64 schemas"),
    "a tree": ({"anyOf": [{"allOf": [{}] * 8}] * 8}, "more than 64 schemas"),
    "a wide aside": ({"contentSchema": {"anyOf": [{}] * 1900}}, "more than 64 schemas"),
    "the state's values, aside": ({"contentSchema": {"from": "state.holds"}}, "of no meaning"),
}


COSTLY: dict[str, dict[str, Any]] = {
    "as many schemas as there may be": {"properties": {f"p{at}": {"minLength": 1} for at in range(MAX_SCHEMAS - 1)}},
    "far too many": {"anyOf": [{}] * 1900},
    "far too many aside": {"contentSchema": {"anyOf": [{}] * 1900}},
    "far too many, in one word each": {"dependentSchemas": {f"{at}": True for at in range(500)}},
    "many names": {"required": [f"n{at}" for at in range(800)]},
    "many values": {"enum": [[at] for at in range(900)]},
    "too long by far": {"enum": list(range(19_000))},
}


@pytest.mark.parametrize("schema", COSTLY.values(), ids=COSTLY)
def test_a_schema_is_judged_within_the_time_of_a_frame(schema: dict[str, Any]) -> None:
    schema_fault({"type": "object"})  # the schema of schemas is read once
    with effort_below(0.05):
        schema_fault(schema)


_META = Draft202012Validator(Draft202012Validator.META_SCHEMA)
_VOCABULARY = {
    keyword
    for uri in REGISTRY
    if "/2020-12/" in uri
    for keyword in REGISTRY.contents(uri).get("properties", ())  # type: ignore[union-attr]
}
_WRONG = {"minLength": -1}
_SHAPES: tuple[Callable[[Any], Any], ...] = (lambda part: part, lambda part: [part], lambda part: {"a": part})


def _looks_into(schema: Any) -> bool:
    """Whether the schema of schemas finds what is wrong with the part."""
    errors = list(_META.iter_errors(schema))
    for error in errors:
        errors += error.context or ()
    return any("minLength" in error.absolute_path and error.validator == "minimum" for error in errors)


_HOLDS = {
    keyword: shape for keyword in sorted(_VOCABULARY) for shape in _SHAPES if _looks_into({keyword: shape(_WRONG)})
}


@pytest.mark.parametrize(("keyword", "shape"), _HOLDS.items(), ids=_HOLDS)
def test_every_part_that_is_checked_is_counted_or_refused(keyword: str, shape: Callable[[Any], Any]) -> None:
    fault = schema_fault({keyword: shape({"anyOf": [{}] * MAX_SCHEMAS})})
    assert fault is not None
    assert "more than 64 schemas" in fault.message or keyword in fault.message


def test_those_parts_are_known() -> None:
    assert {"not", "anyOf", "$defs", "contentSchema", "patternProperties", "dependencies"} <= _HOLDS.keys()


def test_as_many_schemas_as_there_may_be_are_taken() -> None:
    assert schema_fault(COSTLY["as many schemas as there may be"]) is None


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=REFUSED)
async def test_a_schema_that_is_none_or_costly_is_refused(schema: Any, words: str) -> None:
    session, engine = make_session("Never written.")
    failure = failure_of(await hear(session, WORDS, json_schema=schema))
    assert type(failure.error) is RequestError
    assert words in str(failure.error)
    assert not engine.requests


async def test_a_value_and_a_call_cannot_be_asked_for_together() -> None:
    session, _ = make_session("Never written.")
    failure = failure_of(await hear(session, WORDS, json_schema=ENTRY, tool_choice="give_item"))
    assert "beside a json_schema" in str(failure.error)


async def test_a_cancel_ends_it_without_a_value() -> None:
    engine = ScriptedEngine(json.dumps(GOOD), delay_s=0.01)
    session = make_world(engine).talk("mara")
    asyncio.get_running_loop().call_later(0.005, session.cancel, "r1")
    events: list[Event] = await hear(session, WORDS, json_schema=ENTRY, request_id="r1")
    assert [type(event).__name__ for event in events] == ["ReplyFinished"]
    assert end_of(events).finish_reason == "cancelled"
