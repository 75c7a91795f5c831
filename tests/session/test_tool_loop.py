"""Calls reach the game only when they may, are settled once, and the same reply goes on with the answer."""

from __future__ import annotations

import asyncio

import pytest

from npc_sdk.errors import RequestError, UnknownRequest
from npc_sdk.events import Sentence, TextDelta, ToolCall, ToolSettled, Usage
from npc_sdk.messages import ToolResult
from npc_sdk.requests import MAX_CALLS_A_RUN
from npc_sdk.session.call_desk import UNREADABLE

from .stage import GIVE, accept, call, end_of, failure_of, hear, ignore, make_session, refuse, settled


async def test_an_accepted_call_goes_on_as_the_same_reply() -> None:
    session, engine = make_session([f"Here you are.\n{GIVE}", "Take care of it."])
    events = await hear(session, "A sword, please.")
    kinds = [type(event).__name__ for event in events if not isinstance(event, TextDelta)]
    assert kinds == ["Sentence", "ToolCall", "ToolSettled", "Sentence", "ReplyFinished"]
    assert end_of(events).text == "Here you are. Take care of it."
    assert end_of(events).finish_reason == "stop"
    second = engine.requests[1].messages
    assert [message.role for message in second[-3:]] == ["user", "assistant", "tool"]
    assert second[-2].text == "Here you are."
    assert second[-2].tool_calls[0].arguments == {"item": "sword"}
    assert second[-1].tool_result == ToolResult("call-1", "give_item", "accepted", {"done": "give_item"})


async def test_a_refusal_reaches_the_model_with_its_reason() -> None:
    session, engine = make_session([GIVE, "I have none."])
    events = await hear(session, answer=refuse)
    assert settled(events) == [("give_item", "refused")]
    assert "You do not hold it." in "".join(segment.text for segment in engine.requests[1].segments)
    assert end_of(events).text == "I have none."


async def test_the_prompt_of_a_later_round_begins_with_the_earlier_one() -> None:
    session, engine = make_session([f"Here.\n{GIVE}", "Good."])
    await hear(session, "The mill?")
    first, second = ("".join(segment.text for segment in request.segments) for request in engine.requests)
    assert second.startswith(first.removesuffix("<extra_id_1>Assistant\n"))


async def test_a_game_that_does_not_answer_times_out() -> None:
    session, engine = make_session([GIVE, "Strange."], tool_timeout_s=0.02)
    events = await hear(session, answer=ignore)
    assert settled(events) == [("give_item", "timeout")]
    assert end_of(events).text == "Strange."
    assert len(engine.requests) == 2


async def test_a_late_or_second_or_unknown_answer_is_refused_and_the_same_one_again_is_not() -> None:
    session, _ = make_session([GIVE, GIVE.replace("sword", "axe"), "Done.", "Aye."], tool_timeout_s=0.02)
    with pytest.raises(UnknownRequest, match="call-1"):
        session.tool_result("call-1")
    async for event in session.say("Hello"):
        if isinstance(event, ToolSettled):
            with pytest.raises(UnknownRequest):
                session.tool_result(event.result.call_id)
        if isinstance(event, ToolCall) and event.call.call_id == "call-2":
            session.tool_result("call-2", "refused")
            session.tool_result("call-2", "refused")
            with pytest.raises(UnknownRequest):
                session.tool_result("call-2", "accepted")
            with pytest.raises(UnknownRequest):
                session.tool_result("call-9")
    session.tool_result("call-2", "refused")
    with pytest.raises(UnknownRequest):
        session.tool_result("call-2")
    assert settled(await hear(session, "Again?")) == [], "only a session's last reply is remembered"
    with pytest.raises(UnknownRequest):
        session.tool_result("call-2", "refused")


@pytest.mark.parametrize(
    ("content", "words"),
    [(float("nan"), "nan"), ("x" * 5000, "4096"), ({1: 2}, "not text"), ({"a"}, "set"), ("\ud800", "half")],
    ids=["nan", "too long", "key", "set", "surrogate"],
)
async def test_an_answer_that_is_no_json_is_refused_and_the_call_stays_open(content: object, words: str) -> None:
    session, _ = make_session([GIVE, "Done."])
    async for event in session.say("Hello"):
        if isinstance(event, ToolCall):
            with pytest.raises(RequestError, match=words):
                session.tool_result(event.call.call_id, "accepted", content)  # type: ignore[arg-type]
            with pytest.raises(RequestError, match="perhaps"):
                session.tool_result(event.call.call_id, "perhaps")  # type: ignore[arg-type]
            session.tool_result(event.call.call_id)
    assert session.history[-1].text == "Done."


INVALID = {
    "unknown tool": (call("fly"), "fly", "there is no tool 'fly'; your tools: give_item, sell_item"),
    "misspelt tool": (call("give_items", item="x"), "give_items", "did you mean give_item?"),
    "another's tool": (call("stay_here"), "stay_here", "you may not use the tool 'stay_here'"),
    "argument missing": (call("give_item"), "give_item", "'item' is a required property"),
    "argument unknown": (call("give_item", item="x", to="me"), "give_item", "no argument 'to'; it takes: item"),
    "wrong type": (call("sell_item", item="x", price="9"), "sell_item", "price: '9' is not of type 'integer'"),
    "out of range": (call("sell_item", item="x", price=0), "sell_item", "less than the minimum"),
    "unreadable": ("<toolcall> give sword </toolcall>", UNREADABLE, "not valid JSON"),
    "NaN": ('<toolcall> {"name": "sell_item", "arguments": {"price": NaN}} </toolcall>', UNREADABLE, "NaN"),
}


@pytest.mark.parametrize(("written", "name", "reason"), INVALID.values(), ids=INVALID)
async def test_an_invalid_call_never_reaches_the_game_but_is_answered(written: str, name: str, reason: str) -> None:
    session, engine = make_session([f"Wait.\n{written}", "Sorry."])
    events = await hear(session)
    assert not [event for event in events if isinstance(event, ToolCall)]
    result = next(event.result for event in events if isinstance(event, ToolSettled))
    assert (result.name, result.status) == (name, "invalid")
    assert reason in str(result.content)
    assert engine.requests[1].messages[-1].tool_result == result
    assert end_of(events).text == "Wait. Sorry."
    assert [message.role for message in session.history] == ["assistant", "user", "assistant", "assistant"]


async def test_an_accepted_call_repeated_in_the_reply_is_invalid() -> None:
    session, _ = make_session([GIVE, GIVE, "There."])
    events = await hear(session)
    assert settled(events) == [("give_item", "accepted"), ("give_item", "invalid")]


async def test_the_same_call_twice_in_one_round_reaches_the_game_once() -> None:
    session, _ = make_session([GIVE + GIVE, "There."])
    events = await hear(session)
    assert settled(events) == [("give_item", "invalid"), ("give_item", "accepted")]


async def test_a_refused_call_may_be_tried_again_and_another_reply_may_repeat_an_accepted_one() -> None:
    answers = iter([refuse, accept, accept])
    session, _ = make_session([GIVE, GIVE, "There.", GIVE, "Again."])
    events = await hear(session, answer=lambda s, e: next(answers)(s, e))
    assert settled(events) == [("give_item", "refused"), ("give_item", "accepted")]
    assert settled(await hear(session, answer=lambda s, e: next(answers)(s, e))) == [("give_item", "accepted")]


async def test_at_the_limit_tools_are_withheld_and_the_last_round_only_speaks() -> None:
    calls = [call(item=f"item {number}") for number in range(3)]
    session, engine = make_session([calls[0], calls[1], f"Enough. {calls[2]} Bye."], tool_rounds=2)
    events = await hear(session)
    assert settled(events) == [("give_item", "accepted"), ("give_item", "accepted"), ("give_item", "invalid")]
    assert end_of(events).finish_reason == "tool_limit"
    assert end_of(events).text == "Enough. Bye."
    assert [bool(request.tools) for request in engine.requests] == [True, True, False]
    declared = [segment.text.count("<tool>") for segment in engine.requests[2].segments]
    assert sum(declared) == 2, "they stay declared, so that the cached prefix holds"


async def test_without_tool_rounds_no_tool_is_offered_and_none_reaches_the_game() -> None:
    session, engine = make_session(f"Well. {GIVE}", tool_rounds=0)
    events = await hear(session)
    assert settled(events) == [("give_item", "invalid")]
    assert end_of(events).finish_reason == "stop"
    assert engine.requests[0].tools == ()


async def test_silence_after_a_call_is_a_good_end() -> None:
    session, _ = make_session([GIVE, ""])
    events = await hear(session)
    assert end_of(events).text == ""
    assert [message.role for message in session.history] == ["assistant", "user", "assistant", "tool"]


async def test_words_after_a_call_wait_for_the_game() -> None:
    session, engine = make_session([f"Let me see. {GIVE} It is yours now.", "I have none."])
    events = await hear(session, answer=refuse)
    assert end_of(events).text == "Let me see. I have none."
    assert "yours" not in str(engine.requests[1].messages)


async def test_more_calls_than_a_round_takes_are_invalid() -> None:
    many = "".join(call(item=f"item {number}") for number in range(MAX_CALLS_A_RUN + 2))
    session, _ = make_session([many, "Phew."])
    events = await hear(session)
    assert [status for _, status in settled(events)].count("invalid") == 2
    assert sum(isinstance(event, ToolCall) for event in events) == MAX_CALLS_A_RUN


async def test_call_ids_are_unique_in_the_session() -> None:
    session, _ = make_session([GIVE, "One.", "<toolcall> x </toolcall>", "Two.", GIVE, "Three."])
    told = [e.result.call_id for _ in range(3) for e in await hear(session) if isinstance(e, ToolSettled)]
    assert told == ["call-1", "call-2", "call-3"]


async def test_an_answer_may_come_later_from_another_task() -> None:
    session, _ = make_session([GIVE, "Done."])

    def later(_session: object, event: ToolCall) -> None:
        asyncio.get_running_loop().call_later(0.01, session.tool_result, event.call.call_id, "accepted", None)

    assert settled(await hear(session, answer=later)) == [("give_item", "accepted")]


async def test_usage_is_summed_over_the_rounds_and_times_are_told() -> None:
    session, engine = make_session([f"Here you are. {GIVE}", "Take care."])
    end = end_of(await hear(session))
    prompts = sum(engine.count_tokens(request.segments) for request in engine.requests)
    assert end.usage == Usage(prompts, 0, len(f"Here you are. {GIVE} Take care.".split()))
    assert 0 < end.timings.first_token_s <= end.timings.total_s


async def test_sentences_number_through_all_rounds_and_come_before_the_call() -> None:
    session, _ = make_session([f"Well. Here you are\n{GIVE}", "Good. Bye."])
    events = await hear(session)
    sentences = [event for event in events if isinstance(event, Sentence)]
    assert [(event.index, event.text) for event in sentences] == list(
        enumerate(["Well.", "Here you are", "Good.", "Bye."])
    )
    assert events.index(sentences[1]) < next(i for i, event in enumerate(events) if isinstance(event, ToolCall))


async def test_a_prompt_that_tool_answers_make_too_long_fails_the_reply_and_keeps_what_was_heard() -> None:
    session, engine = make_session([f"Look.\n{GIVE}", "Never said."])
    engine._info = type(engine.info)("small", 330, "nemotron", "nemotron")

    def flood(_session: object, event: ToolCall) -> None:
        session.tool_result(event.call.call_id, "accepted", "word " * 400)

    events = await hear(session, answer=flood)
    assert failure_of(events).error.code == "prompt_too_long"
    assert failure_of(events).text == "Look."
    assert [message.role for message in session.history] == ["assistant", "user", "assistant", "tool"]
