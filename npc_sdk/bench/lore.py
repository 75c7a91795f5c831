"""``npc bench lore``: what the lore search costs at 10,000 passages and at more, cold and warm, beside two peers.

Every start is a process of its own. Called by the command line.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npc_sdk.bench.board import Board, Turn, Watch, alternate, once
from npc_sdk.bench.child import Child
from npc_sdk.bench.machine import describe_machine

SMALL = 10_000
QUERIES, PEER_QUERIES = 500, 25
P95_MS_SMALL, P95_MS_LARGE = 5.0, 10.0
OURS, WITH_MEANING, WITH_RANDOM = "ours", "ours, with the model", "ours, with random vectors"
PEERS = {"rank_bm25": "rank-bm25", "bm25s": "bm25s"}
TIMEOUT_S = 3600.0  # a model needs minutes for 10,000 passages


@dataclass(frozen=True, slots=True)
class LoreBench:
    """One bench's surroundings. work is a folder for caches and logs; semantic a sentence-transformers folder."""

    board: Board
    watch: Watch
    work: Path
    runs: int
    passages: int
    semantic: Path | None

    def run(self) -> None:
        """Measures each size and compares with what is wanted."""
        self.work.mkdir(parents=True, exist_ok=True)
        sizes = sorted({min(SMALL, self.passages), self.passages})
        alternate([turn for size in sizes for turn in self._turns(size)], self.runs, self.board, self.watch)
        for size in sizes:
            most = P95_MS_SMALL if size <= SMALL else P95_MS_LARGE
            self.board.limit(f"p95 of a fused query, {size:,} passages", (_what("query, p95", size), OURS), most)
            self.board.compare(
                f"warm start, faster than cold, {size:,} passages",
                (_what("index, cold start", size), OURS),
                (_what("index, warm start", size), OURS),
            )
        self.board.finish()

    def _turns(self, size: int) -> Iterator[Turn]:
        yield from self._ours(size, OURS, None)
        yield from self._ours(size, WITH_RANDOM, "random")
        if self.semantic is not None and size <= SMALL:
            yield from self._ours(size, WITH_MEANING, str(self.semantic))
        for peer, package in PEERS.items():
            if importlib.util.find_spec(peer) is None:
                self.board.skip(peer, f"not installed: pip install {package}")
            else:
                yield from self._peer(size, peer)

    def _ours(self, size: int, who: str, model: str | None) -> Iterator[Turn]:
        @once
        def cold(run: int) -> Mapping[str, Any]:
            cache = self._cache(size, who)
            shutil.rmtree(cache, ignore_errors=True)
            return self._start(f"cold {who} {size} {run}", size, model, cache)

        @once
        def warm(run: int) -> Mapping[str, Any]:
            cold(run)
            return self._start(f"warm {who} {size} {run}", size, model, self._cache(size, who))

        yield Turn(_what("index, cold start", size), who, "s", _figure(cold, "seconds"))
        yield Turn(_what("index, warm start", size), who, "s", _figure(warm, "seconds"))
        yield Turn(_what("on disk", size), who, "MB", _figure(cold, "disk_mb"))
        yield Turn(_what("memory", size), who, "MB", _figure(warm, "memory_mb"))
        yield Turn(_what("first query", size), who, "ms", _figure(warm, "first_ms"))
        yield Turn(_what("query, median", size), who, "ms", _figure(warm, "p50_ms"))
        yield Turn(_what("query, p95", size), who, "ms", _figure(warm, "p95_ms"))

    def _peer(self, size: int, peer: str) -> Iterator[Turn]:
        @once
        def measured(run: int) -> Mapping[str, Any]:
            with self._child(f"{peer} {size} {run}", size, None) as child:
                return child.ask(peer, timeout_s=TIMEOUT_S, count=PEER_QUERIES)

        yield Turn(_what("index, cold start", size), peer, "s", _figure(measured, "seconds"))
        yield Turn(_what("query, median", size), peer, "ms", _figure(measured, "p50_ms"))
        yield Turn(_what("query, p95", size), peer, "ms", _figure(measured, "p95_ms"))

    def _start(self, name: str, size: int, model: str | None, cache: Path) -> Mapping[str, Any]:
        """One start of a game, and its questions."""
        with self._child(name, size, model) as child:
            built = child.ask("build", timeout_s=TIMEOUT_S, cache=str(cache))
            return {**built, **child.ask("ask", timeout_s=TIMEOUT_S, count=QUERIES)}

    def _child(self, name: str, size: int, model: str | None) -> Child:
        log = self.work / f"{name.replace(' ', '-').replace(',', '')}.log"
        return Child(name, "lore", {"passages": size, "model": model}, log)

    def _cache(self, size: int, who: str) -> Path:
        return self.work / f"cache-{size}-{who.replace(' ', '-').replace(',', '')}"


def run(*, work: Path, json_path: Path | None, runs: int, passages: int, semantic: Path | None, watch: Watch) -> Board:
    """The figures; an interrupted bench with the same settings is gone on from. Raises: SettingsError."""
    settings = {"passages": passages, "runs": runs, "semantic": semantic.name if semantic else ""}
    board = Board("lore", settings, describe_machine(), json_path)
    if kept := board.resume():
        board.notes.append(f"{kept} values are from a bench that was interrupted")
    LoreBench(board, watch, work, runs, passages, semantic).run()
    return board


def _what(figure: str, size: int) -> str:
    return f"{figure}, {size:,} passages"


def _figure(measure: Callable[[int], Mapping[str, Any]], name: str) -> Callable[[int], float]:
    return lambda run: float(measure(run)[name])
