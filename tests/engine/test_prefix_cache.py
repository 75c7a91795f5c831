"""The tree of what ended sequences leave: what is found in it, what is kept once, who is evicted first."""

from __future__ import annotations

import random

import pytest

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import shared_prefix

from .desk import SHAPE, Desk, read_cache, token_run


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4, 5], 4),
        ([1, 2, 3, 4], [1, 2, 9], 2),
        ([1, 2], [9, 1, 2], 0),
        ([1, 2], [], 0),
        (token_run(0, 150), token_run(0, 200), 150),
        (token_run(0, 150), token_run(0, 100), 100),
        (token_run(0, 150), [*token_run(0, 140), 7, 8], 140),
        (token_run(0, 128), token_run(0, 200), 128),
    ],
    ids=[
        "longer",
        "branch",
        "not at the front",
        "empty",
        "over blocks",
        "inside a block",
        "late branch",
        "whole blocks",
    ],
)
def test_the_longest_prefix_is_found(kept: list[int], asked: list[int], found: int) -> None:
    desk = Desk(8)
    desk.put(kept)
    assert desk.found(asked) == found


def test_what_another_kernel_computed_is_not_taken() -> None:
    desk = Desk(8)
    tokens = token_run(0, 2 * BLOCK_TOKENS)
    desk.put(tokens, wide_until=BLOCK_TOKENS)
    assert desk.found(tokens, wide_until=BLOCK_TOKENS) == 2 * BLOCK_TOKENS
    assert desk.found(tokens, wide_until=2 * BLOCK_TOKENS) == BLOCK_TOKENS
    assert desk.found(tokens, wide_until=0) == 0
    desk.put(tokens, wide_until=0)
    assert desk.found(tokens, wide_until=0) == 2 * BLOCK_TOKENS


def test_the_least_recently_used_goes_first_and_leaves_before_their_parents() -> None:
    desk = Desk(8)
    old, new = token_run(0, 2 * BLOCK_TOKENS), token_run(1000, 2 * BLOCK_TOKENS)
    desk.put(old)
    desk.put(new)
    assert desk.tree.evict()
    assert (desk.found(old), desk.found(new)) == (BLOCK_TOKENS, 2 * BLOCK_TOKENS)
    assert desk.found(old) == BLOCK_TOKENS  # now the recent one
    assert desk.tree.evict()
    assert (desk.found(old), desk.found(new)) == (BLOCK_TOKENS, BLOCK_TOKENS)
    assert desk.tree.evictions == 2


def test_eviction_never_takes_what_runs() -> None:
    desk = Desk(3)
    tokens = token_run(0, 2 * BLOCK_TOKENS)
    desk.put(tokens)
    running = desk.lease(tokens, is_full=False)
    assert running.length == 2 * BLOCK_TOKENS - 1
    held = list(running.cache.blocks)
    other = Lease(desk.pool, desk.tree, 0)
    assert not other.reserve(2 * BLOCK_TOKENS)
    assert desk.tree.evictions == 0  # what could not be had anyway costs nobody a block
    assert other.reserve(BLOCK_TOKENS)  # the tree's second block had been copied, not shared
    assert not other.reserve(2 * BLOCK_TOKENS)
    assert running.cache.blocks == held
    assert read_cache(running.cache) == tokens[:-1]
    desk.tree.check_integrity()


def test_what_was_used_last_by_anyone_goes_last() -> None:
    desk = Desk(8)
    old, new = token_run(0, 2 * BLOCK_TOKENS), token_run(1000, 2 * BLOCK_TOKENS)
    running = desk.lease(old)
    desk.put(new)
    running.release(old)  # it ran longer than the other
    assert desk.tree.evict()
    assert (desk.found(old), desk.found(new)) == (2 * BLOCK_TOKENS, BLOCK_TOKENS)


def test_blocks_of_one_front_that_are_taken_together_lie_together() -> None:
    desk = Desk(6)
    desk.put(token_run(0, 5 * BLOCK_TOKENS))
    taker = Lease(desk.pool, desk.tree, 0)
    assert taker.reserve(5 * BLOCK_TOKENS)
    assert taker.cache.blocks == token_run(taker.cache.blocks[0], 5)
    taker.check_integrity()
    desk.tree.check_integrity()


def test_a_very_long_front_is_forgotten_whole() -> None:
    desk = Desk(1500, kept_blocks=1500)
    desk.put(token_run(0, 1400 * BLOCK_TOKENS))
    assert desk.tree.kept_blocks == 1400
    desk.tree.clear()
    assert desk.pool.free_blocks == 1500
    desk.tree.check_integrity()


def test_the_budget_bounds_what_is_kept() -> None:
    desk = Desk(8, kept_blocks=2)
    desk.put(token_run(0, 3 * BLOCK_TOKENS + 1))
    assert desk.tree.byte_count == 2 * SHAPE.block_bytes
    assert desk.found(token_run(0, 300)) == 2 * BLOCK_TOKENS
    nothing = Desk(8, kept_blocks=0)
    nothing.put(token_run(0, 100))
    assert (len(nothing.tree), nothing.tree.byte_count, nothing.pool.free_blocks) == (0, 0, 8)


def test_a_longer_run_of_the_same_tokens_replaces_the_shorter() -> None:
    desk = Desk(8)
    for tokens in ([1, 2], [1, 2, 3], [1]):
        desk.put(tokens)
    assert len(desk.tree) == 1
    assert desk.found([1, 2, 3, 4]) == 3


def test_a_full_block_replaces_the_tail_that_it_goes_on_from() -> None:
    desk = Desk(8)
    for count in (BLOCK_TOKENS + 5, BLOCK_TOKENS + 30, 2 * BLOCK_TOKENS + 1):
        desk.put(token_run(0, count))
    assert desk.tree.kept_blocks == 3
    assert desk.found(token_run(0, BLOCK_TOKENS + 50)) == BLOCK_TOKENS + 50


def test_prefixes_are_found_in_random_use() -> None:
    rng = random.Random(5)
    desk = Desk(14, kept_blocks=9)
    hits = 0
    for _ in range(120):
        tokens = [number for _ in range(3) for number in [rng.randrange(2)] * rng.randrange(1, 80)]
        hits += desk.found(tokens) > 0
        desk.put(tokens)
    assert hits > 50


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 5, 3], 1)],
)
def test_shared_prefix(left: list[int], right: list[int], shared: int) -> None:
    assert shared_prefix(left, right) == shared_prefix(right, left) == shared


def test_a_front_that_nobody_will_ask_for_is_forgotten_past_what_is_kept() -> None:
    desk = Desk(32)
    shared, old, new = token_run(0, 100), token_run(500, 120), token_run(900, 120)
    other = [*shared, *token_run(2000, 90)]
    desk.put([*shared, *old, *token_run(3000, 70)])
    desk.put([*shared, *old, *token_run(4000, 10)], wide_until=100)
    desk.put(other)
    kept = shared_prefix([*shared, *old], [*shared, *new])
    desk.tree.forget_past([*shared, *old], kept)
    assert desk.found([*shared, *old]) <= kept
    assert desk.found([*shared, *old], wide_until=100) <= kept
    assert desk.found(other) == len(other)
    desk.tree.check_integrity()
