"""Constrained replies on the local engine: the same words in any company, ends, limits, forced tokens in one step."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any

import pytest

from npc_sdk.decoding.stream_parser import StreamParser
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.decoding.tool_formats.nemotron import NemotronTools
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.errors import RequestError
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint, GenerateRequest

from .streams import Start, ask, assert_nobody_lives, collect


def tool(name: str, **properties: Any) -> ToolSpec:
    return ToolSpec(name, "", {"type": "object", "properties": properties, "required": list(properties)})


GIVE = tool("give", item={"enum": ["hat", "bell", "oak"]})
TELL = tool("tell", word={"type": "string", "maxLength": 6}, loud={"type": "boolean"})
WAVE = tool("wave")
CONSTRAINTS = {
    "free": None,
    "speech": Constraint(mode="none"),
    "auto": Constraint((GIVE, TELL)),
    "required": Constraint((TELL, WAVE), "required", frozenset({"wave"}), max_calls=3),
    "named": Constraint((GIVE,), "required"),
    "after": Constraint((WAVE,), "required", speaks_after=True),
    "json": Constraint(json_schema={"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}),
}


def asked(name: str, constraint: Constraint | None, **options: Any) -> GenerateRequest:
    return dataclasses.replace(ask(name, **options), constraint=constraint)


def calls_in(text: str) -> list[ParsedCall]:
    """The calls of a reply, in which there is nothing malformed."""
    parser = StreamParser(NemotronTools())
    items = [*parser.feed(text), *parser.finish()]
    assert not any(isinstance(item, MalformedCall) for item in items), text
    return [item for item in items if isinstance(item, ParsedCall)]


async def alone(start: Start, **limits: Any) -> dict[str, str]:
    """Every constraint's reply, one after the other."""
    engine = start(limits=Limits(**limits))
    return {name: (await collect(engine, asked(name, one)))[0] for name, one in CONSTRAINTS.items()}


async def test_replies_of_mixed_grammars_in_one_batch_are_those_of_each_alone(start: Start) -> None:
    expected = await alone(start)
    for limits in ({}, {"chunk_tokens": 8, "busy_chunk_tokens": 8}, {"draft_tokens": 0}, {"running": 3}):
        engine = start(limits=Limits(**limits))
        done = await asyncio.gather(*(collect(engine, asked(name, one)) for name, one in CONSTRAINTS.items()))
        assert {name: text for name, (text, _) in zip(CONSTRAINTS, done, strict=True)} == expected, limits
        assert max(engine.stats().batch_sizes) > 2
        await assert_nobody_lives(engine)


async def test_a_reused_prefix_changes_no_constrained_reply(start: Start) -> None:
    engine = start()
    first = [await collect(engine, asked(f"{name}-1", one)) for name, one in CONSTRAINTS.items()]
    second = [await collect(engine, asked(f"{name}-2", one)) for name, one in CONSTRAINTS.items()]
    assert [text for text, _ in first] == [text for text, _ in second]
    assert all(end.usage.cached_tokens for _, end in second)


async def test_required_and_named_calls_come_and_are_valid(start: Start) -> None:
    replies = await alone(start)
    (named,) = calls_in(replies["named"])
    assert named.name == "give"
    assert named.arguments["item"] in ("hat", "bell", "oak")
    assert calls_in(replies["required"])
    assert not calls_in(replies["speech"])


async def test_forced_tokens_take_no_pass_of_their_own(start: Start) -> None:
    passes = {}
    for is_fast in (True, False):
        engine = start(limits=Limits(fast_forward=is_fast, draft_tokens=0))
        text, end = await collect(engine, asked("r", CONSTRAINTS["named"], max_new_tokens=100))
        assert calls_in(text)
        await assert_nobody_lives(engine)
        (stats,) = engine.stats().requests
        assert (stats.forced_tokens > 0) == is_fast
        assert stats.mask_s > 0
        passes[is_fast] = engine.stats().steps / end.usage.completion_tokens
    assert passes[True] < 0.5 * passes[False]


async def test_a_call_that_has_begun_is_completed_past_the_limit(start: Start) -> None:
    engine = start()
    text, end = await collect(engine, asked("r", CONSTRAINTS["named"], max_new_tokens=2))
    assert len(calls_in(text)) == 1
    assert end.finish_reason == "stop"
    assert end.usage.completion_tokens > 2


async def test_speech_ends_at_the_limit(start: Start) -> None:
    text, end = await collect(start(), asked("r", CONSTRAINTS["speech"], max_new_tokens=5))
    assert end.finish_reason in ("length", "stop")
    assert end.usage.completion_tokens <= 5
    assert "<" not in text


async def test_a_full_window_ends_a_call_too(start: Start) -> None:
    endless = Constraint((tool("tell", words={"type": "string", "minLength": 250}),), "required")
    engine = start(context_tokens=64)
    _, end = await collect(engine, asked("r", endless, max_new_tokens=8))
    assert end.finish_reason == "length"
    await assert_nobody_lives(engine)


async def test_a_constraint_that_cannot_be_compiled_ends_the_request_alone(start: Start) -> None:
    engine = start()
    with pytest.raises(RequestError, match="minimum"):
        await collect(engine, asked("bad", Constraint(json_schema={"type": "integer", "minimum": 5, "maximum": 3})))
    text, _ = await collect(engine, asked("bad", CONSTRAINTS["named"]))
    assert calls_in(text)


async def test_a_tool_that_cannot_be_written_is_left_out_alone(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    nothing = tool("nothing", count={"type": "integer", "minimum": 5, "maximum": 3})
    engine = start()
    text, _ = await collect(engine, asked("r", Constraint((nothing, GIVE), "required")))
    assert [call.name for call in calls_in(text)] == ["give"]
    with pytest.raises(RequestError, match="nothing"):
        await collect(engine, asked("s", Constraint((nothing,), "required")))
    with caplog.at_level(logging.WARNING):
        text, _ = await collect(engine, asked("t", Constraint((nothing,))))
    assert not calls_in(text)
    assert "'nothing'" in caplog.text


async def test_a_cancelled_constrained_reply_ends_once(start: Start) -> None:
    engine = start()
    stream = engine.stream(asked("r", CONSTRAINTS["speech"], max_new_tokens=60))
    await anext(stream)  # type: ignore[call-overload]
    engine.cancel("r")
    items = [item async for item in stream]
    assert items[-1].finish_reason in ("cancelled", "stop", "length")  # type: ignore[union-attr]
    await assert_nobody_lives(engine)


async def test_a_reply_cancelled_while_its_grammar_is_compiled_says_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start()
    masks = engine._masks
    begin = masks.start

    async def slow(constraint: Constraint) -> Any:
        engine.cancel("r")
        return await begin(constraint)

    monkeypatch.setattr(masks, "start", slow)
    text, end = await collect(engine, asked("r", CONSTRAINTS["named"]))
    assert (text, end.finish_reason) == ("", "cancelled")


async def test_seeded_replies_repeat_with_and_without_drafts(start: Start) -> None:
    replies = []
    for drafts in (0, 7):
        engine: LocalEngine = start(limits=Limits(draft_tokens=drafts))
        options = {"temperature": 1.0, "seed": 3, "max_new_tokens": 60}
        replies.append([(await collect(engine, asked(name, one, **options)))[0] for name, one in CONSTRAINTS.items()])
    assert replies[0] == replies[1]
