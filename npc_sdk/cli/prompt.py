"""`npc prompt NPC WORDS`: what the model would be given, part by part, and why each passage is in or out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.messages import Message

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from npc_sdk.prompt.compile import CompiledPrompt
    from npc_sdk.prompt.trace import Part, Trace

MOST_UNSPOKEN = 60  # a village's lore; a world may hold 100,000 entries
PIPED_WIDTH = 160  # wide enough for most reasons, so that a piped table has one line a part


def prompt(
    npc_id: Annotated[str, typer.Argument(metavar="NPC", help="Who is spoken to: the name of a persona's folder.")],
    words: Annotated[str, typer.Argument(help="What the player says.")],
    state: option.StateFile = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            help="What was said before; repeat it: the player's line, the character's, and so on.", metavar="LINE"
        ),
    ] = None,
    player: option.Player = "Traveller",
    engine: option.Engine = None,
    personas: option.Personas = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every lore entry that nothing spoke for, however many.")
    ] = False,
    settings: option.SettingsFile = None,
) -> None:
    """Show the compiled prompt with the tokens of each part, and why each piece of lore is in or out."""
    from rich.console import Console

    from npc_sdk.cli.assembly import open_world, read_settings, read_state
    from npc_sdk.cli.terminal import loading

    chosen = read_settings(settings, engine=engine, personas=personas)
    values = read_state(state)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with asyncio.Runner() as runner:
        with loading(console, chosen.engine.model) as on_progress:
            world = open_world(chosen, on_progress)
        try:
            compiled = world.preview(npc_id, words, player=player, state=values, history=_messages(history or []))
        finally:
            runner.run(world.close())
    _show(compiled, console, most=None if everything else MOST_UNSPOKEN)


def _messages(lines: list[str]) -> tuple[Message, ...]:
    """The lines as turns, the player's first."""
    return tuple(Message("assistant" if index % 2 else "user", line) for index, line in enumerate(lines))


def _show(compiled: CompiledPrompt, console: Console, most: int | None) -> None:
    """The prompt itself exactly as it is, then its account."""
    trace = compiled.trace
    typer.echo("".join(segment.text for segment in compiled.segments))
    console.rule(style="dim")
    rest = trace.rest()
    console.print(_table(trace, list(islice(rest, most))))
    if more := sum(1 for _ in rest):
        console.print(f"and {more:,} lore entries more that nothing spoke for: --all lists them")
    for total in trace.books:
        console.print(f"{total.book}: {total.entries_in} in, {total.tokens_in} tokens; {total.entries_out} out")
    for part in trace.lost_essentials:
        console.print(f"essential and out: {part.name}: {part.why}", style="red")
    left = trace.window_tokens - trace.reply_tokens - trace.total_tokens
    console.print(
        f"{trace.total_tokens} tokens, and {trace.reply_tokens} kept for the reply, "
        f"of {trace.window_tokens} in the window: {left} left over"
    )


def _table(trace: Trace, rest: Sequence[Part]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for title in ("part", "name", "tokens", "", "why"):
        table.add_column(title, justify="right" if title == "tokens" else "left", overflow="fold")
    for part in sorted(
        (*trace.parts, *rest), key=lambda part: not part.is_in
    ):  # what is in, in its order, before what is not
        mark, colour = ("in", "green") if part.is_in else ("out", "dim")
        cells = (part.kind, part.name, str(part.tokens or ""), mark, part.why)
        table.add_row(*(Text(cell) for cell in cells), style=colour)
    return table
