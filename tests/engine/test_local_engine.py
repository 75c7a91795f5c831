"""The engine as sessions see it: right words, fair turns, true counts and times, settings checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.errors import (
    ModelFormatError,
    PromptTooLong,
    SettingsError,
)
from npc_sdk.requests import Priority, Segment

from .checkpoints import CONTEXT, SPECIAL, build_tokenizer, write_tokenizer
from .conftest import Zoo
from .streams import (
    PROMPT,
    SHORT_CHUNKS,
    Start,
    StepGate,
    ask,
    assert_nobody_lives,
    collect,
    encode,
    ends,
    slow_down,
    until_queued,
)


@pytest.mark.parametrize("kind", ["nemotron", "llama", "qwen2"])
async def test_greedy_text_equals_that_of_transformers(zoo: Zoo, start: Start, kind: str) -> None:
    engine, model = start(kind), zoo.int4(kind)[1]
    ids = encode(PROMPT)
    stops = [2, SPECIAL.index("<extra_id_1>" if kind == "nemotron" else "<|im_end|>")]
    out = model.generate(torch.tensor([ids]), max_new_tokens=60, do_sample=False, eos_token_id=stops, pad_token_id=0)
    new = out[0, len(ids) :].tolist()
    expected = build_tokenizer().decode([one for one in new if one >= len(SPECIAL)], skip_special_tokens=False)
    text, end = await collect(engine, ask(max_new_tokens=60))
    assert text == expected.replace("<extra_id_2>", "")
    assert (end.usage.completion_tokens, end.usage.prompt_tokens) == (len(new), len(ids))
    assert isinstance(engine, Engine)


async def test_timings_add_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = start(limits=SHORT_CHUNKS)
    slow_down(monkeypatch)
    before = time.perf_counter()
    _, end = await collect(engine, ask(max_new_tokens=5))
    wall = time.perf_counter() - before
    t = end.timings
    steps = -(-len(encode(PROMPT)) // 8)
    assert t.prefill_s >= steps * 0.01
    assert t.decode_s >= 4 * 0.01
    assert t.queued_s + t.prefill_s <= t.first_token_s <= t.first_token_s + t.decode_s <= t.total_s <= wall


@pytest.mark.parametrize("options", [{}, {"top_k": 20}, {"top_p": 1.0, "min_p": 0.05}], ids=["top-p", "top-k", "min-p"])
async def test_a_seeded_request_repeats_whatever_else_runs(start: Start, options: dict[str, Any]) -> None:
    engine = start(cache_bytes=0)
    seeded = {"temperature": 0.9, "seed": 11, **options}
    alone, _ = await collect(engine, ask(**seeded))
    others = [ask(f"o{i}", temperature=1.0, seed=i) for i in range(3)]
    results = await asyncio.gather(*(collect(engine, one) for one in [ask(**seeded), *others]))
    assert results[0][0] == alone
    assert len({text for text, _ in results}) == 4


async def test_interleaved_equals_one_by_one(start: Start) -> None:
    engine = start(cache_bytes=0, limits=Limits(chunk_tokens=8))
    requests = [ask(f"r{i}", PROMPT + "the village " * i, seed=i, temperature=0.8 * (i % 2)) for i in range(5)]
    single = [await collect(engine, one) for one in requests]
    together = await asyncio.gather(*(collect(engine, one) for one in requests))
    assert [text for text, _ in together] == [text for text, _ in single]


async def test_a_cached_prefix_changes_no_word(start: Start) -> None:
    plain, cached = start(cache_bytes=0), start()
    follow_up = PROMPT + "work\n<extra_id_1>User\nthe forge?\n<extra_id_1>Assistant\n"
    expected = [await collect(plain, ask(text=text)) for text in (PROMPT, follow_up, PROMPT)]
    actual = [await collect(cached, ask(text=text)) for text in (PROMPT, follow_up, PROMPT)]
    assert [text for text, _ in actual] == [text for text, _ in expected]
    assert [end.usage.cached_tokens for _, end in expected] == [0, 0, 0]
    # The same prompt again must pass its last token through the model once more.
    shared = len(encode(PROMPT))
    assert [end.usage.cached_tokens for _, end in actual] == [0, shared, shared - 1]
    cached.prefix_cache.check_integrity()


async def test_one_that_gave_way_to_a_player_goes_on_as_if_nothing_had_been(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ambient = ask("ambient", PROMPT + "hello", priority=Priority.AMBIENT, seed=4, temperature=0.8, max_new_tokens=40)
    expected, _ = await collect(start(), ambient)
    engine = start(limits=Limits(running=1))
    gate = StepGate(monkeypatch, free=3)
    task = asyncio.create_task(collect(engine, ambient))
    await gate.stands()
    player = asyncio.create_task(collect(engine, ask("player", max_new_tokens=10)))
    await until_queued(engine)
    gate.let()
    assert (await task)[0] == expected
    assert (await player)[0]
    await assert_nobody_lives(engine)
    assert ends(engine) == ["player", "ambient"]
    engine.prefix_cache.check_integrity()


async def test_stop_tokens_end_the_reply_and_control_tokens_do_not_show(
    start: Start, force_tokens: Callable[[list[int]], None]
) -> None:
    engine = start()
    control = [engine._tokenizer.token_id(name) for name in ("<extra_id_0>", "<extra_id_2>", "<|im_start|>")]
    force_tokens([*encode("he"), *control, *encode("llo"), SPECIAL.index("<extra_id_1>"), *encode("never")])
    text, end = await collect(engine, ask())
    assert (text, end.finish_reason) == ("hello", "stop")
    assert end.usage.completion_tokens == len([*encode("he"), *control, *encode("llo")]) + 1


@pytest.mark.parametrize("stop", ["lo w", "o w", " world", "hello world"])
async def test_a_stop_string_over_several_tokens_is_cut_off(
    start: Start, force_tokens: Callable[[list[int]], None], stop: str
) -> None:
    engine = start()
    force_tokens([*encode("hel"), *encode("lo"), *encode(" wor"), *encode("ld, and more")])
    text, end = await collect(engine, ask(stop=(stop,)))
    assert (text, end.finish_reason) == ("hello world"[: "hello world".index(stop)], "stop")


async def test_text_held_back_comes_out_at_the_limit(start: Start, force_tokens: Callable[[list[int]], None]) -> None:
    engine = start()
    ids = encode("hello wor")
    force_tokens(ids)
    text, end = await collect(engine, ask(stop=("world",), max_new_tokens=len(ids)))
    assert (text, end.finish_reason) == ("hello wor", "length")


async def test_the_window_bounds_prompt_and_reply(start: Start, force_tokens: Callable[[list[int]], None]) -> None:
    engine = start()
    fitting = "a" * (CONTEXT - 3)
    force_tokens(encode("abcdefgh"))
    text, end = await collect(engine, ask(text=fitting, max_new_tokens=50))
    assert (text, end.finish_reason, end.usage.completion_tokens) == ("abc", "length", 3)
    for too_long in ("a" * CONTEXT, "a" * 5000):
        with pytest.raises(PromptTooLong, match=str(CONTEXT)):
            await collect(engine, ask(text=too_long))


def test_count_tokens_is_exact(start: Start) -> None:
    engine = start()
    assert engine.count_tokens([Segment(PROMPT, is_trusted=True)]) == len(encode(PROMPT))


def test_info_tells_what_sessions_need(start: Start) -> None:
    info = start(context_tokens=100).info
    assert (info.context_tokens, info.chat_format, info.tool_format, info.device) == (
        100,
        "nemotron",
        "nemotron",
        "cpu",
    )


@pytest.mark.parametrize(
    "options",
    [{"context_tokens": CONTEXT + 1}, {"context_tokens": 0}, {"threads": 0}, {"cache_bytes": -1}, {"device": "tpu"}],
    ids=str,
)
def test_wrong_settings_are_refused(start: Start, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(options))):
        start(**options)


@pytest.mark.parametrize(
    "wrong", [{"queue": 0}, {"running": 0}, {"chunk_tokens": 0}, {"busy_chunk_tokens": -1}, {"ageing_s": 0.0}], ids=str
)
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"limits.{next(iter(wrong))}"):
        Limits(**wrong)


def test_a_tokenizer_from_another_folder(zoo: Zoo, tmp_path: Any) -> None:
    bare, other = tmp_path / "bare", tmp_path / "words"
    bare.mkdir(), other.mkdir()
    for path in zoo.int4("nemotron")[0].iterdir():
        if not path.name.startswith("tokenizer"):
            (bare / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelFormatError, match=r"no tokenizer\.json"):
        LocalEngine.load(bare, device="cpu")
    write_tokenizer(other)
    engine = LocalEngine.load(bare, device="cpu", tokenizer=other)
    asyncio.run(engine.close())
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([f"<more{i}>" for i in range(60)])
    tokenizer.save(str(other / "tokenizer.json"))
    with pytest.raises(ModelFormatError, match="the model 352"):
        LocalEngine.load(bare, device="cpu", tokenizer=other)
