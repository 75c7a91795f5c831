"""Whatever a model writes and whatever game and player answer: what holds for every reply that acts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.events import Event, ReplyFinished, ToolCall, ToolSettled
from npc_sdk.session import Session

from .acting import HOLDS, make_market
from .stage import call, check_reply

WRITTEN = st.sampled_from(
    ["Well. ", "*nods*", "[happy] ", call("take_item", item="egg"), call("take_item", item="ham"), call("fly"),
     call("give_item", item="rope"), call("give_item", item="crown"), call("wave", to="Pip"), call("wave", to="Wren"),
     call("bark", how="loud"), call("bark", how="softly"), call("take_coins", coins=3), call("take_coins", coins=4),
     call("nap"), call("dawdle"), "<toolcall> oops </toolcall>", "<toolcall>", '{"name": "nap"}']
)  # fmt: skip
ANSWERS = st.sampled_from(["accept", "refuse", "ignore", "decline", "agree", "agree and refuse", "cancel"])
PARALLEL = {"wave", "bark"}


def react(session: Session, event: ToolCall, answer: str, agreed: set[str]) -> None:
    call_id = event.call.call_id
    if answer == "cancel":
        session.cancel("r1")
    elif event.needs_confirmation and answer in ("agree", "agree and refuse", "decline"):
        session.confirm(call_id, answer != "decline")
        if answer != "decline":
            agreed.add(call_id)
            session.tool_result(call_id, "accepted" if answer == "agree" else "refused")
    elif answer in ("refuse", "agree and refuse", "decline") or (answer != "ignore" and event.needs_confirmation):
        session.tool_result(call_id, "refused")
    elif answer != "ignore":
        session.tool_result(call_id)


def check_acts(events: Sequence[Event], agreed: set[str]) -> None:
    """Calls in their order and within quotas and live values; nothing that needs the player without them."""
    open_ids: set[str] = set()
    barks = 0
    for event in events:
        if isinstance(event, ToolCall):
            name, arguments = event.call.name, event.call.arguments
            assert name in PARALLEL or not open_ids, "a call that does not run beside others came beside one"
            assert name != "fly"
            assert name != "give_item" or arguments["item"] in HOLDS
            barks += name == "bark"
            open_ids.add(event.call.call_id)
        elif isinstance(event, ToolSettled):
            open_ids.discard(event.result.call_id)
            is_paid = (event.result.name, event.result.status) == ("take_coins", "accepted")
            assert not is_paid or event.result.call_id in agreed
    assert barks <= 1
    assert not open_ids


@settings(max_examples=150, deadline=None)
@given(
    rounds=st.lists(st.lists(WRITTEN, max_size=6), min_size=1, max_size=6),
    answers=st.lists(ANSWERS, max_size=16),
    cancel_at=st.none() | st.integers(0, 20),
    fault=st.none() | st.integers(0, 60),
)
def test_every_script_acts_in_order_and_ends_once(
    rounds: list[list[str]], answers: list[str], cancel_at: int | None, fault: int | None
) -> None:
    replies, waiting = iter(["".join(pieces) for pieces in rounds]), iter(answers)
    engine = ScriptedEngine(lambda _request: next(replies, ""), fail_after=fault)

    async def talk() -> None:
        world = make_market(engine, tool_timeout_s=0.001, confirm_timeout_s=0.002)
        session = world.talk("ilse")
        events: list[Event] = []
        agreed: set[str] = set()
        is_cancelled = False
        async for event in session.say("Hello", request_id="r1"):
            assert not (is_cancelled and isinstance(event, ToolCall))
            events.append(event)
            if isinstance(event, ToolCall):
                answer = next(waiting, "refuse")
                is_cancelled |= answer == "cancel"
                react(session, event, answer, agreed)
            if len(events) - 1 == cancel_at:
                is_cancelled = True
                session.cancel("r1")
        check_reply(events)
        check_acts(events, agreed)
        assert not engine._running
        assert "{" not in events[-1].text  # type: ignore[union-attr]
        assert fault is not None or isinstance(events[-1], ReplyFinished)

    asyncio.run(talk())
