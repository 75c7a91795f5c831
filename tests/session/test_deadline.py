"""Words that are worth saying only now: said in time, or not at all."""

from __future__ import annotations

from npc_sdk.engine.scripted import ScriptedEngine
from tests.own_time import in_own_time

from .stage import GIVE, accept, end_of, failure_of, hear, make_session, make_world


@in_own_time
async def test_words_that_come_too_late_are_dropped() -> None:
    engine = ScriptedEngine("One two three.", delay_s=0.05)
    session = make_world(engine).talk("mara")
    failure = failure_of(await hear(session, start_by_s=0.01))
    assert (failure.error.code, failure.text) == ("deadline_missed", "")
    assert len(session.history) == 1, "nothing was said, nothing is remembered"
    assert end_of(await hear(session, start_by_s=0.5)).text == "One two three."
    assert failure_of(await hear(session, start_by_s=0)).error.code == "bad_request"


@in_own_time
async def test_only_the_first_word_has_a_deadline() -> None:
    session, engine = make_session([GIVE, "There."])
    await hear(session, start_by_s=2, answer=accept)
    first, second = engine.requests
    assert first.start_by_s is not None
    assert 1 < first.start_by_s <= 2
    assert second.start_by_s is None
