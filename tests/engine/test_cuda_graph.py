"""Graphs of decode steps: attention by block number, the choice of a graph, what a replay computes; on a card too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from npc_sdk.engine.local.attention import attend
from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, CacheShape
from npc_sdk.engine.local.cuda_graph import DecodeGraphs, Forward, capture_on, low_priority_stream, paged_attend
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.loader import load_decoder

from .conftest import Zoo

Load = Callable[..., Decoder]
needs_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card here")


class FakeCapture:
    """Runs eagerly what a card would replay, into the tensor of the first run."""

    def __init__(self) -> None:
        self.recordings = 0

    def __call__(self, forward: Forward) -> Forward:
        self.recordings += 1
        result = forward()
        return lambda: result.copy_(forward())


def cache_of(decoder: Decoder, pool: BlockPool, ids: list[int]) -> KVCache:
    """A sequence that the eager path has read, with room for one token more."""
    cache = KVCache(pool)
    cache.reserve(len(ids) + 1)
    with torch.inference_mode():
        decoder.hidden(decoder.batch([Work(cache, ids)]), pool, lambda: None)
    cache.advance(len(ids))
    return cache


def eager(decoder: Decoder, pool: BlockPool, works: list[Work]) -> torch.Tensor:
    with torch.inference_mode():
        batch = decoder.batch(works)
        return decoder.logits(decoder.hidden(batch, pool, lambda: None)[batch.sampled])


def scattered(decoder: Decoder, blocks: int) -> BlockPool:
    """A pool in which few neighbours are free, full of what no attention may see."""
    pool = BlockPool(decoder.cache_shape, blocks)
    taken = [pool.allocate(None) for _ in range(blocks)]
    for block in taken:
        if block % 3:
            pool.release(block)
    for layer in (*pool.keys, *pool.values):
        layer.fill_(float("nan"))
    return pool


@pytest.mark.parametrize("lengths", [(1,), (64, 65), (3, 130, 200, 64)], ids=str)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 2)], ids=["own keys", "shared keys"])
def test_paged_attention_is_attention(lengths: tuple[int, ...], heads: int, kv_heads: int) -> None:
    pool = BlockPool(CacheShape(1, kv_heads, 16, torch.float32, torch.device("cpu")), 24)
    generator = torch.Generator().manual_seed(0)
    caches, tables = [KVCache(pool) for _ in lengths], []
    for block in range(4 * len(lengths)):  # the blocks of one lie between those of the others
        cache, length = caches[block % len(lengths)], lengths[block % len(lengths)]
        cache.reserve(min(length, cache.capacity + BLOCK_TOKENS))
    for layer in (pool.keys[0], pool.values[0]):
        layer.copy_(torch.randn(layer.shape, generator=generator))
    for cache in caches:
        tables.append([*cache.blocks, *[cache.blocks[-1]] * (5 - len(cache.blocks))])
    query = torch.randn(len(lengths), heads, 16, generator=generator)
    got = paged_attend(query, pool.keys[0], pool.values[0], torch.tensor(tables), torch.tensor(lengths))
    for row, (cache, length) in enumerate(zip(caches, lengths, strict=True)):
        keys, values = cache.pool.read(0, cache.where(len(cache.blocks)))
        mask = torch.zeros(-(-heads // kv_heads // 4) * 4, cache.capacity)
        mask[:, length:] = -torch.inf
        wanted = attend(query[row : row + 1], keys, values, mask[None])
        torch.testing.assert_close(got[row : row + 1], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["nemotron", "llama"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_a_replay_computes_what_the_eager_step_does(zoo: Zoo, load: Load, kind: str, count: int) -> None:
    decoder = load(zoo.int4(kind)[0], dtype="float32")
    pool = scattered(decoder, 60)
    graphs = DecodeGraphs(decoder, pool, FakeCapture())
    caches = [cache_of(decoder, pool, list(range(7, 7 + 3 + 20 * index))) for index in range(count)]
    for step in range(3):
        works = [Work(cache, [20 + step + row]) for row, cache in enumerate(caches)]
        got = graphs.run(works)
        assert got is not None
        torch.testing.assert_close(got, eager(decoder, pool, works), atol=2e-4, rtol=2e-4)
        for cache in caches:
            cache.reserve(cache.length + 2)
            cache.advance(1)


def test_padded_rows_write_nothing_of_their_own(zoo: Zoo, load: Load) -> None:
    decoder = load(zoo.int4("nemotron")[0], dtype="float32")
    pool = BlockPool(decoder.cache_shape, 12)
    graphs = DecodeGraphs(decoder, pool, FakeCapture())
    caches = [cache_of(decoder, pool, [5, 6, 7 + index]) for index in range(3)]
    bystander = cache_of(decoder, pool, list(range(9, 40)))
    before = [layer.clone() for layer in pool.keys]
    graphs.run([Work(cache, [11]) for cache in caches])
    written = {slot for cache in caches for slot in cache.slots(3, 4)}
    for old, new in zip(before, pool.keys, strict=True):
        # by their bits, as a pool's memory is whatever was there, and a NaN of it is never equal to itself
        changed = (old.view(torch.int32) != new.view(torch.int32)).any(-1).any(0).nonzero().flatten().tolist()
        assert set(changed) == written
    assert bystander.length == 31


def test_one_recording_serves_all_steps_of_its_size(zoo: Zoo, load: Load) -> None:
    decoder = load(zoo.int4("nemotron")[0], dtype="float32")
    pool, capture = BlockPool(decoder.cache_shape, 16), FakeCapture()
    graphs = DecodeGraphs(decoder, pool, capture)
    caches = [cache_of(decoder, pool, [5, 6, 7]) for _ in range(4)]
    for count in (3, 4, 3, 4):
        graphs.run([Work(cache, [11]) for cache in caches[:count]])
    assert capture.recordings == 1
    graphs.run([Work(caches[0], [11])])
    assert capture.recordings == 2


def test_warming_up_records_every_size_before_the_first_word(zoo: Zoo, load: Load) -> None:
    decoder = load(zoo.int4("nemotron")[0], dtype="float32")
    pool, capture = BlockPool(decoder.cache_shape, 16), FakeCapture()
    graphs = DecodeGraphs(decoder, pool, capture, rows=(1, 2))
    graphs.warm_up()
    made = capture.recordings
    assert made >= 2
    graphs.warm_up()
    cache = cache_of(decoder, pool, list(range(5, 70)))
    works = [Work(cache, [11])]
    got = graphs.run(works)
    assert capture.recordings == made
    torch.testing.assert_close(got, eager(decoder, pool, works), atol=2e-4, rtol=2e-4)


def test_what_fits_no_graph_goes_the_eager_way(zoo: Zoo, load: Load) -> None:
    decoder = load(zoo.int4("nemotron")[0], dtype="float32")
    pool = BlockPool(decoder.cache_shape, 16)
    graphs = DecodeGraphs(decoder, pool, FakeCapture(), rows=(1, 2))
    one, two, three = (cache_of(decoder, pool, [5, 6, 7]) for _ in range(3))
    refused = {
        "a chunk": [Work(one, [1, 2])],
        "a draft": [Work(one, [1, 2], logit_rows=2)],
        "no logits": [Work(one, [1], logit_rows=0)],
        "wide rows": [Work(one, [1], wide_rows=1)],
        "too many": [Work(cache, [1]) for cache in (one, two, three)],
        "nobody": [],
    }
    assert {name: graphs.size_for(works) for name, works in refused.items()} == dict.fromkeys(refused)
    assert all(graphs.run(works) is None for works in refused.values())
    size = graphs.size_for([Work(one, [1]), Work(two, [1])])
    assert size is not None
    assert size[0] == 2


@needs_card
@pytest.mark.gpu
def test_a_card_replays_what_it_computes_eagerly(zoo: Zoo) -> None:
    decoder = load_decoder(zoo.int4("nemotron")[0], device="cuda")
    pool = BlockPool(decoder.cache_shape, 40)
    stream = low_priority_stream(decoder.cache_shape.device)
    graphs = DecodeGraphs(decoder, pool, capture_on(stream))
    graphs.warm_up()
    caches = [cache_of(decoder, pool, list(range(7, 40 + 30 * index))) for index in range(3)]
    for step in range(3):
        works = [Work(cache, [20 + step + row]) for row, cache in enumerate(caches)]
        got = graphs.run(works)
        assert got is not None
        torch.testing.assert_close(got, eager(decoder, pool, works), atol=0.1, rtol=0.1)
        for cache in caches:
            cache.reserve(cache.length + 2)
            cache.advance(1)
    decoder.close()
