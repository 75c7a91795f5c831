"""Many requests on one model: who shares a step, what is computed once, who gives way, and what the figures say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from npc_sdk.engine.local.batch import Batch
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.limits import Limits
from npc_sdk.errors import EngineError, ReplyTimeout
from npc_sdk.requests import Priority

from .streams import (
    Start,
    StepGate,
    ask,
    ask_together,
    assert_nobody_lives,
    collect,
    ends,
    slow_down,
    until_queued,
)

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


async def test_replies_share_their_steps(start: Start, steps: list[Batch]) -> None:
    engine = start()
    asked = [ask(f"r{i}", "hello" + "!" * i, max_new_tokens=20) for i in range(5)]
    await asyncio.gather(*await ask_together(engine, *asked))
    await assert_nobody_lives(engine)
    assert max(len(batch.ids) for batch in steps if len(batch.sampled) == len(batch.ids)) >= 4
    assert len(steps) < 5 * 20 * 0.6
    stats = engine.stats()
    assert stats.steps == len(steps)
    assert max(stats.batch_sizes) >= 4
    assert stats.mean_batch == sum(n * count for n, count in stats.batch_sizes.items()) / len(steps)


async def test_a_long_prompt_never_holds_a_reply_up_for_more_than_a_chunk(start: Start, steps: list[Batch]) -> None:
    engine = start(limits=Limits(busy_chunk_tokens=16))
    speaker, long = ask("speaker", "a", max_new_tokens=60), ask("long", "z" * 150, max_new_tokens=1)
    await asyncio.gather(*await ask_together(engine, speaker, long))
    await assert_nobody_lives(engine)
    assert ends(engine) == ["long", "speaker"]
    assert [len(batch.ids) for batch in steps].count(17) >= 8  # a chunk of 16 and the speaker's token
    assert all(len(batch.ids) <= 17 for batch in steps)
    assert all(batch.sampled for batch in steps)  # no step goes by without the speaker's next token


async def test_rules_that_all_npcs_share_are_computed_once(start: Start, steps: list[Batch]) -> None:
    engine = start()
    asked = [ask(f"npc{i}", RULES + chr(97 + i) * 20, max_new_tokens=4) for i in range(5)]
    reused = [end.usage.cached_tokens for _, end in await asyncio.gather(*await ask_together(engine, *asked))]
    assert reused[0] == 0
    assert min(reused[1:]) >= 128
    computed = sum(len(batch.ids) for batch in steps)
    assert computed <= 150 + 4 * 22 + 5 * 4
    assert engine.stats().cache.evictions == 0


async def test_the_same_words_at_the_same_time_are_held_once(start: Start) -> None:
    engine = start()
    asked = [ask(f"r{i}", "z" * 60, max_new_tokens=100) for i in range(3)]
    texts = await asyncio.gather(*await ask_together(engine, *asked))
    assert len({text for text, _ in texts}) == 1
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()
    assert engine.prefix_cache.kept_blocks == 3


async def test_a_pool_too_small_for_all_changes_no_word(start: Start) -> None:
    texts = [chr(97 + i) * 100 for i in range(4)]
    alone = start(cache_bytes=0)
    expected = [(await collect(alone, ask(text=text, max_new_tokens=70)))[0] for text in texts]
    engine = start(cache_bytes=0, limits=Limits(running=4))  # one window: four blocks for replies of three each
    asked = [ask(f"r{i}", text, max_new_tokens=70) for i, text in enumerate(texts)]
    together = await asyncio.gather(*await ask_together(engine, *asked))
    assert [text for text, _ in together] == expected
    assert [end.usage.cached_tokens for _, end in together] == [0] * 4
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()
    assert engine.stats().cache.used_bytes == 0


async def test_waiting_for_room_does_not_add_to_what_was_reused(start: Start) -> None:
    engine = start(cache_bytes=0, limits=Limits(running=4))  # one window
    asked = [ask(f"r{i}", "q" * 70 + chr(97 + i) * 60, max_new_tokens=30) for i in range(3)]
    said = await asyncio.gather(*await ask_together(engine, *asked))
    assert max(end.usage.cached_tokens for _, end in said) <= 70
    await assert_nobody_lives(engine)
    assert engine.stats().cache.used_bytes == 0


async def test_one_in_need_takes_the_blocks_of_the_less_urgent(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    ambient = {"text": "b" * 100, "max_new_tokens": 60, "priority": Priority.AMBIENT}
    expected = await collect(start(cache_bytes=0), ask(**ambient))
    engine = start(cache_bytes=0)
    gate = StepGate(monkeypatch, free=2)
    task = asyncio.create_task(collect(engine, ask("ambient", **ambient)))
    await gate.stands()
    player = asyncio.create_task(collect(engine, ask("player", "c" * 150, max_new_tokens=10)))
    await until_queued(engine)
    gate.let()
    await player
    text, end = await task
    assert (text, end.usage) == (expected[0], expected[1].usage)
    await assert_nobody_lives(engine)
    assert ends(engine) == ["player", "ambient"]
    assert engine.stats().preemptions == 1


async def test_a_cancelled_run_leaves_its_blocks_at_the_next_step(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(cache_bytes=0)
    gate = StepGate(monkeypatch, free=3)
    asked = [ask(name, letter * 20, max_new_tokens=100) for name, letter in (("first", "a"), ("second", "b"))]
    first, second = await ask_together(engine, *asked)
    await gate.stands()
    block_bytes = engine.stats().cache.used_bytes // 2
    engine.cancel("first")
    gate.let(1)
    _, end = await first
    assert end.finish_reason == "cancelled"
    await gate.stands()
    assert engine.stats().running == 1
    assert engine.stats().cache.used_bytes == block_bytes
    engine.cancel("second")
    gate.let()
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
