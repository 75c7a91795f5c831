"""``npc eval calls``, a command of eval.py: what random weights write under a constraint is speech and valid calls."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from npc_sdk.settings import model_folder

if TYPE_CHECKING:
    from npc_sdk.cli.bench import Screen
    from npc_sdk.evals.validity.run import Tally
    from npc_sdk.evals.validity.tool_set import ToolSet

DIALECTS = ("nemotron", "hermes", "llama3", "mistral")


def calls(
    generations: Annotated[int, typer.Option(help="How many for each dialect.", min=1)] = 500,
    tool_sets: Annotated[int, typer.Option(help="How many sets of tools are invented.", min=1)] = 80,
    data: Annotated[
        Path | None, typer.Option(help="Also BFCL's functions: the folder with BFCL_v4_*.json.", metavar="DIR")
    ] = None,
    dialect: Annotated[list[str] | None, typer.Option(help="Only this one; repeat it for several.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A model's folder; small random weights if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of tools, modes and draws.", min=0)] = 1,
    work: Annotated[
        Path | None, typer.Option(help="Where random weights are made; a folder of your cache.", metavar="DIR")
    ] = None,
) -> None:
    """Constrained generations of all kinds: does every call validate, is nothing spoken that is not speech?"""
    from npc_sdk.cli.bench import Screen
    from npc_sdk.evals.validity.tool_set import from_rows, invented

    sets = [invented(number) for number in range(tool_sets)]
    if data:  # by turns, so that few generations see both
        others = list(from_rows(data))
        pairs = itertools.zip_longest(itertools.islice(itertools.cycle(sets), max(len(others), tool_sets)), others)
        sets = [one for pair in pairs for one in pair if one is not None]
    with Screen() as screen:
        folder = model_folder(str(model)) if model else _random_model(work, screen)
        done = [
            (name, asyncio.run(_run(folder, name, sets, generations, seed, screen))) for name in dialect or DIALECTS
        ]
    Console().print(_table(done))
    faults = [f"{name}: {fault}" for name, tally in done for fault in tally.faults]
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)


def _random_model(work: Path | None, screen: Screen) -> Path:
    from npc_sdk.bench.shape import find_shape
    from npc_sdk.bench.store import Store, default_work

    return Store((work or default_work()).expanduser().resolve(), find_shape("tiny"), screen.say).int4()


async def _run(folder: Path, dialect: str, sets: list[ToolSet], generations: int, seed: int, screen: Screen) -> Tally:
    """One dialect's generations, on an engine of their own. Raises: NpcError."""
    from npc_sdk.engine.create import create_engine
    from npc_sdk.evals.validity.run import run

    engine = create_engine(folder, device="cpu", tool_format=dialect)
    done = itertools.count(1)
    try:
        return await run(
            engine, sets, generations, seed=seed, on_done=lambda: screen.advance(next(done), generations, dialect)
        )
    finally:
        await engine.close()


def _table(done: list[tuple[str, Tally]]) -> Table:
    table = Table(title="npc eval calls: what was written under a constraint")
    table.add_column("dialect")
    for column in ("generations", "tool sets", "with calls", "calls", "JSON replies", "tokens each", "ends", "faulty"):
        table.add_column(column, justify="right")
    for name, tally in done:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(tally.ends.items()))
        counts = (tally.generations, len(tally.tool_sets), tally.with_calls, tally.calls, tally.values)
        mean = f"{tally.tokens / tally.generations:.0f}"
        table.add_row(name, *map(str, counts), mean, ends, str(tally.faulty))
    return table
