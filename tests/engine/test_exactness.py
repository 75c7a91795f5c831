"""At temperature 0, batching, chunks, reuse, fronts ahead of time, drafts and giving way change no token: random
schedules against the plain path.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npc_sdk.engine.local import sequence as sequence_module
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, CacheShape
from npc_sdk.engine.local.config import load_config
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.engine.local.speculation import Speculation
from npc_sdk.errors import RequestError
from npc_sdk.requests import GenerateRequest, PrefillRequest, Priority, Segment
from npc_sdk.settings import CacheDtype

from .conftest import Zoo
from .prophet import Book, Prophet
from .streams import ask, assert_nobody_lives, collect

# Byte-level words of known length, so that prompts end on both sides of a block's edge and branch inside and at blocks.
RULES = "q" * BLOCK_TOKENS
LORE = "the forge of the village " * 3
STARTS = ("", "q" * 30, RULES, RULES + LORE)
ENDS = ("hello?", "any work for me", "z" * 40, "z" * 41 + "!")
MODELS = ("nemotron int4", "qwen2 int4", "llama")
NEW_TOKENS = 40
# What the model computes in, and what its cache stores.
CACHES: dict[str, tuple[torch.dtype, CacheDtype | None]] = {
    "float32": (torch.float32, None),
    "bfloat16": (torch.bfloat16, None),
    "float32 in int8": (torch.float32, "int8"),
    "bfloat16 in int8": (torch.bfloat16, "int8"),
}

Prompt: TypeAlias = tuple[str, str, bool]  # front, words, and whether the front is named as stable


@dataclass(frozen=True)
class Arrival:
    """A request and how long it waits before it comes.

    Its front may be named as stable, and some of its words may be sent before; the game may report a late frame.
    """

    start: int
    end: int
    is_stable: bool
    typed: int | None
    is_late: bool
    new_tokens: int
    priority: Priority
    wait_s: float
    is_cancelled: bool

    @property
    def prompt(self) -> Prompt:
        return STARTS[self.start], ENDS[self.end], self.is_stable


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        start=st.integers(0, len(STARTS) - 1),
        end=st.integers(0, len(ENDS) - 1),
        is_stable=st.booleans(),
        typed=st.sampled_from([None, None, 0, 3, 12]),
        is_late=st.booleans(),
        new_tokens=st.integers(1, NEW_TOKENS),
        priority=st.sampled_from([Priority.PLAYER] * 4 + list(Priority)),
        wait_s=st.sampled_from([0.0, 0.0, 0.002, 0.01]),
        is_cancelled=st.sampled_from([False, False, True]),
    ),
    min_size=3,
    max_size=8,
)
LIMITS = st.builds(
    Limits,
    running=st.sampled_from([1, 2, 4, 8]),
    chunk_tokens=st.sampled_from([7, 40, 64, 256]),
    busy_chunk_tokens=st.sampled_from([9, 64, 256]),
    ageing_s=st.sampled_from([0.005, 1000.0]),
    draft_tokens=st.sampled_from([0, 2, 7]),
)


class Watched:
    """An engine whose sequences are kept, for their token ids: text hides what a cut-off character was."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.sequences: dict[str, Sequence] = {}
        enter = engine._enter

        def keep(request: GenerateRequest, inbox: Any, **options: Any) -> Sequence:
            return self.sequences.setdefault(request.request_id, enter(request, inbox, **options))

        engine._enter = keep  # type: ignore[method-assign]

    async def ids(self, request: GenerateRequest) -> list[int]:
        """A reply's token ids."""
        await collect(self.engine, request)
        sequence = self.sequences[request.request_id]
        return sequence.tokens[sequence.prompt_tokens :]


@dataclass
class Bench:
    """Engines over one model, and what its plain path says: one at a time, nothing kept, whole prompts."""

    folder: Path
    cache: str
    known: dict[Prompt, list[int]] = field(default_factory=dict, repr=False)
    book: Book = field(default_factory=dict, repr=False)

    def engine(self, blocks: int, limits: Limits) -> Watched:
        """A new engine with a pool of so many blocks, a window at least."""
        config, (dtype, cache_dtype) = load_config(self.folder), CACHES[self.cache]
        sizes = (config.layers, config.kv_heads, config.head_dim)
        shape = CacheShape(*sizes, dtype, torch.device("cpu"), is_int8=cache_dtype == "int8")
        options: dict[str, Any] = {"dtype": str(dtype).removeprefix("torch."), "cache_dtype": cache_dtype}
        engine = LocalEngine.load(
            self.folder, device="cpu", cache_bytes=blocks * shape.block_bytes, limits=limits, **options
        )
        assert engine.prefix_cache._pool.shape == shape
        return Watched(engine)

    async def plain(self, prompt: Prompt) -> list[int]:
        """The plain path's ids; each prompt is asked for once."""
        if prompt not in self.known:
            watched = self.engine(0, Limits(running=1, chunk_tokens=10_000, draft_tokens=0))
            self.known[prompt] = await watched.ids(_request("plain", prompt, NEW_TOKENS))
            sequence = watched.sequences["plain"]
            self.book[tuple(sequence.tokens[: sequence.prompt_tokens])] = sequence.tokens
            await watched.engine.close()
        return self.known[prompt]

    async def both(self, arrivals: list[Arrival], limits: Limits, blocks: int) -> tuple[list[Any], list[Any]]:
        """The ids under a schedule and those of the plain path, as far as both go."""
        expected = [await self.plain(one.prompt) for one in arrivals]
        watched = self.engine(blocks, limits)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sequence_module, "Guesser", lambda tokens: Prophet(tokens, self.book, Random(0)))
            patch.setattr(Speculation, "share_out", lambda _self, guesses: [len(guess.ids) for guess in guesses])
            said = await asyncio.gather(*(_say(watched, f"r{i}", one) for i, one in enumerate(arrivals)))
        await assert_nobody_lives(watched.engine)
        watched.engine.prefix_cache.check_integrity()
        assert watched.engine.stats().cache.used_bytes == 0
        await watched.engine.close()
        return list(said), [whole[: len(ids)] for whole, ids in zip(expected, said, strict=True)]


def _request(name: str, prompt: Prompt, new_tokens: int, priority: Priority = Priority.PLAYER) -> GenerateRequest:
    start, end, is_stable = prompt
    request = ask(name, max_new_tokens=new_tokens, priority=priority)
    segments = (Segment(start, is_trusted=True), Segment(end, is_trusted=True))
    return dataclasses.replace(request, segments=segments, bulk_segments=1 if is_stable else None)


async def _type(watched: Watched, name: str, arrival: Arrival, typed: int) -> None:
    """Sends a front of some of the words ahead; what it is refused for is the reply's trouble."""
    start, end, is_stable = arrival.prompt
    segments = (Segment(start, is_trusted=True), Segment(end[:typed], is_trusted=True))
    front = PrefillRequest(f"{name}/front", segments, bulk_segments=1 if is_stable else None)
    with contextlib.suppress(RequestError):
        await watched.engine.prefill(front)


async def _say(watched: Watched, name: str, arrival: Arrival) -> list[int]:
    """One request's ids, asked for after its wait; a cancelled one is cancelled some turns later."""
    await asyncio.sleep(arrival.wait_s)
    if arrival.is_cancelled:
        asyncio.get_running_loop().call_later(0.01, watched.engine.cancel, name)
    if arrival.is_late:
        watched.engine.note_frame(0.05)
    typing = None if arrival.typed is None else asyncio.create_task(_type(watched, name, arrival, arrival.typed))
    ids = await watched.ids(_request(name, arrival.prompt, arrival.new_tokens, arrival.priority))
    if typing is not None:
        await typing
    return ids


@pytest.fixture(scope="module")
def benches(zoo: Zoo) -> dict[tuple[str, str], Bench]:
    """By model and cache."""
    folders = {name: (zoo.int4 if name.endswith("int4") else zoo.full)(name.split()[0])[0] for name in MODELS}
    return {(name, cache): Bench(folder, cache) for name, folder in folders.items() for cache in CACHES}


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("model", MODELS)
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arrivals=ARRIVALS, limits=LIMITS, blocks=st.sampled_from([0, 4, 30]))
def test_no_schedule_changes_a_token(
    benches: dict[tuple[str, str], Bench], model: str, cache: str, arrivals: list[Arrival], limits: Limits, blocks: int
) -> None:
    said, expected = asyncio.run(benches[model, cache].both(arrivals, limits, blocks))
    assert said == expected
