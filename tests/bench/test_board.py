"""The harness: figures alternate, noise is stated, failures are told, an interrupted bench is gone on from."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from npc_sdk.bench.board import Board, Comparison, Turn, alternate, once
from npc_sdk.bench.report import tables
from npc_sdk.bench.series import Series, paired_ratio, percentile
from npc_sdk.errors import EngineCrashed, SettingsError

from .conftest import Silence


def _board(path: Path | None = None, **settings: object) -> Board:
    return Board("trial", {"shape": "tiny", **settings}, {"cores": "2"}, path)


def _turn(what: str, who: str, measure: Callable[[int], float]) -> Turn:
    return Turn(what, who, "s", measure)


@pytest.mark.parametrize(
    ("values", "median", "noise"),
    [((2.0,), 2.0, 0.0), ((1.0, 3.0, 2.0), 2.0, 1.0), ((4.0, 2.0), 3.0, 2 / 3), ((0.0, 0.0), 0.0, 0.0)],
    ids=["one", "three", "even", "zero"],
)
def test_a_series_states_median_and_noise(values: tuple[float, ...], median: float, noise: float) -> None:
    assert Series(values).median == median
    assert Series(values).noise == pytest.approx(noise)


def test_an_empty_series_is_not_a_number() -> None:
    assert math.isnan(Series(()).median)
    assert math.isnan(percentile([], 0.5))


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.0, 1)], ids=["median", "p95", "all", "none"]
)
def test_percentiles_are_values_that_were_measured(share: float, expected: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == expected


def test_ratios_are_taken_run_by_run() -> None:
    assert paired_ratio(Series((2.0, 30.0)), Series((1.0, 10.0))).values == (2.0, 3.0)


def test_turns_alternate(silence: Silence) -> None:
    order: list[tuple[str, int]] = []
    turns = [_turn("decode", who, lambda run, who=who: order.append((who, run)) or 1.0) for who in ("ours", "theirs")]
    alternate(turns, 3, _board(), silence)
    assert order == [(who, run) for run in range(3) for who in ("ours", "theirs")]


def test_a_turn_that_fails_is_told_and_the_others_go_on(silence: Silence) -> None:
    asked: list[int] = []

    def fail(run: int) -> float:
        asked.append(run)
        raise EngineCrashed("it fell over")

    board = _board()
    alternate([_turn("decode", "theirs", fail), _turn("decode", "ours", float)], 2, board, silence)
    assert asked == [0]
    assert board.skipped == {"decode: theirs": "it fell over"}
    assert board.series("decode", "ours").values == (0.0, 1.0)


def test_what_has_the_same_reason_stands_together() -> None:
    board = _board()
    for who in ("a", "b"):
        board.skip(who, "not installed")
    assert board.skipped == {"a; b": "not installed"}


def test_figures_of_one_playing_play_it_once_and_fail_together() -> None:
    played: list[int] = []

    @once
    def play(run: int) -> float:
        played.append(run)
        if run == 1:
            raise EngineCrashed("it fell over")
        return 2.0

    assert [play(0), play(0)] == [2.0, 2.0]
    for _ in range(2):
        with pytest.raises(EngineCrashed, match="it fell over"):
            play(1)
    assert played == [0, 1]


@pytest.mark.parametrize(
    ("value", "target", "is_most", "reached"),
    [(2.0, 1.5, False, True), (1.0, 1.5, False, False), (1.0, 1.5, True, True), (2.0, 1.5, True, False)],
    ids=["above", "below", "within", "over"],
)
def test_a_comparison_says_whether_the_aim_is_reached(
    value: float, target: float, is_most: bool, reached: bool
) -> None:
    assert Comparison("x", Series((value,)), target, is_most).is_reached is reached


@pytest.mark.parametrize(("values", "target"), [((), 1.0), ((1.0,), None)], ids=["not measured", "no aim"])
def test_without_figure_or_aim_nothing_is_reached(values: tuple[float, ...], target: float | None) -> None:
    assert Comparison("x", Series(values), target).is_reached is None


def test_only_what_was_measured_is_compared() -> None:
    board = _board()
    board.add("decode", "ours", "tokens/s", 4.0)
    board.compare("against nobody", ("decode", "ours"), ("decode", "theirs"), 1.0)
    assert board.comparisons == []
    board.add("decode", "theirs", "tokens/s", 2.0)
    board.compare("against them", ("decode", "ours"), ("decode", "theirs"), 1.0)
    assert [one.series.values for one in board.comparisons] == [(2.0,)]


def test_the_best_is_the_one_with_the_best_median() -> None:
    board = _board()
    for who, value in (("one", 1.0), ("two", 2.0)):
        board.add("decode", who, "tokens/s", value)
    assert board.best("decode", ["one", "two", "three"]) == "two"
    assert board.best("decode", ["one", "two"], is_least=True) == "one"
    assert board.best("prefill", ["one"]) is None


def test_an_interrupted_bench_is_gone_on_from(tmp_path: Path, silence: Silence) -> None:
    path = tmp_path / "figures.json"
    first = _board(path)
    alternate([_turn("decode", "ours", float)], 2, first, silence)
    second, asked = _board(path), []
    assert second.resume() == 2
    alternate([_turn("decode", "ours", lambda run: asked.append(run) or 9.0)], 3, second, silence)
    assert asked == [2]
    assert second.series("decode", "ours").values == (0.0, 1.0, 9.0)


def test_a_whole_bench_or_one_of_other_settings_is_not_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    board = _board(path)
    board.add("decode", "ours", "tokens/s", 1.0)
    assert _board(path, runs=5).resume() == 0
    board.finish()
    assert _board(path).resume() == 0


@pytest.mark.parametrize("content", ["no json", "[]", '{"is_whole": false}'], ids=["text", "list", "keys"])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "figures.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match="no result of a bench"):
        _board(path).resume()


def test_the_file_and_the_tables_hold_everything(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    board = _board(path)
    for value in (4.0, 5.0, 6.0):
        board.add("decode", "ours", "tokens/s", value)
    board.limit("decode", ("decode", "ours"), 4.5)
    board.skip("theirs", "not installed")
    board.notes.append("on the same weights")
    board.finish()
    stored = json.loads(path.read_text())
    assert stored["figures"] == [
        {"what": "decode", "who": "ours", "unit": "tokens/s", "median": 5.0, "noise": 0.4, "values": [4.0, 5.0, 6.0]}
    ]
    assert stored["comparisons"][0]["is_reached"] is False
    out = Console(file=io.StringIO(), width=200)
    for part in tables(board):
        out.print(part)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    for word in ("ours", "40%", "at most 4.5", "no", "skipped theirs: not installed", "on the same weights", "cores 2"):
        assert word in text
