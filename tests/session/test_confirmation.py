"""Acts that the player must agree to: asked for, agreed, declined, answered too late or too early."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from npc_sdk.errors import RequestError, UnknownRequest
from npc_sdk.events import Event, ToolCall, ToolSettled
from npc_sdk.session import Session
from npc_sdk.session.call_desk import DECLINED

from .acting import meet, shape
from .stage import call, check_reply, end_of, hear, ignore, settled

PAY = call("take_coins", coins=9)


def agree(session: Session, event: ToolCall) -> None:
    session.confirm(event.call.call_id, True)
    session.tool_result(event.call.call_id, "accepted", {"left": 3})


def decline(session: Session, event: ToolCall) -> None:
    session.confirm(event.call.call_id, False)


def decline_because(session: Session, event: ToolCall) -> None:
    session.confirm(event.call.call_id, False, "Too dear.")


def refuse_unasked(session: Session, event: ToolCall) -> None:
    session.tool_result(event.call.call_id, "refused", "No purse.")


def agree_and_refuse(session: Session, event: ToolCall) -> None:
    session.confirm(event.call.call_id, True)
    session.tool_result(event.call.call_id, "refused", "No coins.")


ENDS: dict[str, tuple[Callable[[Session, ToolCall], None], str, object]] = {
    "agreed": (agree, "accepted", {"left": 3}),
    "declined": (decline, "refused", DECLINED),
    "declined with a reason": (decline_because, "refused", "Too dear."),
    "refused by the game first": (refuse_unasked, "refused", "No purse."),
    "agreed, and refused by the game": (agree_and_refuse, "refused", "No coins."),
    "never answered": (ignore, "timeout", "the player did not answer in time"),
}


@pytest.mark.parametrize(("answer", "status", "content"), ENDS.values(), ids=ENDS)
async def test_the_player_has_a_word_and_the_npc_hears_of_it(
    answer: Callable[[Session, ToolCall], None], status: str, content: object
) -> None:
    session, engine = meet([f"Nine coins. {PAY}", "Fine."], confirm_timeout_s=0.02)
    events = await hear(session, answer=answer)
    asked = [event for event in events if isinstance(event, ToolCall)]
    assert [event.needs_confirmation for event in asked] == [True]
    result = next(event.result for event in events if isinstance(event, ToolSettled))
    assert (result.status, result.content) == (status, content)
    assert engine.requests[1].messages[-1].tool_result == result
    assert end_of(events).text == "Nine coins. Fine."


async def test_other_calls_need_no_confirmation() -> None:
    session, _ = meet([call("take_item", item="egg"), "Fine."])
    async for event in session.say("Hello"):
        if isinstance(event, ToolCall):
            assert not event.needs_confirmation
            with pytest.raises(RequestError, match="needs no confirmation"):
                session.confirm(event.call.call_id, True)
            session.tool_result(event.call.call_id)


async def test_nothing_is_done_before_the_player_agreed_and_the_same_answer_twice_is_harmless() -> None:
    session, _ = meet([PAY, "Fine."])
    async for event in session.say("Hello"):
        if isinstance(event, ToolCall):
            with pytest.raises(RequestError, match="waits for the player"):
                session.tool_result(event.call.call_id)
            session.confirm(event.call.call_id, True)
            session.confirm(event.call.call_id, True)
            with pytest.raises(UnknownRequest):
                session.confirm(event.call.call_id, False)
            session.tool_result(event.call.call_id)
        if isinstance(event, ToolSettled):
            session.tool_result(event.result.call_id)
            session.confirm(event.result.call_id, True)
            assert event.result.status == "accepted"


async def test_a_declined_call_stays_declined() -> None:
    session, _ = meet([PAY, "Fine."])
    async for event in session.say("Hello"):
        if isinstance(event, ToolCall):
            session.confirm(event.call.call_id, False)
            session.confirm(event.call.call_id, False)
            with pytest.raises(UnknownRequest):
                session.confirm(event.call.call_id, True)
            with pytest.raises(UnknownRequest):
                session.tool_result(event.call.call_id)


@pytest.mark.parametrize("call_id", ["call-1", "call-9", ""])
async def test_a_call_that_is_not_open_cannot_be_confirmed(call_id: str) -> None:
    session, _ = meet("Fine.")
    with pytest.raises(UnknownRequest):
        session.confirm(call_id, True)
    await hear(session)
    with pytest.raises(UnknownRequest):
        session.confirm(call_id, True)


async def test_a_player_who_declined_is_not_asked_the_same_again_in_this_reply() -> None:
    session, _ = meet([PAY, PAY, "Fine.", PAY, "Well."])
    assert settled(await hear(session, answer=decline)) == [("take_coins", "refused"), ("take_coins", "invalid")]
    assert settled(await hear(session, answer=agree)) == [("take_coins", "accepted")]


async def test_the_player_has_longer_than_the_game_and_the_game_its_own_time_after_them() -> None:
    session, _ = meet([PAY, "Fine."], tool_timeout_s=0.02, confirm_timeout_s=30.0)

    def agree_and_forget(_session: Session, event: ToolCall) -> None:
        session.confirm(event.call.call_id, True)

    events = await hear(session, answer=agree_and_forget)
    assert [e.result.content for e in events if isinstance(e, ToolSettled)] == ["the game did not answer in time"]


async def test_what_waits_behind_a_declined_call_does_not_happen() -> None:
    session, _ = meet([PAY + call("take_item", item="egg"), "Fine."])
    events = await hear(session, answer=decline)
    assert shape(events)[:3] == ["take_coins?", "take_coins refused", "take_item invalid"]


@pytest.mark.parametrize("is_agreed", [False, True], ids=["before the player's word", "after it"])
async def test_a_cancel_ends_a_call_that_waits(is_agreed: bool) -> None:
    session, _ = meet([PAY, "Never said."])
    events: list[Event] = []
    async for event in session.say("Hello", request_id="r1"):
        events.append(event)
        if isinstance(event, ToolCall):
            if is_agreed:
                session.confirm(event.call.call_id, True)
            session.cancel("r1")
            with pytest.raises(UnknownRequest):
                session.tool_result(event.call.call_id)
    check_reply(events)
    assert settled(events) == [("take_coins", "timeout")]
    assert end_of(events).finish_reason == "cancelled"
