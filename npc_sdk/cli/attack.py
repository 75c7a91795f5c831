"""``npc bench attack``: what a hostile peer could do to the bridge, done to a server of our own, in figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npc_sdk.cli.bench import JsonFile, Screen

if TYPE_CHECKING:
    from rich.table import Table

    from game_bridge.attack.verdict import Figure, Verdict


def attack(
    name: Annotated[
        str, typer.Argument(help="message, handshake, half-open, stall, soak, kill, fault, picture, call, or all.")
    ],
    whole: Annotated[bool, typer.Option("--whole", help="As much as the table of limits asks for: minutes.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Attack a server of our own and compare what happened with the limits; exit status 1 when one is broken.

    Bounded, and on loopback only: nothing but a server that this command starts is attacked.
    """
    from rich.console import Console

    from game_bridge.attack import catalog

    chosen, verdicts = catalog.named(name), []
    with Screen() as screen:
        for index, one in enumerate(chosen):
            screen.advance(index, len(chosen), f"{one.code} {one.name}")
            verdicts.append(one.run(whole, screen.say))
    if json_file is not None:
        _write(json_file, verdicts, whole)
    console = Console(highlight=False)
    console.print(table_of(verdicts))
    for verdict in verdicts:
        for note in verdict.notes:
            console.print(f"{verdict.code}: {note}", markup=False)
    if not all(verdict.has_passed for verdict in verdicts):
        raise typer.Exit(1)


def table_of(verdicts: Sequence[Verdict]) -> Table:
    """A row a figure."""
    from rich.table import Table

    table = Table(title="npc bench attack")
    for column in ("", "figure"):
        table.add_column(column)
    for column in ("value", "limit"):
        table.add_column(column, justify="right")
    table.add_column("")
    for verdict in verdicts:
        table.add_row(verdict.code, verdict.title, "", "", "kept" if verdict.has_passed else "BROKEN", style="bold")
        for figure in verdict.figures:
            table.add_row("", figure.name, _shown(figure.value, figure.unit), _limit_of(figure), _mark_of(figure))
        table.add_section()
    return table


def _limit_of(figure: Figure) -> str:
    bounds = (("at least", figure.least), ("at most", figure.limit))
    return ", ".join(f"{words} {_shown(bound, figure.unit)}" for words, bound in bounds if bound is not None)


def _mark_of(figure: Figure) -> str:
    if not figure.is_kept:
        return "BROKEN"
    return "" if figure.limit is None and figure.least is None else "kept"


def _shown(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
    return f"{number} {unit}".rstrip()


def _write(path: Path, verdicts: Sequence[Verdict], is_whole: bool) -> None:
    rows = [_as_json(verdict) for verdict in verdicts]
    path.write_text(json.dumps({"is_whole": is_whole, "attacks": rows}, indent=1), encoding="utf-8")


def _as_json(verdict: Verdict) -> dict[str, Any]:
    figures = [
        {
            "name": one.name,
            "value": one.value,
            "unit": one.unit,
            "limit": one.limit,
            "least": one.least,
            "is_kept": one.is_kept,
        }
        for one in verdict.figures
    ]
    return {
        "code": verdict.code,
        "title": verdict.title,
        "has_passed": verdict.has_passed,
        "figures": figures,
        "notes": list(verdict.notes),
    }
