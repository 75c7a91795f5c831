"""The `npc` command and its exit codes: 0 done, 1 failed, 2 asked wrongly. Registers the subcommands.

Imports nothing heavy: a subcommand loads models and worlds when it runs.
"""

from __future__ import annotations

from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from npc_sdk.cli.attack import attack
from npc_sdk.cli.bench import app as bench
from npc_sdk.cli.chat import chat
from npc_sdk.cli.check import check
from npc_sdk.cli.eval import app as evals
from npc_sdk.cli.export import export
from npc_sdk.cli.import_ import import_
from npc_sdk.cli.models import app as models
from npc_sdk.cli.new import app as new
from npc_sdk.cli.play import play
from npc_sdk.cli.prompt import prompt
from npc_sdk.cli.serve import serve
from npc_sdk.cli.top import top
from npc_sdk.errors import NpcError

_wants_traceback: ContextVar[bool] = ContextVar("_wants_traceback", default=False)

app = typer.Typer(
    name="npc",
    help="Game characters that talk and act on this machine.",
    epilog="Settings come from a YAML file (--settings) and NPC_* variables over it, such as NPC_SERVER_PORT=6000.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (play, chat, serve, top, prompt, check, export):
    app.command()(command)
app.command("import")(import_)
app.add_typer(new, name="new")
app.add_typer(models, name="models")
bench.command()(attack)
app.add_typer(bench, name="bench")
app.add_typer(evals, name="eval")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        try:
            typer.echo(f"npc-sdk {version('npc-sdk')}")
        except PackageNotFoundError:
            typer.echo("npc-sdk from a source folder, not installed")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    _wants_traceback.set(debug)


def main() -> None:
    """Runs the command line; a mistake of the user's ends as a message and a hint, never as a traceback."""
    try:
        app(prog_name="npc")
    except NpcError as error:
        if _wants_traceback.get():
            raise
        typer.secho(f"Error: {str(error).removesuffix(f' ({error.hint})')}", fg="red", err=True)
        if error.hint:
            typer.echo(f"Hint: {error.hint}", err=True)
        raise SystemExit(1) from error
