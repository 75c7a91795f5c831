"""`npc play`: the sample game, in this process, with the NPC server as its child.

The game is found by name, so that the library depends on no sample.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from npc_sdk.cli import option
from npc_sdk.errors import Unsupported

GAME = "samples.tavern_text.__main__"


def play(
    script: Annotated[Path | None, typer.Option(help="A written evening to perform.", metavar="FILE")] = None,
    seed: option.Seed = None,
    engine: option.Engine = None,
    personas: option.Personas = None,
    transcript: Annotated[
        Path | None, typer.Option(help="Also write the evening to this file.", metavar="FILE")
    ] = None,
    player: option.Player = "Robin",
    settings: option.SettingsFile = None,
) -> None:
    """Play the sample game: an evening in the village of Alderwick.

    Starts the NPC server and the game together. Without a terminal, a written evening is performed.
    """
    arguments = _arguments(script=script, seed=seed, engine=engine, personas=personas)
    arguments += _arguments(transcript=transcript, player=player, settings=settings)
    raise typer.Exit(_game().main(arguments))


def _arguments(**options: object) -> list[str]:
    """The options that were given, as the game's own command line takes them."""
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


def _game() -> Any:
    """The sample game's module. Raises: Unsupported."""
    try:
        return import_module(GAME)
    except ModuleNotFoundError as exc:
        if not GAME.startswith(exc.name or " "):
            raise
        raise Unsupported("the sample game is not installed", hint="install npc-sdk with its samples") from exc
