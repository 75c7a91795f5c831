"""`npc export NPC --out FILE`: a character as a card V2 or V3, for other programs.

Registered by cli/app.py. The work is done by npc_sdk/cards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from npc_sdk.cli.import_ import PIPED_WIDTH, show_remarks


def export(
    npc_id: Annotated[str, typer.Argument(metavar="NPC", help="The name of a persona's folder.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="A .png or .json file.")],
    version: Annotated[int, typer.Option(help="Of the card's specification.", min=2, max=3)] = 3,
    personas: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of characters.")] = Path("personas"),
    with_world_lore: Annotated[
        bool, typer.Option("--with-world-lore", help="Put in what of the world's lore the character knows.")
    ] = False,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave its secrets out, which a card shows to whoever opens it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
) -> None:
    """Export a character as a card; tell of each part whether it was mapped, approximated or left."""
    from rich.console import Console

    from npc_sdk.cards.exported import export_npc

    found = export_npc(
        personas, npc_id, version=version, with_world_lore=with_world_lore, with_secrets=not without_secrets
    )
    found.write(out, force=force)
    show_remarks(found.report.remarks, Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH))
    typer.echo(f"written: {out}")
