"""The options that several subcommands share, each with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Engine: TypeAlias = Annotated[
    str | None,
    typer.Option(help="A model that ships (hearth), a model's folder, or 'scripted'.", metavar="NAME|FOLDER"),
]
Personas: TypeAlias = Annotated[
    Path | None, typer.Option(help="The folder of characters; the bundled village if not given.", metavar="FOLDER")
]
SettingsFile: TypeAlias = Annotated[Path | None, typer.Option("--settings", help="A settings file.", metavar="FILE")]
Player: TypeAlias = Annotated[str, typer.Option(help="What the characters call you.")]
StateFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--state", help="YAML or JSON with the variables that a game would set.", metavar="FILE"),
]
Seed: TypeAlias = Annotated[int | None, typer.Option(help="Draw the same words each time.", min=0)]
