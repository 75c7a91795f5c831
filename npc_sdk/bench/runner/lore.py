"""The lore search in a process of its own: what an index costs to make, to load and to ask. And two peers beside it.

The peers rank the same words of the same passages; they know no scopes, no keys and give no reasons.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from npc_sdk.bench.lore_world import MadeUpWorld
from npc_sdk.bench.machine import memory_bytes
from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.series import percentile
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.language import ENGLISH
from npc_sdk.lore.lexical import Floats
from npc_sdk.lore.overlay import indexed_text
from npc_sdk.lore.scan import Scan
from npc_sdk.lore.semantic import Embedder, OnDone, load_embedder

LIMIT = 4
RANDOM_DIMENSIONS = 384


class RandomVectors:
    """An Embedder that knows nothing and costs nothing: what is left is the search itself."""

    fingerprint = f"random-{RANDOM_DIMENSIONS}"

    def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:
        """Shapes: (texts, dimensions)."""
        drawn = np.random.default_rng(len(texts)).standard_normal((len(texts), RANDOM_DIMENSIONS), dtype=np.float32)
        if on_done:
            on_done(len(texts))
        vectors: Floats = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return vectors

    def query(self, text: str) -> Floats:
        """Shapes: (dimensions,)."""
        vector: Floats = self.passages([text])[0]
        return vector


class LoreRunner:
    """options: passages; model: a sentence-transformers folder, "random" or none."""

    def start(self, options: Mapping[str, Any]) -> Figures:
        self._world = MadeUpWorld(int(options["passages"]))
        self._embedder = _embedder(options.get("model"))
        return {}

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        orders: Mapping[str, Callable[..., Figures]] = {
            "build": self._build,
            "ask": self._ask,
            "rank_bm25": self._rank_bm25,
            "bm25s": self._bm25s,
        }
        return orders[order](**arguments)

    def close(self) -> None:
        """Nothing outlives the process."""

    def _build(self, cache: str) -> Figures:
        """A book with its indexes; from the cache where they are kept there."""
        before, _ = memory_bytes()
        started = time.perf_counter()
        self._book = LoreBook.build(self._world.entries, embedder=self._embedder, cache_dir=cache)
        seconds = time.perf_counter() - started
        after, _ = memory_bytes()
        disk = sum(path.stat().st_size for path in Path(cache).iterdir())
        return {"seconds": seconds, "memory_mb": (after - before) / 2**20, "disk_mb": disk / 2**20}

    def _ask(self, count: int) -> Figures:
        """The first query apart: it comes to cold caches."""
        scans = self._world.scans(count + 1)
        first, *times = [_timed(self._book, scan) for scan in scans]
        return {"first_ms": first, **_spread(times)}

    def _rank_bm25(self, count: int) -> Figures:
        library: Any = importlib.import_module("rank_bm25")
        return self._peer(
            library.BM25Okapi, lambda index, stems: index.get_top_n(stems, self._world.entries, LIMIT), count
        )

    def _bm25s(self, count: int) -> Figures:
        library: Any = importlib.import_module("bm25s")

        def build(texts: list[list[str]]) -> Any:
            index = library.BM25()
            index.index(texts, show_progress=False)
            return index

        return self._peer(build, lambda index, stems: index.retrieve([stems], k=LIMIT, show_progress=False), count)

    def _peer(
        self, build: Callable[[list[list[str]]], Any], ask: Callable[[Any, list[str]], object], count: int
    ) -> Figures:
        started = time.perf_counter()
        index = build([ENGLISH.content_stems(indexed_text(entry)) for entry in self._world.entries])
        seconds = time.perf_counter() - started
        times = []
        for scan in self._world.scans(count):
            asked = time.perf_counter()
            ask(index, ENGLISH.content_stems(scan.words))
            times.append(1000 * (time.perf_counter() - asked))
        return {"seconds": seconds, **_spread(times)}


def _embedder(model: str | None) -> Embedder | None:
    if model is None:
        return None
    return RandomVectors() if model == "random" else load_embedder(model)


def _timed(book: LoreBook, scan: Scan) -> float:
    started = time.perf_counter()
    book.search(scan, limit=LIMIT)
    return 1000 * (time.perf_counter() - started)


def _spread(times_ms: Sequence[float]) -> Figures:
    return {"p50_ms": percentile(times_ms, 0.5), "p95_ms": percentile(times_ms, 0.95)}
