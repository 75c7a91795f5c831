"""``npc eval``: how well a model does on published tests, and the lore search on ours. Torch loads only with a model.

The published tests' rows are not part of this package; --data names where they are.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.cli.eval_calls import calls
from npc_sdk.cli.eval_lore import lore
from npc_sdk.evals.bfcl.category import Category

if TYPE_CHECKING:
    from npc_sdk.engine.interface import Engine
    from npc_sdk.evals.bfcl.ask import Asking
    from npc_sdk.evals.bfcl.result import Result
    from npc_sdk.evals.bfcl.row import Row
    from npc_sdk.evals.bfcl.store import ResultFile
    from npc_sdk.settings import Settings

app = typer.Typer(help="Measure what a model can do, on published tests and on ours.", no_args_is_help=True)
app.command()(calls)
app.command()(lore)
PIPED_WIDTH = 160


@app.command()
def bfcl(
    data: Annotated[
        Path,
        typer.Option(help="The folder with the leaderboard's BFCL_v4_*.json and possible_answer/.", metavar="DIR"),
    ],
    category: Annotated[
        list[Category] | None, typer.Option(help="Only this category; repeat it for several. All if not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first rows of each category.", min=1)] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep each row's result here; the same command goes on from it.", metavar="FILE.jsonl"),
    ] = None,
    is_constrained: Annotated[
        bool, typer.Option("--constrained/--free", help="Keep calls valid for their schema, or let the model write.")
    ] = True,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token each time.", min=0, max=2)] = 0.0,
    reply_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.", min=1, max=4096)] = 512,
    in_flight: Annotated[int, typer.Option(help="How many rows are asked at a time.", min=1, max=64)] = 8,
    seed: option.Seed = None,
    engine: option.Engine = None,
    settings: option.SettingsFile = None,
) -> None:
    """The Berkeley Function-Calling Leaderboard: are the right functions called with the right arguments?"""
    from npc_sdk.cli.assembly import read_settings
    from npc_sdk.evals.bfcl.ask import Asking
    from npc_sdk.evals.bfcl.row import read_rows
    from npc_sdk.requests import Sampling

    chosen = read_settings(settings, engine=engine)
    rows = [row for one in dict.fromkeys(category or Category) for row in read_rows(data, one)[:limit]]
    sampling = Sampling(temperature=temperature, max_new_tokens=reply_tokens, seed=seed)
    _show(_measure(chosen, rows, Asking(is_constrained, sampling), out, in_flight), chosen, is_constrained)


def _measure(chosen: Settings, rows: Sequence[Row], asking: Asking, out: Path | None, in_flight: int) -> list[Result]:
    """Opens the engine, asks what is not in the file yet, and closes it. Raises: NpcError."""
    from rich.console import Console

    from npc_sdk.cli.assembly import open_engine
    from npc_sdk.cli.terminal import loading
    from npc_sdk.evals.bfcl.setting import setting_of
    from npc_sdk.evals.bfcl.store import ResultFile

    with asyncio.Runner() as runner:
        with loading(Console(stderr=True), chosen.engine.model) as on_progress:
            model = open_engine(chosen, on_progress)
        try:
            file = ResultFile(out, setting_of(model.info, chosen.engine, asking)) if out else None
            return runner.run(_ask(model, rows, asking, file, in_flight))
        finally:
            runner.run(model.close())


async def _ask(
    model: Engine, rows: Sequence[Row], asking: Asking, file: ResultFile | None, in_flight: int
) -> list[Result]:
    """The results of all rows, those of the file first. Raises: NpcError."""
    from npc_sdk.cli.bench import Screen
    from npc_sdk.evals.bfcl.run import ask_rows

    results = _kept(rows, file.resume()) if file else []
    answered = {result.row_id for result in results}
    with Screen() as screen:

        def take(result: Result) -> None:
            if file:
                file.add(result)
            results.append(result)
            right = sum(one.is_right for one in results)
            screen.advance(len(results), len(rows), f"{len(results)} of {len(rows)} rows, {right} right")

        await ask_rows(model, [row for row in rows if row.row_id not in answered], asking, in_flight, take)
    return results


def _kept(rows: Sequence[Row], stored: Iterable[Result]) -> list[Result]:
    """The stored results of these very rows, the last of each."""
    wanted = {row.row_id: row.digest for row in rows}
    known = {result.row_id: result for result in stored if wanted.get(result.row_id) == result.digest}
    return list(known.values())


def _show(results: Sequence[Result], chosen: Settings, is_constrained: bool) -> None:
    from rich.console import Console

    from npc_sdk.evals.bfcl.report import tables

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    how = "calls kept valid" if is_constrained else "free"
    for part in tables(results, f"npc eval bfcl: {chosen.engine.model}, {how}"):
        console.print(part)
