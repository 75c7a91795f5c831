"""Who is in the next step: the most urgent class, its replies together with one prompt, blocks for a bounded number."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.engine.local.block_pool import BlockPool, CacheShape
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.scheduler import Plan, Scheduler
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.requests import GenerateRequest, Priority

SHAPE = CacheShape(layers=1, kv_heads=1, head_dim=2, dtype=torch.float32, device=torch.device("cpu"))
POOL = BlockPool(SHAPE, 4)
TREE = PrefixCache(POOL, 0)


def _sequence(
    name: str, priority: Priority = Priority.PLAYER, arrived: float = 0.0, prompt: int = 3, **fields: Any
) -> Sequence:
    rules = EndRules(frozenset(), (), frozenset())
    request = GenerateRequest(name, (), priority=priority, **fields)
    detokenizer = Detokenizer(lambda ids: "x" * len(ids))
    one = Sequence(request, [1] * prompt, room=9, rules=rules, detokenizer=detokenizer, emit=lambda _item: None)
    one.clock.arrived = arrived
    return one


def _start(*sequences: Sequence, pending: int = 1) -> None:
    """Gives them blocks, with all but the last pending tokens in."""
    for one in sequences:
        one.lease = Lease(POOL, TREE, 0)
        one.lease.cache.length = len(one.tokens) - pending


def _scheduler(*sequences: Sequence, running: int = 8) -> Scheduler:
    scheduler = Scheduler(running, chunk_tokens=100, busy_chunk_tokens=10, ageing_s=5.0)
    for sequence in sequences:
        scheduler.add(sequence)
    return scheduler


def _plan(scheduler: Scheduler, now: float = 0.0) -> tuple[list[str], str | None]:
    """Names of the replies and of the prompt in the next step."""
    plan = scheduler.plan(now)
    assert plan is not None
    return [one.request.request_id for one in plan.decoding], plan.prefill and plan.prefill.request.request_id


def test_nobody_live_is_nobody_scheduled() -> None:
    assert Scheduler(1).plan(0.0) is None


def test_all_replies_and_one_prompt_share_a_step() -> None:
    a, b, c, d = (_sequence(name) for name in "abcd")
    scheduler = _scheduler(a, b, c, d)
    _start(a, c)
    assert _plan(scheduler) == (["a", "c"], "b")


def test_equal_prompts_come_in_order_of_arrival_and_one_begun_is_ended_first() -> None:
    a, b = _sequence("a"), _sequence("b", prompt=9)
    scheduler = _scheduler(a, b)
    assert _plan(scheduler) == ([], "a")
    _start(b, pending=4)
    assert _plan(scheduler) == ([], "b")


def test_a_prompt_that_somebody_may_wait_for_gets_smaller_chunks() -> None:
    a, b = _sequence("a"), _sequence("b")
    scheduler = _scheduler(a, b)
    alone = scheduler.plan(0.0)
    _start(a)
    beside = scheduler.plan(0.0)
    lower = _scheduler(_sequence("c", Priority.NEARBY)).plan(0.0)
    assert [plan and plan.chunk_tokens for plan in (alone, beside, lower)] == [100, 10, 10]


def test_a_more_urgent_class_steps_alone_and_the_other_keeps_its_blocks() -> None:
    ambient, player = _sequence("ambient", Priority.AMBIENT), _sequence("player")
    scheduler = _scheduler(ambient, player)
    _start(ambient)
    plan = scheduler.plan(0.0)
    assert plan == Plan((), player, 100, ())
    scheduler.remove(player)
    assert _plan(scheduler) == (["ambient"], None)


@pytest.mark.parametrize(
    ("now", "members"),
    [(4.9, ["player"]), (5.1, ["player", "nearby"]), (15.1, ["player", "nearby", "background"])],
)
def test_age_lifts_a_request_into_the_next_class(now: float, members: list[str]) -> None:
    classes = (Priority.PLAYER, Priority.NEARBY, Priority.BACKGROUND)
    sequences = [_sequence(str(one.name).lower(), one) for one in classes]
    scheduler = _scheduler(*sequences)
    _start(*sequences)
    assert _plan(scheduler, now)[0] == members


def test_no_more_than_the_limit_hold_blocks() -> None:
    a, b, c = (_sequence(name) for name in "abc")
    scheduler = _scheduler(a, b, c, running=2)
    _start(a, b)
    assert _plan(scheduler) == (["a", "b"], None)
    scheduler.remove(a)
    assert _plan(scheduler) == (["b"], "c")


def test_a_player_takes_the_place_of_the_least_important() -> None:
    background = _sequence("background", Priority.BACKGROUND)
    nearby = _sequence("nearby", Priority.NEARBY)
    scheduler = _scheduler(background, nearby, _sequence("player"), running=2)
    _start(background, nearby)
    plan = scheduler.plan(0.0)
    assert plan is not None
    assert (plan.prefill and plan.prefill.request.request_id, plan.preempted) == ("player", (background,))


def test_an_aged_newcomer_never_interrupts_its_equals() -> None:
    old, player = _sequence("old", Priority.AMBIENT, arrived=0.0), _sequence("player", arrived=20.0)
    scheduler = _scheduler(old, player, running=1)
    _start(player)
    assert _plan(scheduler, 20.0) == (["player"], None)


def test_a_player_never_waits_for_the_place_of_an_aged_one() -> None:
    old, player = _sequence("old", Priority.BACKGROUND, arrived=0.0), _sequence("player", arrived=20.0)
    scheduler = _scheduler(old, player, running=1)
    _start(old)
    plan = scheduler.plan(20.0)
    assert plan is not None
    assert (plan.members, plan.preempted) == ((player,), (old,))
    scheduler.max_running = 2
    assert _plan(scheduler, 20.0) == (["old"], "player")


def test_the_victim_is_the_least_urgent_holder_behind_the_one_in_need() -> None:
    player, nearby, idle = (
        _sequence("player"),
        _sequence("nearby", Priority.NEARBY),
        _sequence("idle", Priority.AMBIENT),
    )
    background = _sequence("background", Priority.BACKGROUND)
    scheduler = _scheduler(player, nearby, idle, background)
    _start(player, nearby, background)
    assert scheduler.victim(player, (), 0.0) is background
    assert scheduler.victim(player, (background,), 0.0) is nearby
    assert scheduler.victim(background, (), 0.0) is None


def test_of_those_that_wait_the_one_due_first_comes_first() -> None:
    relaxed, pressed = _sequence("relaxed"), _sequence("pressed", arrived=1.0, start_by_s=3.0)
    assert _plan(_scheduler(relaxed, pressed), 1.0) == ([], "pressed")
    later = _sequence("later", start_by_s=9.0)
    assert _plan(_scheduler(later, pressed), 1.0) == ([], "pressed")


def test_an_npc_that_had_much_waits_for_one_that_had_little() -> None:
    first, second = (_sequence(f"chatty {i}", npc_id="chatty") for i in range(2))
    quiet = _sequence("quiet", npc_id="quiet")
    scheduler = _scheduler(first, second, quiet)
    _start(first)
    scheduler.note_served(first, 50)
    assert _plan(scheduler) == (["chatty 0"], "quiet")


def test_an_npc_is_owed_nothing_for_its_silence() -> None:
    busy = _sequence("busy", npc_id="busy")
    scheduler = _scheduler(busy)
    scheduler.note_served(busy, 50)
    newcomer, again = _sequence("newcomer", npc_id="newcomer"), _sequence("again", npc_id="busy")
    for one in (newcomer, again):
        scheduler.add(one)
    scheduler.note_served(newcomer, 1)
    assert _plan(scheduler) == ([], "busy")


def test_only_a_more_urgent_class_goes_above_a_step() -> None:
    nearby, player = _sequence("nearby", Priority.NEARBY), _sequence("player")
    scheduler = _scheduler(nearby)
    assert scheduler.plan(0.0, above=Priority.NEARBY) is None
    scheduler.add(player)
    plan = scheduler.plan(0.0, above=Priority.NEARBY)
    assert plan is not None
    assert plan.members == (player,)


def test_the_members_of_a_step_under_way_are_out_of_every_plan() -> None:
    ambient, player = _sequence("ambient", Priority.AMBIENT), _sequence("player")
    scheduler = _scheduler(ambient, player, running=1)
    _start(ambient)
    with scheduler.hold([ambient]):
        plan = scheduler.plan(0.0)
        assert plan is not None
        assert (plan.members, plan.preempted) == ((player,), ())
        assert scheduler.free == (player,)
        assert scheduler.victim(player, (), 0.0) is None
    assert scheduler.victim(player, (), 0.0) is ambient
