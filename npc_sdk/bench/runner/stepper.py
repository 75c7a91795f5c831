"""The two measurements that every peer is asked for, on top of the one step that each of them brings."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from npc_sdk.bench.runner.interface import Figures, decode_figures, prefill_figures


class Stepper(ABC):
    """A peer that is stepped by hand, one prompt at a time."""

    @abstractmethod
    def start(self, options: Mapping[str, Any]) -> Figures:
        """Loads options["model"]."""

    @abstractmethod
    def prefill(self, ids: Sequence[int], room: int) -> int:
        """Forgets what was, reads a prompt, says its first token. room: tokens that will follow."""

    @abstractmethod
    def step(self, token_id: int) -> int:
        """Reads one token and says the next."""

    @abstractmethod
    def close(self) -> None:
        """Frees the model."""

    def use_threads(self, threads: int) -> None:
        """Changes the number of threads; most take it at the start only."""
        raise LookupError(f"cannot change to {threads} threads while it runs")

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        """Decode or prefill."""
        if arguments.get("threads"):
            self.use_threads(arguments["threads"])
        ids = list(arguments["ids"])
        if order == "prefill":
            started = time.perf_counter()
            self.prefill(ids, 1)
            return prefill_figures(len(ids), time.perf_counter() - started)
        if order == "decode":
            return self._decode(ids, arguments["tokens"])
        raise LookupError(f"there is no order {order!r} for this engine")

    def _decode(self, ids: Sequence[int], tokens: int) -> Figures:
        token_id, times = self.prefill(ids, tokens), []
        for _ in range(tokens - 1):
            started = time.perf_counter()
            token_id = self.step(token_id)
            times.append(time.perf_counter() - started)
        return decode_figures(times)
