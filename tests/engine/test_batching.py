"""Many requests on one model: who shares a step, what is computed once, who gives way, and what the figures say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from npc_sdk.engine.interface import Chunk
from npc_sdk.engine.local.batch import Batch
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.errors import EngineError, ReplyTimeout
from npc_sdk.requests import Priority

from .streams import Start, ask, assert_nobody_lives, collect, slow_down

RULES = "q" * 130  # a token a letter: two blocks and two tokens


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """Every batch that passes through a model from now on."""
    seen: list[Batch] = []
    hidden = Decoder.hidden

    def watch(self: Decoder, batch: Batch, *rest: Any) -> torch.Tensor:
        seen.append(batch)
        return hidden(self, batch, *rest)

    monkeypatch.setattr(Decoder, "hidden", watch)
    return seen


async def _until_speaking(engine: LocalEngine, name: str, **options: Any) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """A request under way, from its first text on."""
    speaking = asyncio.Event()

    async def run() -> Any:
        items = []
        async for item in engine.stream(ask(name, **options)):
            items.append(item)
            speaking.set()
        return "".join(item.text for item in items if isinstance(item, Chunk)), items[-1]

    task = asyncio.ensure_future(run())
    await asyncio.wait_for(speaking.wait(), 10)
    return task, speaking


async def test_replies_share_their_steps(start: Start, steps: list[Batch]) -> None:
    engine = start()
    await asyncio.gather(*(collect(engine, ask(f"r{i}", "hello" + "!" * i, max_new_tokens=20)) for i in range(5)))
    assert max(len(batch.ids) for batch in steps if len(batch.sampled) == len(batch.ids)) >= 4
    assert len(steps) < 5 * 20 * 0.6
    stats = engine.stats()
    assert stats.steps == len(steps)
    assert max(stats.batch_sizes) >= 4
    assert stats.mean_batch == sum(n * count for n, count in stats.batch_sizes.items()) / len(steps)


async def test_a_long_prompt_never_holds_a_reply_up_for_more_than_a_chunk(
    start: Start, steps: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(limits=Limits(busy_chunk_tokens=16))
    slow_down(monkeypatch, 0.003)
    speaker, _ = await _until_speaking(engine, "speaker", text="a", max_new_tokens=60)
    before = len(steps)
    await collect(engine, ask("long", "z" * 150, max_new_tokens=1))
    assert not speaker.done()
    beside = steps[before:]
    assert [len(batch.ids) for batch in beside].count(17) >= 8  # a chunk of 16 and the speaker's token
    assert all(len(batch.ids) <= 17 for batch in beside)
    assert all(batch.sampled for batch in beside)  # no step goes by without the speaker's next token
    await speaker


async def test_rules_that_all_npcs_share_are_computed_once(start: Start, steps: list[Batch]) -> None:
    engine = start()
    asked = [ask(f"npc{i}", RULES + chr(97 + i) * 20, max_new_tokens=4) for i in range(5)]
    ends = [end for _, end in await asyncio.gather(*(collect(engine, one) for one in asked))]
    reused = [end.usage.cached_tokens for end in ends]
    assert reused[0] == 0
    assert min(reused[1:]) >= 128
    computed = sum(len(batch.ids) for batch in steps)
    assert computed <= 150 + 4 * 22 + 5 * 4
    assert engine.stats().cache.evictions == 0


async def test_the_same_words_at_the_same_time_are_held_once(start: Start) -> None:
    engine = start()
    texts = await asyncio.gather(*(collect(engine, ask(f"r{i}", "z" * 60, max_new_tokens=100)) for i in range(3)))
    assert len({text for text, _ in texts}) == 1
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()
    assert engine.prefix_cache.kept_blocks == 3


async def test_a_pool_too_small_for_all_changes_no_word(start: Start) -> None:
    texts = [chr(97 + i) * 100 for i in range(4)]
    alone = start(cache_bytes=0)
    expected = [(await collect(alone, ask(text=text, max_new_tokens=70)))[0] for text in texts]
    engine = start(cache_bytes=0, limits=Limits(running=4))  # one window: four blocks for replies of three each
    together = await asyncio.gather(
        *(collect(engine, ask(f"r{i}", text, max_new_tokens=70)) for i, text in enumerate(texts))
    )
    assert [text for text, _ in together] == expected
    assert [end.usage.cached_tokens for _, end in together] == [0] * 4
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()
    assert engine.stats().cache.used_bytes == 0


async def test_waiting_for_room_does_not_add_to_what_was_reused(start: Start) -> None:
    engine = start(cache_bytes=0, limits=Limits(running=4))  # one window
    asked = [ask(f"r{i}", "q" * 70 + chr(97 + i) * 60, max_new_tokens=30) for i in range(3)]
    ends = [end for _, end in await asyncio.gather(*(collect(engine, one) for one in asked))]
    assert max(end.usage.cached_tokens for end in ends) <= 70
    await assert_nobody_lives(engine)
    assert engine.stats().cache.used_bytes == 0


async def test_one_in_need_takes_the_blocks_of_the_less_urgent(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    ambient = {"text": "b" * 100, "max_new_tokens": 60, "priority": Priority.AMBIENT}
    expected = await collect(start(cache_bytes=0), ask(**ambient))
    engine = start(cache_bytes=0)
    slow_down(monkeypatch, 0.002)
    task, _ = await _until_speaking(engine, "ambient", **ambient)
    await collect(engine, ask("player", "c" * 150, max_new_tokens=10))
    assert not task.done()
    text, end = await task
    assert (text, end.usage) == (expected[0], expected[1].usage)
    assert engine.stats().preemptions == 1


async def test_a_cancelled_run_leaves_its_blocks_at_the_next_step(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(cache_bytes=0)
    slow_down(monkeypatch, 0.003)
    first, _ = await _until_speaking(engine, "first", text="a" * 20, max_new_tokens=100)
    second, _ = await _until_speaking(engine, "second", text="b" * 20, max_new_tokens=100)
    block_bytes = engine.stats().cache.used_bytes // 2
    engine.cancel("first")
    _, end = await first
    assert end.finish_reason == "cancelled"
    await asyncio.sleep(0.03)
    assert engine.stats().running == 1
    assert engine.stats().cache.used_bytes in (block_bytes, 2 * block_bytes)  # the other may have grown
    engine.cancel("second")
    await second
    await assert_nobody_lives(engine)
    assert engine.stats().cache.used_bytes == 0


async def test_what_gave_no_numbers_is_not_reused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "logits", lambda self, _hidden: torch.full((1, self.config.vocab_size), float("nan")))
        with pytest.raises(EngineError, match="not finite"):
            await collect(engine, ask(text=RULES))
    await assert_nobody_lives(engine)
    assert engine.stats().cache.kept_bytes == 0
    _, end = await collect(engine, ask(text=RULES))
    assert end.usage.cached_tokens == 0


async def test_each_request_leaves_its_figures(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start()
    slow_down(monkeypatch, 0.005)
    _, end = await collect(engine, ask("one", RULES, max_new_tokens=4))
    await collect(engine, ask("two", RULES, max_new_tokens=1))
    with pytest.raises(ReplyTimeout):
        await collect(engine, ask("late", "zz", deadline_s=0.0))
    await assert_nobody_lives(engine)
    one, two, late = engine.stats().requests
    assert (one.request_id, one.end, one.prompt_tokens, one.reused_tokens) == ("one", "length", 130, 0)
    assert one.timings == end.timings
    assert 0.005 <= one.median_gap_s <= one.longest_gap_s <= one.timings.decode_s
    assert one.tokens_per_s == 3 / one.timings.decode_s
    assert (two.reused_tokens, two.new_tokens, two.median_gap_s, two.tokens_per_s) == (129, 1, 0.0, 0.0)
    assert (late.end, late.new_tokens) == ("failed", 0)
    cache = engine.stats().cache
    assert (engine.stats().running, engine.stats().waiting, cache.used_bytes) == (0, 0, 0)
    assert 0 < cache.kept_bytes <= cache.pool_bytes
