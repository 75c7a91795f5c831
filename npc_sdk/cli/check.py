"""`npc check PATH…`: tells every mistake of personas, worlds and lore before a game meets it.

With --leaks it asks each character about everything that it must not know. Loads no model. Registered by cli/app.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.cli.check_format import Finding, Format, write
from npc_sdk.cli.check_path import Tally, look_at


def check(
    paths: Annotated[list[Path], typer.Argument(help="Content folders, single persona folders, or single files.")],
    form: Annotated[Format, typer.Option("--format", help="text for people, json for scripts, sarif for CI.")] = (
        Format.TEXT
    ),
    strict: Annotated[bool, typer.Option("--strict", help="Notes fail too.")] = False,
    leaks: Annotated[
        bool, typer.Option("--leaks", help="Ask each character about every fact that it must not know.")
    ] = False,
    state: option.StateFile = None,
) -> None:
    """Check personas, worlds and lore; print every mistake with its file, line and column. Exit status 1 if any."""
    tally = look_at(paths)
    asked = ""
    if leaks and not tally.problems:
        asked = _ask(paths, state, tally)
    findings = [Finding(problem, "error") for problem in tally.problems]
    findings += [Finding(note, "note") for note in tally.notes]
    for line in write(findings, form, "\n".join(filter(None, (_summary(tally), asked)))):
        typer.echo(line)
    if tally.problems or (strict and tally.notes):
        raise typer.Exit(1)


def _ask(paths: list[Path], state: Path | None, tally: Tally) -> str:
    """The leaks of every content folder, as mistakes. Mutates: tally. Raises: SettingsError, for the state."""
    from npc_sdk.cli.assembly import read_state
    from npc_sdk.cli.check_leaks import leak_problems

    return leak_problems(paths, read_state(state), tally)


def _summary(tally: Tally) -> str:
    looked_at = ", ".join(_plural(*count) for count in _counts(tally))
    problems, notes = tally.problems, tally.notes
    noted = f", {_plural(len(notes), 'note')}" if notes else ""
    if not problems:
        return f"{looked_at}: no mistakes{noted}"
    files = len({problem.path for problem in problems})
    return f"{looked_at}: {_plural(len(problems), 'mistake')} in {_plural(files, 'file')}{noted}"


def _counts(tally: Tally) -> list[tuple[int, str, str]]:
    counted = [(tally.npcs, "character", "characters"), (tally.entries, "lore entry", "lore entries")]
    return [*counted, (tally.kinds, "kind", "kinds")] if tally.kinds else counted


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
