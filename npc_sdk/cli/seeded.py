"""An engine whose every reply is drawn from one seed, so that a written evening can be played again."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator, Sequence

from npc_sdk.engine.interface import Engine, EngineInfo, EngineItem
from npc_sdk.engine.stats import EngineStats
from npc_sdk.events import Usage
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment

_STEP = 7919  # a prime: seeds that stand next to each other share no reply


class SeededEngine:
    """Wraps an engine; the n-th request that brings no seed of its own is drawn from the seed and n."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._seeds = itertools.count(seed * _STEP)

    @property
    def info(self) -> EngineInfo:
        """The wrapped engine's."""
        return self._engine.info

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """The wrapped engine's."""
        return self._engine.count_tokens(segments)

    def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        """The wrapped engine's, with the next seed."""
        if request.sampling.seed is None:
            sampling = dataclasses.replace(request.sampling, seed=next(self._seeds))
            request = dataclasses.replace(request, sampling=sampling)
        return self._engine.stream(request)

    async def prefill(self, request: PrefillRequest) -> Usage:
        """The wrapped engine's."""
        return await self._engine.prefill(request)

    def note_frame(self, frame_s: float) -> None:
        """The wrapped engine's."""
        self._engine.note_frame(frame_s)

    def forget(self, front: Sequence[Segment], kept: Sequence[Segment] = ()) -> None:
        """The wrapped engine's."""
        self._engine.forget(front, kept)

    def stats(self) -> EngineStats:
        """The wrapped engine's."""
        return self._engine.stats()

    def cancel(self, request_id: str) -> None:
        """The wrapped engine's."""
        self._engine.cancel(request_id)

    async def close(self) -> None:
        """The wrapped engine's."""
        await self._engine.close()
