"""Calls in order and side by side, quotas, live values: what reaches the game, when, and what of it is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.events import Event, ToolCall, ToolSettled
from npc_sdk.messages import ToolResult
from npc_sdk.session.call_desk import STALE

from .acting import make_market, meet, shape
from .stage import accept, call, check_reply, end_of, hear, ignore, refuse, settled

TAKE, TAKE_TOO = call("take_item", item="egg"), call("take_item", item="ham")
WAVE, WAVE_TOO = call("wave", to="Robin"), call("wave", to="Pip")
NAP = call("nap")

ORDERS = {
    "one after the other": ([TAKE, TAKE_TOO], ["take_item?", "take_item accepted"] * 2),
    "side by side": ([WAVE, WAVE_TOO], ["wave?", "wave?", "wave accepted", "wave accepted"]),
    "the last one waits": ([WAVE, WAVE_TOO, TAKE], ["wave?"] * 2 + ["wave accepted"] * 2 + ["take_item?"]),
    "none overtakes": ([TAKE, NAP, WAVE], ["take_item?", "take_item accepted", "nap?", "wave?", "nap accepted"]),
    "beside one that went": ([TAKE, WAVE], ["take_item?", "wave?", "take_item accepted", "wave accepted"]),
}


@pytest.mark.parametrize(("calls", "expected"), ORDERS.values(), ids=ORDERS)
async def test_calls_come_in_their_order_and_wait_as_declared(calls: list[str], expected: list[str]) -> None:
    session, _ = meet(["".join(calls), "Done."])

    def soon(_session: object, event: ToolCall) -> None:
        asyncio.get_running_loop().call_soon(session.tool_result, event.call.call_id)

    events = await hear(session, answer=soon)
    assert shape(events)[: len(expected)] == expected
    assert [status for _, status in settled(events)] == ["accepted"] * len(calls)


async def test_calls_side_by_side_are_settled_in_their_order_however_they_are_answered() -> None:
    session, engine = meet([WAVE + WAVE_TOO, "Both."])
    asked: list[str] = []
    results: list[ToolResult] = []
    async for event in session.say("Hello"):
        if isinstance(event, ToolCall):
            asked.append(event.call.call_id)
            if len(asked) == 2:
                session.tool_result(asked[1], "refused", "He is gone.")
                session.tool_result(asked[0])
        if isinstance(event, ToolSettled):
            results.append(event.result)
    assert [(result.call_id, result.status) for result in results] == [(asked[0], "accepted"), (asked[1], "refused")]
    assert [message.tool_result for message in engine.requests[1].messages[-2:]] == results


@pytest.mark.parametrize(
    ("answer", "first"), [(refuse, "refused"), (ignore, "timeout")], ids=["refused", "not answered"]
)
async def test_what_was_to_come_after_an_act_that_failed_does_not_happen(answer: Any, first: str) -> None:
    session, engine = meet([TAKE + TAKE_TOO, TAKE_TOO, "So be it."], tool_timeout_s=0.02)
    answers = iter([answer, accept])
    events = await hear(session, answer=lambda s, e: next(answers)(s, e))
    assert settled(events) == [("take_item", first), ("take_item", "invalid"), ("take_item", "accepted")]
    assert sum(isinstance(event, ToolCall) for event in events) == 2
    assert STALE in str(engine.requests[1].messages)


async def test_calls_side_by_side_do_not_hang_on_each_other() -> None:
    session, _ = meet([WAVE + WAVE_TOO, "So be it."])
    events = await hear(session, answer=refuse)
    assert settled(events) == [("wave", "refused"), ("wave", "refused")]


async def test_a_call_that_waited_is_checked_again_by_the_state_of_its_turn() -> None:
    world = make_market(ScriptedEngine([call("give_item", item="rope") + call("give_item", item="lamp"), "Hm."]))
    session = world.talk("ilse")

    def give_all(_session: object, event: ToolCall) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, world.set_state, {"holds": ["knife"]}, "ilse")
        loop.call_later(0.02, session.tool_result, event.call.call_id)

    events = await hear(session, answer=give_all)
    assert shape(events)[:3] == ["give_item?", "give_item accepted", "give_item invalid"]
    assert "knife" in str([event.result.content for event in events if isinstance(event, ToolSettled)][1])


async def test_each_round_is_bound_to_what_the_game_reported_last() -> None:
    engine = ScriptedEngine([call("give_item", item="rope"), call("give_item", item="rope"), "None left."])
    world = make_market(engine)
    session = world.talk("ilse")

    def hand_over(_session: object, event: ToolCall) -> None:
        world.set_state({"holds": ["lamp"]}, "ilse")
        session.tool_result(event.call.call_id)

    events = await hear(session, answer=hand_over)
    assert settled(events) == [("give_item", "accepted"), ("give_item", "invalid")]
    constraints = [request.constraint for request in engine.requests]
    items = [
        spec.parameters["properties"]["item"]["enum"]
        for constraint in constraints
        if constraint is not None
        for spec in constraint.tools
        if spec.name == "give_item"
    ]
    assert [sorted(values) for values in items[:2]] == [["lamp", "rope"], ["lamp"]]
    texts = [[segment.text for segment in request.segments] for request in engine.requests]
    assert texts[1][: len(texts[0]) - 1] == texts[0][:-1], "the prompt's front is the same in all rounds"


async def test_a_tool_has_its_own_time() -> None:
    session, _ = meet([call("dawdle"), "Strange."], tool_timeout_s=3600)
    assert settled(await hear(session, answer=ignore)) == [("dawdle", "timeout")]


async def test_a_quota_of_a_reply_holds_for_the_reply() -> None:
    barks = [call("bark", how="loud"), call("bark", how="softly"), "Woof."]
    session, engine = meet([*barks, *barks])
    for _ in range(2):
        events = await hear(session)
        assert settled(events) == [("bark", "accepted"), ("bark", "invalid")]
        assert "once in one reply" in str([event for event in events if isinstance(event, ToolSettled)][1])
    second = engine.requests[1].constraint
    assert second is not None
    assert "bark" not in [spec.name for spec in second.tools]


async def test_a_quota_holds_within_a_run_too() -> None:
    session, _ = meet([call("bark", how="loud") + call("bark", how="softly"), "Woof."])
    assert sorted(settled(await hear(session))) == [("bark", "accepted"), ("bark", "invalid")]


async def test_a_cooldown_holds_across_sessions_and_is_in_the_trace() -> None:
    world = make_market(ScriptedEngine([NAP, "Ah.", NAP, "Not yet."]))
    assert settled(await hear(world.talk("ilse", player="Robin"))) == [("nap", "accepted")]
    assert settled(await hear(world.talk("ilse", player="Wren"))) == [("nap", "invalid")]
    out = {part.name: part.why for part in world.preview("ilse", "Hello").trace.dropped if part.kind == "call"}
    assert list(out) == ["nap"]
    assert "again in" in out["nap"]


async def test_a_refused_call_counts_and_an_invalid_one_does_not() -> None:
    session, _ = meet([call("bark", how=3), call("bark", how="loud"), call("bark", how="once more"), "Hm."])
    assert [status for _, status in settled(await hear(session, answer=refuse))] == ["invalid", "refused", "invalid"]


def test_a_tool_whose_values_the_game_has_not_told_is_out_and_the_trace_says_so() -> None:
    world = make_market(ScriptedEngine("Hm."))
    for holds in (None, []):
        world.set_state({"holds": holds}, "ilse")
        preview = world.preview("ilse", "Hello")
        out = {part.name: part.why for part in preview.trace.parts if part.kind == "call" and not part.is_in}
        assert list(out) == ["give_item"]
        assert "holds" in out["give_item"]
        assert "give_item" in [tool.name for tool in preview.tools], "it stays declared: the prefix holds"
    told = world.preview("ilse", "Hello", state={"holds": ["rope"]})
    assert not [part for part in told.trace.parts if part.kind == "call"]


async def test_a_run_may_chain_parallel_calls_without_a_quota_only() -> None:
    session, engine = meet("Hm.")
    await hear(session)
    constraint = engine.requests[0].constraint
    assert constraint is not None
    assert (constraint.mode, constraint.chained) == ("auto", {"wave"})
    assert [spec.name for spec in constraint.tools] == [spec.name for spec in engine.requests[0].tools]


async def test_a_run_without_tools_is_bound_to_speech() -> None:
    session, engine = meet([TAKE, "Enough."], tool_rounds=1)
    await hear(session)
    last = engine.requests[1].constraint
    assert last is not None
    assert (last.mode, last.tools, engine.requests[1].tools) == ("none", (), ())


BAD = {
    "malformed": "<toolcall> give it </toolcall>",
    "not a tool": call("sing"),
    "not its own": call("fly"),
    "not held": call("give_item", item="crown"),
}


@pytest.mark.parametrize("written", BAD.values(), ids=BAD)
@pytest.mark.parametrize("repair_rounds", [0, 1, 2])
async def test_a_model_that_cannot_write_calls_ends_in_speech(written: str, repair_rounds: int) -> None:
    session, engine = meet(lambda _request: f"Well. {written} Never mind.", repair_rounds=repair_rounds, tool_rounds=9)
    events = await hear(session)
    assert [status for _, status in settled(events)] == ["invalid"] * (repair_rounds + 2)
    assert len(engine.requests) == repair_rounds + 2
    assert end_of(events).text.endswith("Well. Never mind.")
    assert end_of(events).finish_reason == "tool_limit"


async def test_a_round_in_which_one_call_passed_is_no_fault() -> None:
    calls = [f"{call('sing', n=number)}{call('take_item', item=str(number))}" for number in range(4)]
    session, _ = meet([*calls, "Done."], repair_rounds=0)
    assert [status for _, status in settled(await hear(session))].count("accepted") == 4


async def test_a_cancel_leaves_nothing_half_done_and_what_waited_never_reaches_the_game() -> None:
    session, _ = meet([WAVE + TAKE + TAKE_TOO, "Never said."])
    events: list[Event] = []
    async for event in session.say("Hello", request_id="r1"):
        events.append(event)
        if isinstance(event, ToolCall):
            asyncio.get_running_loop().call_later(0.01, session.cancel, "r1")
    check_reply(events)
    assert shape(events) == ["wave?", "wave timeout", "take_item invalid", "take_item invalid", "ReplyFinished"]
    assert end_of(events).finish_reason == "cancelled"
    kept = [call.name for message in session.history for call in message.tool_calls]
    assert kept == ["wave"], "only what reached the game is remembered"


async def test_a_cancel_at_any_event_tells_each_call_once() -> None:
    script = [WAVE + WAVE_TOO + TAKE + TAKE_TOO, call("take_coins", coins=3) + NAP, "Done."]
    whole = await hear(meet([*script])[0], answer=_agree)
    for position in range(len(whole) - 1):
        session, _ = meet([*script])
        events: list[Event] = []
        async for event in session.say("Hello", request_id="r1"):
            events.append(event)
            if len(events) - 1 == position:
                session.cancel("r1")
            elif isinstance(event, ToolCall):
                _agree(session, event)
        check_reply(events)
        assert not [e for e in events[position + 1 :] if isinstance(e, ToolCall)], position
        assert end_of(events).finish_reason == "cancelled"


def _agree(session: Any, event: ToolCall) -> None:
    if event.needs_confirmation:
        session.confirm(event.call.call_id, True)
    session.tool_result(event.call.call_id)
