"""The pool, a sequence's blocks, and the tree that shares them: counts, copies, order of eviction."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape, PoolFull, blocks_for
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache, shared_prefix

SHAPE = CacheShape(layers=2, kv_heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
SHAPES = [pytest.param(SHAPE, id="plain"), pytest.param(replace(SHAPE, is_int8=True), id="int8")]


def _write(cache: KVCache, values: list[int]) -> None:
    """Appends tokens whose keys and values are the given numbers."""
    cache.reserve(cache.length + len(values))
    slots = torch.tensor(cache.slots(cache.length, cache.length + len(values)))
    rows = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1).expand(-1, 2, 4)
    for layer in range(SHAPE.layers):
        cache.pool.write(layer, slots, rows + layer, -rows)
    cache.advance(len(values))


def _read(cache: KVCache) -> list[int]:
    """The numbers that a cache holds, checked in both layers and behind its end."""
    layers = [cache.read(layer, cache.capacity) for layer in range(SHAPE.layers)]
    for layer, (keys, values) in enumerate(layers):
        assert torch.allclose(keys[:, : cache.length] - layer, -values[:, : cache.length], rtol=0, atol=1e-3)
        assert not keys[:, cache.length :].any()
        assert not values[:, cache.length :].any()
    return [round(number) for number in layers[0][0][0, : cache.length, 0].tolist()]


class Desk:
    """A pool with its tree, and leases that fill with their own token numbers."""

    def __init__(self, blocks: int, kept_blocks: int = 100, shape: CacheShape = SHAPE) -> None:
        self.pool = BlockPool(shape, blocks)
        self.tree = PrefixCache(self.pool, kept_blocks * shape.block_bytes)

    def lease(self, tokens: list[int], wide_until: int = 0, *, is_full: bool = True) -> Lease:
        """One that holds what the tree has of these tokens and, if is_full, wrote and published the rest."""
        lease = Lease(self.pool, self.tree, wide_until)
        lease.adopt(tokens[:-1])
        if is_full:
            assert lease.reserve(len(tokens))
            _write(lease.cache, tokens[lease.length :])
            lease.publish(tokens)
        lease.check_integrity()
        return lease

    def put(self, tokens: list[int], wide_until: int = 0) -> None:
        """Has a sequence compute these tokens and end."""
        self.lease(tokens, wide_until).release(tokens)
        self.tree.check_integrity()

    def found(self, tokens: list[int], wide_until: int = 0) -> int:
        """How many of these tokens a new sequence would find, which must hold them."""
        lease = self.lease([*tokens, -1], wide_until, is_full=False)
        assert not lease.length or _read(lease.cache) == tokens[: lease.length]
        count = lease.length
        lease.discard()
        self.tree.check_integrity()
        return count


def _tokens(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_written_is_read_in_place_or_gathered(shape: CacheShape) -> None:
    pool = BlockPool(shape, 6)
    whole, other = KVCache(pool), KVCache(pool)
    tokens = _tokens(1, 2 * BLOCK_TOKENS + 10)
    for start in range(0, len(tokens), 19):
        _write(whole, tokens[start : start + 19])
        _write(other, tokens[start : start + 19])
    assert sorted(whole.blocks + other.blocks) == list(range(6))
    scattered = KVCache(pool)
    other.release()
    whole.release()
    places = [pool.allocate(None) for _ in range(6)]
    for block in places[::2]:
        pool.release(block)
    _write(scattered, tokens)
    assert sorted(scattered.blocks) == sorted(places[::2])
    assert _read(scattered) == tokens
    scattered.check_integrity()
    pool.check_integrity()


def test_a_lone_sequence_lies_in_one_piece() -> None:
    cache = KVCache(BlockPool(SHAPE, 5))
    for start in range(0, 4 * BLOCK_TOKENS, 7):
        _write(cache, _tokens(start, 7))
    assert cache.blocks == [0, 1, 2, 3, 4]
    keys, _ = cache.read(0, BLOCK_TOKENS)
    assert keys.data_ptr() == cache.pool.keys[0].data_ptr()


def test_two_that_grow_by_turns_leave_each_other_room() -> None:
    pool = BlockPool(SHAPE, 16)
    caches = [KVCache(pool), KVCache(pool)]
    for turn in range(5 * BLOCK_TOKENS):
        for cache in caches:
            _write(cache, [turn])
    for cache in caches:
        assert cache.blocks == _tokens(cache.blocks[0], 5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_is_clean_when_it_is_handed_out_again(shape: CacheShape) -> None:
    pool = BlockPool(shape, 1)
    block = pool.allocate(None)
    for tensor in pool.tensors:
        tensor.fill_(torch.nan if tensor.is_floating_point() else 100)
    pool.release(block)
    pool.allocate(None)
    for layer in range(shape.layers):
        keys, values = pool.read(layer, slice(0, BLOCK_TOKENS))
        assert not keys.any()
        assert not values.any()
    pool.check_integrity()


@pytest.mark.parametrize("shape", SHAPES)
def test_bytes_are_those_that_the_pool_takes(shape: CacheShape) -> None:
    pool = BlockPool(shape, 3)
    assert sum(tensor.nbytes for tensor in pool.tensors) == 3 * shape.block_bytes


def test_int8_takes_half_of_bfloat16() -> None:
    whole = CacheShape(32, 8, 128, torch.bfloat16, torch.device("cpu"))
    assert whole.token_bytes == 131_072
    assert replace(whole, is_int8=True).token_bytes == 66_560


def test_a_full_pool_says_so() -> None:
    pool = BlockPool(SHAPE, 2)
    held = [pool.allocate(None), pool.allocate(None)]
    with pytest.raises(PoolFull, match="2 blocks"):
        pool.allocate(None)
    pool.retain(held[0])
    pool.release(held[0])
    with pytest.raises(PoolFull):
        pool.allocate(None)
    pool.release(held[0])
    assert pool.allocate(None) == held[0]
    pool.check_integrity()


def test_running_sequences_share_full_blocks_and_copy_the_last() -> None:
    desk = Desk(8)
    tokens = _tokens(1, 2 * BLOCK_TOKENS + 5)
    first = desk.lease(tokens)
    second = desk.lease([*tokens[: 2 * BLOCK_TOKENS], 900, 901])
    assert second.cache.blocks[:2] == first.cache.blocks[:2]
    assert second.cache.blocks[2] != first.cache.blocks[2]
    first.release(tokens)
    third = desk.lease([*tokens, 7])
    assert third.cache.blocks[:2] == second.cache.blocks[:2]
    assert _read(third.cache) == [*tokens, 7]  # its third block is a copy with one token more
    assert _read(second.cache) == [*tokens[: 2 * BLOCK_TOKENS], 900, 901]
    for lease, held in ((second, [*tokens[: 2 * BLOCK_TOKENS], 900, 901]), (third, [*tokens, 7])):
        lease.release(held)
    desk.tree.check_integrity()
    assert desk.pool.free_blocks == 8 - desk.tree.kept_blocks


def test_one_finds_what_another_computed_since_its_last_step() -> None:
    desk = Desk(8)
    tokens = _tokens(1, 3 * BLOCK_TOKENS)
    late = Lease(desk.pool, desk.tree, 0)
    late.adopt(tokens[:-1])
    assert late.length == 0
    early = desk.lease(tokens[: 2 * BLOCK_TOKENS])
    late.adopt(tokens[:-1])
    assert late.cache.blocks == early.cache.blocks


def test_what_is_computed_twice_is_kept_once() -> None:
    desk = Desk(8)
    tokens = _tokens(1, BLOCK_TOKENS + 3)
    leases = [Lease(desk.pool, desk.tree, 0) for _ in range(2)]
    for lease in leases:
        assert lease.reserve(len(tokens))
        _write(lease.cache, tokens)
        lease.publish(tokens)
    assert leases[1].cache.blocks[0] == leases[0].cache.blocks[0]
    assert _read(leases[1].cache) == tokens
    assert desk.pool.free_blocks == 5
    for lease in leases:
        lease.check_integrity()
        lease.release(tokens)
        desk.tree.check_integrity()
    assert desk.tree.kept_blocks == 2


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4, 5], 4),
        ([1, 2, 3, 4], [1, 2, 9], 2),
        ([1, 2], [9, 1, 2], 0),
        ([1, 2], [], 0),
        (_tokens(0, 150), _tokens(0, 200), 150),
        (_tokens(0, 150), _tokens(0, 100), 100),
        (_tokens(0, 150), [*_tokens(0, 140), 7, 8], 140),
        (_tokens(0, 128), _tokens(0, 200), 128),
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
    tokens = _tokens(0, 2 * BLOCK_TOKENS)
    desk.put(tokens, wide_until=BLOCK_TOKENS)
    assert desk.found(tokens, wide_until=BLOCK_TOKENS) == 2 * BLOCK_TOKENS
    assert desk.found(tokens, wide_until=2 * BLOCK_TOKENS) == BLOCK_TOKENS
    assert desk.found(tokens, wide_until=0) == 0
    desk.put(tokens, wide_until=0)
    assert desk.found(tokens, wide_until=0) == 2 * BLOCK_TOKENS


def test_the_least_recently_used_goes_first_and_leaves_before_their_parents() -> None:
    desk = Desk(8)
    old, new = _tokens(0, 2 * BLOCK_TOKENS), _tokens(1000, 2 * BLOCK_TOKENS)
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
    tokens = _tokens(0, 2 * BLOCK_TOKENS)
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
    assert _read(running.cache) == tokens[:-1]
    desk.tree.check_integrity()


def test_what_was_used_last_by_anyone_goes_last() -> None:
    desk = Desk(8)
    old, new = _tokens(0, 2 * BLOCK_TOKENS), _tokens(1000, 2 * BLOCK_TOKENS)
    running = desk.lease(old)
    desk.put(new)
    running.release(old)  # it ran longer than the other
    assert desk.tree.evict()
    assert (desk.found(old), desk.found(new)) == (2 * BLOCK_TOKENS, BLOCK_TOKENS)


def test_blocks_of_one_front_that_are_taken_together_lie_together() -> None:
    desk = Desk(6)
    desk.put(_tokens(0, 5 * BLOCK_TOKENS))
    taker = Lease(desk.pool, desk.tree, 0)
    assert taker.reserve(5 * BLOCK_TOKENS)
    assert taker.cache.blocks == _tokens(taker.cache.blocks[0], 5)
    taker.check_integrity()
    desk.tree.check_integrity()


def test_a_very_long_front_is_forgotten_whole() -> None:
    desk = Desk(1500, kept_blocks=1500)
    desk.put(_tokens(0, 1400 * BLOCK_TOKENS))
    assert desk.tree.kept_blocks == 1400
    desk.tree.clear()
    assert desk.pool.free_blocks == 1500
    desk.tree.check_integrity()


def test_the_budget_bounds_what_is_kept() -> None:
    desk = Desk(8, kept_blocks=2)
    desk.put(_tokens(0, 3 * BLOCK_TOKENS + 1))
    assert desk.tree.byte_count == 2 * SHAPE.block_bytes
    assert desk.found(_tokens(0, 300)) == 2 * BLOCK_TOKENS
    nothing = Desk(8, kept_blocks=0)
    nothing.put(_tokens(0, 100))
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
        desk.put(_tokens(0, count))
    assert desk.tree.kept_blocks == 3
    assert desk.found(_tokens(0, BLOCK_TOKENS + 50)) == BLOCK_TOKENS + 50


def test_what_a_failed_step_published_is_forgotten() -> None:
    desk = Desk(8)
    tokens = _tokens(0, 3 * BLOCK_TOKENS)
    desk.put(tokens[:BLOCK_TOKENS])
    bad = desk.lease(tokens)
    reader = desk.lease([*tokens, 1])
    bad.discard()
    desk.tree.check_integrity()
    assert desk.found(tokens) == BLOCK_TOKENS
    reader.publish([*tokens, 1])
    reader.release([*tokens, 1])
    desk.tree.check_integrity()
    assert desk.pool.free_blocks == 7


class RandomUse(RuleBasedStateMachine):
    """Leases over one pool in any order of growing, ending and failing; texts of few kinds, so that many are shared."""

    shape = SHAPE

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(14, kept_blocks=9, shape=self.shape)
        self.live: list[tuple[Lease, list[int]]] = []

    @precondition(lambda self: len(self.live) < 4)
    @rule(
        runs=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 90)), min_size=1, max_size=3),
        wide=st.sampled_from([0, BLOCK_TOKENS]),
    )
    def start(self, runs: list[tuple[int, int]], wide: int) -> None:
        tokens = [number for number, count in runs for _ in range(count)]
        self.live.append((self.desk.lease(tokens, wide, is_full=False), tokens))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), count=st.integers(1, 150))
    def go_on(self, data: st.DataObject, count: int) -> None:
        lease, tokens = data.draw(st.sampled_from(self.live))
        lease.adopt(tokens[:-1])
        end = min(len(tokens), lease.length + count)
        free = self.desk.pool.free_blocks + self.desk.tree.kept_blocks
        has_room = lease.reserve(end)
        assert has_room or free < blocks_for(end) - len(lease.cache.blocks)
        if has_room and lease.length < end:
            _write(lease.cache, tokens[lease.length : end])
            lease.publish(tokens)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), has_failed=st.sampled_from([False, False, False, True]))
    def end(self, data: st.DataObject, has_failed: bool) -> None:
        lease, tokens = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        lease.discard() if has_failed else lease.release(tokens)

    @rule()
    def evict(self) -> None:
        before = self.desk.pool.free_blocks
        is_evicted = self.desk.tree.evict()
        assert self.desk.pool.free_blocks - before == is_evicted

    @invariant()
    def everybody_holds_what_they_wrote(self) -> None:
        self.desk.tree.check_integrity()
        for lease, tokens in self.live:
            lease.check_integrity()
            assert not lease.length or _read(lease.cache) == tokens[: lease.length]

    def teardown(self) -> None:
        for lease, tokens in self.live:
            lease.release(tokens)
        assert self.desk.tree.kept_blocks <= 9
        self.desk.tree.clear()
        self.desk.tree.check_integrity()
        assert self.desk.pool.free_blocks == 14


class RandomUseInt8(RandomUse):
    shape = replace(SHAPE, is_int8=True)


RandomUse.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None, derandomize=True)
RandomUseInt8.TestCase.settings = settings(max_examples=10, stateful_step_count=40, deadline=None, derandomize=True)
TestRandomUseStaysWhole = RandomUse.TestCase
TestRandomUseStaysWholeInInt8 = RandomUseInt8.TestCase


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
