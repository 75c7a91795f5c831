"""A board as tables for people. Called by ``npc bench``."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from npc_sdk.bench.board import Board, Comparison

MARKS = {True: "yes", False: "no", None: ""}


def tables(board: Board) -> Iterator[RenderableType]:
    """The figures, the comparisons, what was left out, and what all of it was measured on."""
    yield _figures(board)
    if board.comparisons:
        yield _comparisons(board)
    for who, why in board.skipped.items():
        yield Text(f"skipped {who}: {why}", style="yellow")
    for note in board.notes:
        yield Text(note)
    yield Text("; ".join(f"{key} {value}" for key, value in board.machine.items()), style="dim")


def _figures(board: Board) -> Table:
    shape = board.settings.get("shape", "")
    table = Table(title=f"npc bench {board.bench}, {shape}" if shape else f"npc bench {board.bench}")
    for column in ("what", "engine"):
        table.add_column(column)
    for column in ("median", "unit", "noise", "runs"):
        table.add_column(column, justify="right")
    for one in board.rows():
        values = one.series
        noise = f"{values.noise:.0%}" if len(values.values) > 1 else ""
        table.add_row(one.what, one.who, f"{values.median:.4g}", one.unit, noise, str(len(values.values)))
    return table


def _comparisons(board: Board) -> Table:
    table = Table(title="against each other and against the aim")
    for column in ("what", "is", "wanted", "reached", "noise"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for one in board.comparisons:
        noise = f"{one.series.noise:.0%}" if len(one.series.values) > 1 else ""
        table.add_row(one.what, f"{one.series.median:.3g} {one.unit}", _wanted(one), MARKS[one.is_reached], noise)
    return table


def _wanted(one: Comparison) -> str:
    if one.target is None:
        return ""
    return f"{'at most' if one.is_most else 'at least'} {one.target:g}"
