"""``npc bench lore``: the world is the same for the same size, and every figure is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.bench import lore
from npc_sdk.bench.lore_world import MadeUpWorld
from npc_sdk.bench.runner.lore import LoreRunner, RandomVectors
from npc_sdk.lore.book import LoreBook


class _Silent:
    def say(self, text: str) -> None: ...

    def advance(self, done: int, total: int, what: str) -> None: ...


def test_the_world_is_the_same_each_time() -> None:
    one, other = MadeUpWorld(200), MadeUpWorld(200)
    assert one.entries == other.entries
    assert one.scans(5) == other.scans(5)
    assert len({entry.entry_id for entry in one.entries}) == 200


def test_its_questions_are_about_something() -> None:
    world = MadeUpWorld(500)
    book = LoreBook(world.entries)
    results = [book.search(scan) for scan in world.scans(40)]
    assert sum(bool(result.matches) for result in results) > 30
    assert any("key" in match.why for result in results for match in result.matches)


@pytest.mark.parametrize("model", [None, "random"])
def test_a_start_of_ours_is_measured(tmp_path: Path, model: str | None) -> None:
    runner = LoreRunner()
    runner.start({"passages": 300, "model": model})
    built = runner.do("build", {"cache": str(tmp_path)})
    assert built["seconds"] > 0
    assert built["disk_mb"] > 0
    asked = runner.do("ask", {"count": 20})
    assert 0 < asked["p50_ms"] <= asked["p95_ms"]


@pytest.mark.parametrize("peer", ["rank_bm25", "bm25s"])
def test_a_peer_is_measured(peer: str) -> None:
    pytest.importorskip(peer)
    runner = LoreRunner()
    runner.start({"passages": 300})
    assert runner.do(peer, {"count": 3})["p95_ms"] > 0


def test_random_vectors_have_length_one() -> None:
    vectors = RandomVectors().passages(["a", "b"])
    assert (vectors**2).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_the_bench_compares_what_it_measured(tmp_path: Path) -> None:
    board = lore.run(work=tmp_path, json_path=tmp_path / "f.json", runs=1, passages=200, semantic=None, watch=_Silent())
    assert board.is_whole
    figures = {(one.what, one.who) for one in board.rows()}
    assert ("query, p95, 200 passages", lore.OURS) in figures
    assert ("index, warm start, 200 passages", lore.WITH_RANDOM) in figures
    assert any(one.what.startswith("p95 of a fused query") and one.is_reached is not None for one in board.comparisons)
