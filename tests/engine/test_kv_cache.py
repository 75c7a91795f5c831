"""The caches: growth, truncation, and the longest common prefix within a byte budget."""

from __future__ import annotations

import random

import pytest
import torch

from npc_sdk.engine.local.kv_cache import BLOCK_TOKENS, CacheShape, KVCache
from npc_sdk.engine.local.prefix_cache import PrefixCache, shared_prefix

SHAPE = CacheShape(layers=2, kv_heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))
BLOCK_BYTES = BLOCK_TOKENS * SHAPE.token_bytes


def _write(cache: KVCache, values: list[int]) -> None:
    """Appends tokens whose keys and values are the given numbers."""
    cache.reserve(cache.length + len(values))
    rows = torch.tensor(values, dtype=torch.float32).view(1, -1, 1).expand(2, -1, 4)
    for layer in range(SHAPE.layers):
        cache.write(layer, rows + layer, -rows)
    cache.advance(len(values))


def _read(cache: KVCache) -> list[int]:
    """The numbers that a cache holds, checked in both layers."""
    nothing = torch.empty(2, 0, 4)
    layers = [cache.write(layer, nothing, nothing) for layer in range(SHAPE.layers)]
    for layer, (keys, values) in enumerate(layers):
        assert torch.equal(keys - layer, -values)
    return [int(number) for number in layers[0][0][0, :, 0]]


def _cache(values: list[int]) -> KVCache:
    cache = KVCache(SHAPE)
    _write(cache, values)
    return cache


def test_growth_keeps_what_was_written() -> None:
    cache = KVCache(SHAPE)
    tokens = list(range(BLOCK_TOKENS + 10))
    for start in range(0, len(tokens), 19):
        _write(cache, tokens[start : start + 19])
        cache.check_integrity()
    assert _read(cache) == tokens
    assert cache.byte_count == 2 * BLOCK_BYTES


def test_truncate_forgets_and_writing_goes_on_from_there() -> None:
    cache = _cache([1, 2, 3, 4])
    cache.truncate(2)
    _write(cache, [9])
    assert _read(cache) == [1, 2, 9]


def test_a_copied_prefix_is_independent() -> None:
    cache = _cache([1, 2, 3])
    copy = cache.copy_prefix(2)
    _write(copy, [7])
    assert (_read(cache), _read(copy)) == ([1, 2, 3], [1, 2, 7])


def test_take_gives_the_longest_prefix_away() -> None:
    cache = PrefixCache(10 * BLOCK_BYTES)
    cache.put([1, 2, 9], _cache([1, 2, 9]))
    cache.put([1, 2, 3, 4], _cache([1, 2, 3, 4]))
    taken = cache.take([1, 2, 3, 8])
    assert taken is not None
    assert _read(taken) == [1, 2, 3]
    assert len(cache) == 1
    cache.check_integrity()


def test_take_copies_from_an_entry_that_is_mostly_another_conversation() -> None:
    cache = PrefixCache(10 * BLOCK_BYTES)
    cache.put([1, 2, 3, 4, 5, 6], _cache([1, 2, 3, 4, 5, 6]))
    taken = cache.take([1, 2, 8])
    assert taken is not None
    assert _read(taken) == [1, 2]
    assert len(cache) == 1
    cache.check_integrity()


@pytest.mark.parametrize("tokens", [[], [9], [9, 1, 2]], ids=["empty", "other", "not at the front"])
def test_take_without_a_common_prefix_gives_nothing(tokens: list[int]) -> None:
    cache = PrefixCache(10 * BLOCK_BYTES)
    cache.put([1, 2], _cache([1, 2]))
    assert cache.take(tokens) is None
    assert len(cache) == 1


def test_the_least_recently_used_goes_first() -> None:
    cache = PrefixCache(2 * BLOCK_BYTES)
    for first in (1, 2, 3):
        cache.put([first, 0], _cache([first, 0]))
        cache.check_integrity()
    assert cache.take([1, 0]) is None
    assert cache.take([2, 0]) is not None


def test_a_budget_of_nothing_keeps_nothing() -> None:
    cache = PrefixCache(0)
    cache.put([1], _cache([1]))
    assert (len(cache), cache.byte_count) == (0, 0)


def test_a_longer_run_of_the_same_tokens_replaces_the_shorter() -> None:
    cache = PrefixCache(10 * BLOCK_BYTES)
    for tokens in ([1, 2], [1, 2, 3], [1]):
        cache.put(tokens, _cache(tokens))
    assert len(cache) == 1
    taken = cache.take([1, 2, 3, 4])
    assert taken is not None
    assert taken.length == 3


def test_random_use_stays_whole() -> None:
    rng = random.Random(5)
    cache = PrefixCache(4 * BLOCK_BYTES)
    hits = 0
    for _ in range(300):
        prompt = [rng.randrange(3) for _ in range(rng.randrange(1, 12))]
        taken = cache.take(prompt) or KVCache(SHAPE)
        hits += taken.length > 0
        assert _read(taken) == prompt[: taken.length]
        _write(taken, prompt[taken.length :])
        cache.put(prompt, taken)
        cache.check_integrity()
    assert hits > 100


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 5, 3], 1)],
)
def test_shared_prefix(left: list[int], right: list[int], shared: int) -> None:
    assert shared_prefix(left, right) == shared_prefix(right, left) == shared
