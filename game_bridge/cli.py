"""The `npc-bridge` command: what a programmer wants to see of the bridge. Exit codes: 0 done, 1 failed, 2 usage."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from game_bridge.credential import find_credential
from game_bridge.settings import DEFAULT_ADDRESS
from game_bridge.trace.file import TraceWriter, read_trace
from game_bridge.trace.record import Recorder
from game_bridge.trace.replay import PATIENCE_S, Playing, play
from game_bridge.trace.show import json_of, line_of
from npc_sdk.cli import option
from npc_sdk.errors import AuthenticationFailed, NpcError, SettingsError

app = typer.Typer(
    name="npc-bridge",
    help="Look at the traffic between a game and its NPC server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
trace = typer.Typer(help="Record the traffic, show it, play it again.", no_args_is_help=True)
app.add_typer(trace, name="trace")
TraceFile: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE")]


@trace.command()
def record(
    file: TraceFile,
    listen: Annotated[
        int, typer.Option(help="The port for the game, on 127.0.0.1; 0 takes any free one.", min=0, max=65535)
    ] = 0,
    to: Annotated[str, typer.Option(help="Where the server listens.")] = DEFAULT_ADDRESS,
    without_pictures: Annotated[
        bool, typer.Option("--without-pictures", help="Keep only the sizes of pictures; such a trace is not replayed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file, if it is there.")] = False,
) -> None:
    """Stand between a game and its server and write down every message, until Ctrl-C.

    Prints "ready ADDRESS": let the game connect there, with the server's own token. What players say stands in the
    file, the token does not. Connections with a CURVE key pass, but cannot be read.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    writer = TraceWriter(file, has_pictures=not without_pictures, replaces=force)
    asyncio.run(_record(writer, listen, to))


async def _record(writer: TraceWriter, port: int, server: str) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where whoever started us had SIGINT ignored
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with Recorder(writer, port, server) as recorder:
        typer.echo(f"ready {recorder.address}")
        waits = [asyncio.ensure_future(recorder.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()


@trace.command()
def show(
    file: TraceFile,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, with nothing cut.")] = False,
) -> None:
    """Print a trace, a line a message."""
    for one in read_trace(file):
        typer.echo(json_of(one) if as_json else line_of(one))


@trace.command()
def replay(
    file: TraceFile,
    to: Annotated[str, typer.Option(help="Where the server listens.")] = DEFAULT_ADDRESS,
    speed: Annotated[float, typer.Option(help="Of the recorded pauses: 2 halves them.", min=0.01)] = 1.0,
    token: Annotated[
        str | None,
        typer.Option(
            help="What to show; else NPC_SERVER_TOKEN, else the file of npc serve. "
            "Other users see it in the process list; with --token-file they do not."
        ),
    ] = None,
    token_file: option.TokenFile = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Replies must have the same words, too: wants a server started with --seed."),
    ] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait for an answer.", min=0.1)] = PATIENCE_S,
) -> None:
    """Play the games' side of a trace against a server; exit status 1 when replies end otherwise than they did."""
    if token is not None and token_file is not None:
        raise SettingsError("--token and --token-file are both given", hint="name one of them")
    shown = find_credential(to, option.read_token(token_file) if token_file else token, None)
    playing = Playing(to, shown if isinstance(shown, str) else "", speed, exact, patience)
    try:
        is_same = play(file, playing, typer.echo)
    except AuthenticationFailed as exc:
        raise AuthenticationFailed(exc.message, hint=option.AUTH_HINT) from exc
    if not is_same:
        raise typer.Exit(1)
    typer.echo("as recorded")


def main() -> None:
    """Runs the command line; a mistake of the user's ends as a message and a hint, never as a traceback."""
    try:
        app(prog_name="npc-bridge")
    except NpcError as error:
        typer.secho(f"Error: {str(error).removesuffix(f' ({error.hint})')}", fg="red", err=True)
        if error.hint:
            typer.echo(f"Hint: {error.hint}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
