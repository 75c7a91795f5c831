"""`npc play`: the sample game, in this process, with the NPC server as its child.

The game is found by name, so that the library depends on no sample.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

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
    try:
        game = import_module(GAME)
    except ModuleNotFoundError as exc:
        if not GAME.startswith(exc.name or " "):
            raise
        raise Unsupported("the sample game is not installed", hint="install npc-sdk with its samples") from exc
    options = {
        "script": script,
        "seed": seed,
        "engine": engine,
        "personas": personas,
        "transcript": transcript,
        "player": player,
        "settings": settings,
    }
    raise typer.Exit(game.main([f"--{name}={value}" for name, value in options.items() if value is not None]))
