"""``npc eval lore``, a command of eval.py: does the search find what a question is about, and how fast?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from npc_sdk.cli import option

PIPED_WIDTH = 160


def lore(
    cases: Annotated[
        Path | None, typer.Argument(help="A YAML file of cases; ours for the sample village if not given.")
    ] = None,
    personas: option.Personas = None,
    semantic: Annotated[
        Path | None,
        typer.Option(help="A sentence-transformers model's folder; searched by keys and words without.", metavar="DIR"),
    ] = None,
    min_similarity: Annotated[
        float | None, typer.Option(help="The least likeness of meaning that counts, 0 to 1.", min=0, max=1)
    ] = None,
    k: Annotated[str, typer.Option("--k", help="How many entries are looked at, with commas between.")] = "1,3,5",
) -> None:
    """Recall, MRR and time of the lore search: by keys, by words, by meaning, and all of them fused."""
    from rich.console import Console

    from npc_sdk.cli.assembly import open_embedder
    from npc_sdk.cli.bench import Screen
    from npc_sdk.evals.lore.case import VILLAGE, read_cases
    from npc_sdk.evals.lore.report import tables
    from npc_sdk.evals.lore.run import MODES, WITHOUT_MODEL, ask_all
    from npc_sdk.lore.book import LoreBook
    from npc_sdk.lore.content import load_world
    from npc_sdk.lore.semantic import MIN_SIMILARITY
    from npc_sdk.settings import bundled_personas

    ks = _numbers(k)
    content = load_world(personas or bundled_personas())
    asked = read_cases(cases or VILLAGE, content)
    with Screen() as screen:
        book = LoreBook.build(
            content.lore,
            language=content.world.language,
            embedder=open_embedder(semantic),
            min_similarity=MIN_SIMILARITY if min_similarity is None else min_similarity,
            on_progress=screen.advance,
        )
        modes = tuple(MODES) if semantic else WITHOUT_MODEL
        found = ask_all(content, book, asked, modes, max(ks), screen.advance)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    for part in tables(found, ks, f"npc eval lore: {(cases or VILLAGE).name}, {len(content.lore)} entries"):
        console.print(part)


def _numbers(text: str) -> tuple[int, ...]:
    """Raises: SettingsError."""
    from npc_sdk.errors import SettingsError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 100 for part in parts):
        raise SettingsError(f"--k is {text!r}", hint="whole numbers from 1 to 100 with commas between, as 1,3,5")
    return tuple(sorted({int(part) for part in parts}))
