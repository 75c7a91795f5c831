"""Who steps next: priority first, turns among equals, caches for a bounded number."""

from __future__ import annotations

import torch

from npc_sdk.decoding.detokenize import Detokenizer
from npc_sdk.engine.local.kv_cache import CacheShape, KVCache
from npc_sdk.engine.local.scheduler import Scheduler
from npc_sdk.engine.local.sequence import EndRules, Sequence
from npc_sdk.requests import GenerateRequest, Priority

SHAPE = CacheShape(layers=1, kv_heads=1, head_dim=2, dtype=torch.float32, device=torch.device("cpu"))


def _sequence(name: str, priority: Priority = Priority.PLAYER) -> Sequence:
    rules = EndRules(frozenset(), (), frozenset())
    request = GenerateRequest(name, (), priority=priority)
    detokenizer = Detokenizer(lambda ids: "x" * len(ids))
    return Sequence(request, [1], room=9, rules=rules, detokenizer=detokenizer, emit=lambda _item: None)


def _steps(scheduler: Scheduler, count: int) -> list[str]:
    """Names in the order of their steps; each gets a cache at its first, as the runner would give it."""
    names = []
    for _ in range(count):
        schedule = scheduler.schedule()
        assert schedule is not None
        if schedule.preempted is not None:
            schedule.preempted.cache = None
        schedule.sequence.cache = schedule.sequence.cache or KVCache(SHAPE)
        names.append(schedule.sequence.request.request_id)
    return names


def _filled(scheduler: Scheduler, *sequences: Sequence) -> Scheduler:
    for sequence in sequences:
        scheduler.add(sequence)
    return scheduler


def test_equals_take_turns() -> None:
    scheduler = _filled(Scheduler(8), _sequence("a"), _sequence("b"), _sequence("c"))
    assert _steps(scheduler, 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_newcomer_joins_the_turns() -> None:
    scheduler = _filled(Scheduler(8), _sequence("a"), _sequence("b"))
    assert _steps(scheduler, 2) == ["a", "b"]
    scheduler.add(_sequence("c"))
    assert sorted(_steps(scheduler, 3)) == ["a", "b", "c"]


def test_a_higher_priority_goes_first_until_it_ends() -> None:
    ambient, player = _sequence("ambient", Priority.AMBIENT), _sequence("player")
    scheduler = _filled(Scheduler(8), ambient)
    assert _steps(scheduler, 1) == ["ambient"]
    scheduler.add(player)
    assert _steps(scheduler, 2) == ["player", "player"]
    scheduler.remove(player)
    assert _steps(scheduler, 1) == ["ambient"]


def test_no_more_than_the_limit_hold_caches() -> None:
    sequences = [_sequence(name) for name in "abc"]
    scheduler = _filled(Scheduler(2), *sequences)
    assert _steps(scheduler, 6) == ["a", "b", "a", "b", "a", "b"]
    scheduler.remove(sequences[0])
    assert _steps(scheduler, 3) == ["c", "b", "c"]


def test_a_player_takes_the_place_of_the_least_important() -> None:
    background = _sequence("background", Priority.BACKGROUND)
    nearby = _sequence("nearby", Priority.NEARBY)
    scheduler = _filled(Scheduler(2), background, nearby)
    nearby.cache = background.cache = KVCache(SHAPE)
    scheduler.add(_sequence("player"))
    schedule = scheduler.schedule()
    assert schedule is not None
    assert (schedule.sequence.request.request_id, schedule.preempted) == ("player", background)


def test_nobody_live_is_nobody_scheduled() -> None:
    assert Scheduler(1).schedule() is None
