"""Budgets: what is counted is what gets loaded, and what does not fit is refused with figures before that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from npc_sdk.engine.create import create_engine
from npc_sdk.engine.local import memory_budget
from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BlockPool, blocks_for
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.memory_budget import MB, free_bytes, plan_memory, workspace_bytes
from npc_sdk.errors import SettingsError
from npc_sdk.settings import bundled_models

from .conftest import Zoo

CPU = torch.device("cpu")


def tensors(part: Any) -> Iterator[torch.Tensor]:
    """Every tensor that some part of a decoder holds."""
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, tuple):
        for one in part:
            yield from tensors(one)
    elif type(part).__module__.startswith("npc_sdk.engine.local"):
        slots = getattr(type(part), "__slots__", None) or vars(part)
        for name in slots:
            yield from tensors(getattr(part, name))


@pytest.mark.parametrize("kind", ["nemotron", "llama"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("is_int4", [True, False], ids=["int4", "full"])
def test_weights_are_counted_as_they_are_loaded(
    zoo: Zoo, load: Callable[..., Decoder], kind: str, dtype: str, is_int4: bool
) -> None:
    folder = (zoo.int4 if is_int4 else zoo.full)(kind)[0]
    decoder = load(folder, dtype=dtype)
    parts = (decoder.embedding, decoder.blocks, decoder.head)
    held = {tensor.data_ptr(): tensor.nbytes for part in parts for tensor in tensors(part)}
    counted = plan_memory(folder, device="cpu", dtype=dtype).weight_bytes
    assert counted == pytest.approx(sum(held.values()), rel=0.02)  # tiles are padded


def test_the_pool_is_counted_as_it_is_made(zoo: Zoo) -> None:
    folder = zoo.int4("nemotron")[0]
    for cache_bytes in (0, 3_000_000):
        engine = LocalEngine.load(folder, device="cpu", cache_bytes=cache_bytes)
        plan = plan_memory(folder, device="cpu", cache_bytes=cache_bytes)
        assert engine.stats().cache.pool_bytes == plan.pool_bytes
        asyncio.run(engine.close())


@pytest.mark.parametrize("wide_rows", [0, 512, None], ids=["narrow", "wide", "compiled"])
def test_the_workspace_is_no_less_than_a_step_takes(
    load: Callable[..., Decoder], wide_rows: int | None, torch_kernels: Callable[[], None]
) -> None:
    is_compiled = wide_rows is None
    if not is_compiled:
        torch_kernels()
    decoder = load(bundled_models()["hearth"])
    context = decoder.config.context_tokens
    pool = BlockPool(decoder.cache_shape, blocks_for(context) + 1)
    cache = KVCache(pool)
    cache.reserve(context)
    cache.advance(context - 512)  # the last chunk of the longest prompt
    with torch.inference_mode(), torch.profiler.profile(profile_memory=True) as profile:
        batch = decoder.batch([Work(cache, list(range(512)), wide_rows or 0)])
        decoder.logits(decoder.hidden(batch, pool, lambda: None)[batch.sampled])
    held = most = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    counted = workspace_bytes(decoder.config, decoder.cache_shape.dtype, context, is_compiled=is_compiled)
    assert most <= counted <= 4 * most


def test_a_cache_that_nobody_set_takes_what_is_left(zoo: Zoo) -> None:
    folder = zoo.int4("nemotron")[0]
    free = plan_memory(folder, device="cpu")
    small = plan_memory(folder, device="cpu", memory_mb=40)
    assert small.cache_bytes < free.cache_bytes
    assert 39 * MB < small.total_bytes <= 40 * MB
    large = plan_memory(folder, device="cpu", memory_mb=4000)
    assert large == free


def test_an_engine_is_made_within_its_budget(zoo: Zoo) -> None:
    engine = create_engine(zoo.int4("nemotron")[0], device="cpu", threads=1, memory_mb=30)
    assert 0 < engine.stats().cache.pool_bytes < 30 * MB
    asyncio.run(engine.close())


def test_what_does_not_fit_is_refused_with_figures(zoo: Zoo) -> None:
    folder = zoo.int4("nemotron")[0]
    with pytest.raises(SettingsError) as caught:
        plan_memory(folder, device="cpu", memory_mb=1)
    for word in ("memory_mb is 1", "weights ", "cache ", "workspace ", str(folder), "raise it to"):
        assert word in str(caught.value)


def test_a_cache_that_was_set_is_not_shrunk_behind_ones_back(zoo: Zoo) -> None:
    folder = zoo.int4("nemotron")[0]
    with pytest.raises(SettingsError, match="lower cache_bytes to") as caught:
        plan_memory(folder, device="cpu", memory_mb=60, cache_bytes=200 * MB)
    fitting = int(caught.value.hint.split("lower cache_bytes to ")[1].split(";")[0])
    assert plan_memory(folder, device="cpu", memory_mb=60, cache_bytes=fitting).total_bytes <= 60 * MB


def test_a_smaller_window_and_int4_are_suggested_where_they_help(zoo: Zoo) -> None:
    folder = bundled_models()["hearth"]
    plan = plan_memory(folder, device="cpu", cache_bytes=0)
    budget = (plan.total_bytes - plan.pool_bytes // 2) // MB
    with pytest.raises(SettingsError, match="lower context_tokens to") as caught:
        plan_memory(folder, device="cpu", memory_mb=budget)
    fitting = int(caught.value.hint.split("lower context_tokens to ")[1].split()[0])
    assert plan_memory(folder, device="cpu", memory_mb=budget, context_tokens=fitting).total_bytes <= budget * MB
    assert "quantize" not in caught.value.hint
    with pytest.raises(SettingsError, match="npc models quantize"):
        plan_memory(zoo.full("nemotron")[0], device="cpu", memory_mb=1)


def test_less_free_memory_than_that_is_told_of(
    zoo: Zoo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plan_memory(zoo.int4("nemotron")[0], device="cpu")
    assert not caplog.text
    monkeypatch.setattr(memory_budget, "free_bytes", lambda _device: 5 * MB)
    plan_memory(zoo.int4("nemotron")[0], device="cpu")
    assert "the machine has 5 MB free" in caplog.text


def test_free_memory_is_read_where_the_system_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:       24682900 kB\nMemAvailable:    1024 kB\n")
    monkeypatch.setattr(memory_budget, "MEMINFO", told)
    assert free_bytes(CPU) == MB
    monkeypatch.setattr(memory_budget, "MEMINFO", tmp_path / "none")
    assert free_bytes(CPU) is None
