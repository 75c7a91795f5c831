"""The pool and the blocks of running sequences: counts, copies, what they share, and that all stays whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape, PoolFull, blocks_for
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.lease import Lease

from .desk import SHAPE, SHAPES, Desk, read_cache, token_run, write_cache


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_written_is_read_in_place_or_gathered(shape: CacheShape) -> None:
    pool = BlockPool(shape, 6)
    whole, other = KVCache(pool), KVCache(pool)
    tokens = token_run(1, 2 * BLOCK_TOKENS + 10)
    for start in range(0, len(tokens), 19):
        write_cache(whole, tokens[start : start + 19])
        write_cache(other, tokens[start : start + 19])
    assert sorted(whole.blocks + other.blocks) == list(range(6))
    scattered = KVCache(pool)
    other.release()
    whole.release()
    places = [pool.allocate(None) for _ in range(6)]
    for block in places[::2]:
        pool.release(block)
    write_cache(scattered, tokens)
    assert sorted(scattered.blocks) == sorted(places[::2])
    assert read_cache(scattered) == tokens
    scattered.check_integrity()
    pool.check_integrity()


def test_a_lone_sequence_lies_in_one_piece() -> None:
    cache = KVCache(BlockPool(SHAPE, 5))
    for start in range(0, 4 * BLOCK_TOKENS, 7):
        write_cache(cache, token_run(start, 7))
    assert cache.blocks == [0, 1, 2, 3, 4]
    keys, _ = cache.pool.read(0, cache.where(1))
    assert keys.data_ptr() == cache.pool.keys[0].data_ptr()


def test_two_that_grow_by_turns_leave_each_other_room() -> None:
    pool = BlockPool(SHAPE, 16)
    caches = [KVCache(pool), KVCache(pool)]
    for turn in range(5 * BLOCK_TOKENS):
        for cache in caches:
            write_cache(cache, [turn])
    for cache in caches:
        assert cache.blocks == token_run(cache.blocks[0], 5)


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
    tokens = token_run(1, 2 * BLOCK_TOKENS + 5)
    first = desk.lease(tokens)
    second = desk.lease([*tokens[: 2 * BLOCK_TOKENS], 900, 901])
    assert second.cache.blocks[:2] == first.cache.blocks[:2]
    assert second.cache.blocks[2] != first.cache.blocks[2]
    first.release(tokens)
    third = desk.lease([*tokens, 7])
    assert third.cache.blocks[:2] == second.cache.blocks[:2]
    assert read_cache(third.cache) == [*tokens, 7]  # its third block is a copy with one token more
    assert read_cache(second.cache) == [*tokens[: 2 * BLOCK_TOKENS], 900, 901]
    for lease, held in ((second, [*tokens[: 2 * BLOCK_TOKENS], 900, 901]), (third, [*tokens, 7])):
        lease.release(held)
    desk.tree.check_integrity()
    assert desk.pool.free_blocks == 8 - desk.tree.kept_blocks


def test_one_finds_what_another_computed_since_its_last_step() -> None:
    desk = Desk(8)
    tokens = token_run(1, 3 * BLOCK_TOKENS)
    late = Lease(desk.pool, desk.tree, 0)
    late.adopt(tokens[:-1])
    assert late.length == 0
    early = desk.lease(tokens[: 2 * BLOCK_TOKENS])
    late.adopt(tokens[:-1])
    assert late.cache.blocks == early.cache.blocks


def test_what_is_computed_twice_is_kept_once() -> None:
    desk = Desk(8)
    tokens = token_run(1, BLOCK_TOKENS + 3)
    leases = [Lease(desk.pool, desk.tree, 0) for _ in range(2)]
    for lease in leases:
        assert lease.reserve(len(tokens))
        write_cache(lease.cache, tokens)
        lease.publish(tokens)
    assert leases[1].cache.blocks[0] == leases[0].cache.blocks[0]
    assert read_cache(leases[1].cache) == tokens
    assert desk.pool.free_blocks == 5
    for lease in leases:
        lease.check_integrity()
        lease.release(tokens)
        desk.tree.check_integrity()
    assert desk.tree.kept_blocks == 2


def test_what_a_failed_step_published_is_forgotten() -> None:
    desk = Desk(8)
    tokens = token_run(0, 3 * BLOCK_TOKENS)
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
            write_cache(lease.cache, tokens[lease.length : end])
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
            assert not lease.length or read_cache(lease.cache) == tokens[: lease.length]

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
