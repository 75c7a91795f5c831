"""The options that several subcommands share, each with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from npc_sdk.errors import SettingsError

AUTH_HINT = "name the server's --token-file, or hand its token over as NPC_SERVER_TOKEN"

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
TokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--token-file", help="Where npc serve left the server's token: its line 'token FILE'.", metavar="FILE"
    ),
]


def read_token(path: Path) -> str:
    """What a --token-file holds. Raises: SettingsError, which does not show it."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        hint = "npc serve prints where it lies; it goes with its server"
        raise SettingsError(f"cannot read the token file {str(path)!r}: {exc}", hint=hint) from exc
    if not token:
        raise SettingsError(f"the token file {str(path)!r} is empty", hint="npc serve --token-file writes one")
    return token
