"""`npc import PATH…`: character cards and lorebooks of other programs become content of ours, with a report.

Registered by cli/app.py. The work is done by npc_sdk/cards.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.errors import ContentError, SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from npc_sdk.cards.imported import ImportedBook, ImportedCard
    from npc_sdk.cards.report import Remark

PIPED_WIDTH = 160
_COLOURS = {"mapped": "green", "approximated": "yellow", "left": "dim"}


def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="Cards (PNG, JSON, CHARX, YAML) and lorebooks (JSON)."),
    ],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of characters.")] = Path("personas"),
    npc_id: Annotated[
        str, typer.Option("--as", metavar="NPC", help="The character's id; made of its name if not given.")
    ] = "",
    owner: Annotated[
        str, typer.Option("--for", metavar="NPC", help="Whose own lore a lorebook becomes; the world's if not given.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the report and write nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there, and remove what an import before left of its own.")
    ] = False,
    ours: Annotated[
        bool,
        typer.Option(
            "--ours",
            help="Take in what `npc export` added to the card's own fields; for files from people you trust.",
        ),
    ] = False,
) -> None:
    """Import character cards and lorebooks; tell of each part whether it was mapped, approximated or left."""
    from rich.console import Console

    from npc_sdk.cards.imported import import_file

    _check_names(paths, npc_id, owner)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    taken: dict[str, int] = {}
    for path in paths:
        found = import_file(path, npc_id=npc_id or owner, cast=_cast(into), is_ours=ours)
        console.rule(str(path), align="left", style="dim")
        show_remarks(found.report.remarks, console)
        typer.echo(_written(found, into, owner, taken, dry_run=dry_run, force=force))


def show_remarks(remarks: tuple[Remark, ...], console: Console) -> None:
    """A report as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for title in ("", "where", "what", "why"):
        table.add_column(title, overflow="fold")
    for remark in remarks:
        cells = (remark.fate, remark.place, remark.what, remark.why)
        table.add_row(*(Text(cell) for cell in cells), style=_COLOURS[remark.fate])
    console.print(table)


def _check_names(paths: list[Path], npc_id: str, owner: str) -> None:
    """Raises: SettingsError for options that do not go together, or a name that is no id."""
    from npc_sdk.cards.npc_id import freed, is_npc_id, is_reserved

    if npc_id and len(paths) > 1:
        raise SettingsError("--as names one character, and several files are given", hint="import them one by one")
    for option, name in (("--as", npc_id), ("--for", owner)):
        if is_reserved(name):
            raise SettingsError(f"{option}: {name!r} is reserved", hint=f"take another name: {freed(name)}")
        if name and not is_npc_id(name):
            raise SettingsError(f"{option}: {name!r} is no NPC id", hint="small letters, digits and _, a letter first")


def _written(
    found: ImportedCard | ImportedBook, into: Path, owner: str, taken: dict[str, int], *, dry_run: bool, force: bool
) -> str:
    """Writes what was imported and says where it is. Mutates: taken, so that two cards of one name get two folders."""
    from npc_sdk.cards.imported import ImportedCard
    from npc_sdk.cards.passage import unique

    if isinstance(found, ImportedCard):
        found = dataclasses.replace(found, npc_id=unique(found.npc_id, taken, "_", 48))
        told = _removals(found.stale(into) if force else [], is_done=not dry_run)
        if dry_run:
            return f"nothing written; it would be {into / found.npc_id}{told}"
        return f"written: {found.write(into, force=force)}{told}"
    home = into / (owner or "world")
    if owner and not home.is_dir():
        raise ContentError(f"there is no NPC {owner!r}", path=into, hint="import or write the character first")
    told = _removals(found.stale(home / "lore") if force else [], is_done=not dry_run)
    if dry_run:
        return f"nothing written; it would be {home / 'lore' / found.name}.yaml{told}"
    return "written: " + ", ".join(map(str, found.write(home / "lore", force=force))) + told


def _removals(stale: list[Path], *, is_done: bool) -> str:
    """What an earlier import wrote and this one does not."""
    told = "removed, as the import before wrote it" if is_done else "it would remove, as the import before wrote it"
    return "".join(f"\n{told}: {path}" for path in stale)


def _cast(into: Path) -> dict[str, str]:
    """What the characters of a content folder are called; one whose file has mistakes, by its id alone."""
    from npc_sdk.lore.content import cast_folders
    from npc_sdk.persona.load import PERSONA_FILE, read_persona

    personas = {folder.name: read_persona(folder / PERSONA_FILE).value for folder in cast_folders(into)[0]}
    return {npc_id: persona.name if persona else npc_id for npc_id, persona in personas.items()}
