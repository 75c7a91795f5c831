"""`npc new world|persona|kind|lore`: files for writers to begin with, right as they are, with an example of each key.

Registered by cli/app.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from npc_sdk.errors import SettingsError

app = typer.Typer(help="Begin a world, a character, a kind of character or a page of lore.", no_args_is_help=True)

Personas: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="The content folder; ./personas or this folder if not given.", metavar="FOLDER"),
]


class LoreFormat(StrEnum):
    """How lore is written down."""

    MD = "md"
    YAML = "yaml"


@app.command()
def world(
    folder: Annotated[Path, typer.Argument(help="The content folder to make.")],
    name: Annotated[str | None, typer.Option(help="What the place is called; the folder's name if not given.")] = None,
) -> None:
    """Make a content folder: a world, a kind, a page of lore and one character, ready to be changed."""
    from npc_sdk.cli.new_file import disk_told, title_of, world_files

    with disk_told():
        called = name or title_of(folder.resolve().name.replace("-", "_").replace(" ", "_"))
        if not called.strip() or not called.isprintable():
            raise SettingsError(f"{called!r} is no name for a world", hint="give it one with --name")
        _write(folder, world_files(folder, called), f"npc check {folder}", f"npc chat wren --personas {folder}")


@app.command()
def persona(
    npc_id: Annotated[str, typer.Argument(metavar="NAME", help="The character's id, such as old_brann.")],
    name: Annotated[str | None, typer.Option(help="What people call it; made from the id if not given.")] = None,
    extends: Annotated[str | None, typer.Option(help="The kind that it is of.", metavar="KIND")] = None,
    personas: Personas = None,
) -> None:
    """Make a character: a persona.yaml in which every key is explained."""
    from npc_sdk.cli.new_file import checked_npc_id, content_root, disk_told, persona_files, title_of

    with disk_told():
        root, npc_id = content_root(personas), checked_npc_id(npc_id)
        files = persona_files(root, npc_id, name or title_of(npc_id), extends)
        _write(root, files, f"npc check {root / npc_id}", f"npc chat {npc_id} --personas {root}")


@app.command()
def kind(
    name: Annotated[str, typer.Argument(help="The kind's id, such as villager.")],
    personas: Personas = None,
) -> None:
    """Make a kind: what several characters share and take over with 'extends'."""
    from npc_sdk.cli.new_file import checked_name, content_root, disk_told, kind_files

    with disk_told():
        root, name = content_root(personas), checked_name(name, "kind")
        _write(root, kind_files(root, name), f"npc check {root}", f"npc new persona NAME --extends {name}")


@app.command()
def lore(
    name: Annotated[str, typer.Argument(help="The file's name without its suffix, such as places.")],
    npc_id: Annotated[
        str | None, typer.Option("--for", help="Whose own lore it is; the world's if not given.", metavar="NPC")
    ] = None,
    form: Annotated[LoreFormat, typer.Option("--format", help="Markdown or YAML.")] = LoreFormat.MD,
    personas: Personas = None,
) -> None:
    """Make a page of lore with an example of each attribute."""
    from npc_sdk.cli.new_file import checked_name, content_root, disk_told, lore_files

    with disk_told():
        root, name = content_root(personas), checked_name(name, "lorebook")
        _write(root, lore_files(root, name, npc_id, f".{form.value}"), f"npc check {root}")


def _write(root: Path, files: Mapping[Path, str], *next_steps: str) -> None:
    """Raises: SettingsError where a file is there already, or cannot be written."""
    from npc_sdk.cli.new_file import write_new

    for path in write_new(root, files):
        typer.echo(f"wrote {path}")
    typer.echo(f"next: {next_steps[0]}")
    for step in next_steps[1:]:
        typer.echo(f"      {step}")
