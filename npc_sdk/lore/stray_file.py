"""Files in a content folder that look like content and that nothing reads: persona.yml, mara/notes.md.

Called by lore/content.py. Names that begin with '.' or '_', and README.md, are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from npc_sdk.errors import ContentError
from npc_sdk.persona.kind import KINDS_FOLDER
from npc_sdk.persona.load import PERSONA_FILE, WORLD_FILE
from npc_sdk.persona.problem import first_problems

LORE_FOLDER = "lore"
_SUFFIXES = frozenset({".md", ".yaml", ".yml"})
_README = "readme.md"


def stray_notes(world: Path, characters: Sequence[Path]) -> list[ContentError]:
    """Those of the world's folder and of the characters'."""
    return first_problems(note for folder in (world, *characters) for note in _strays(folder, is_world=folder == world))


def _strays(folder: Path, *, is_world: bool) -> Iterator[ContentError]:
    main = WORLD_FILE if is_world else PERSONA_FILE
    kinds = f", {KINDS_FOLDER}/NAME.yaml" if is_world else ""
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.suffix.lower() not in _SUFFIXES or _is_left_alone(inner) or not path.is_file():
            continue
        if not _is_read(inner, main, is_world=is_world):
            renamed = inner.with_suffix(".yaml")
            is_misnamed = inner != renamed and inner.suffix != ".md" and _is_read(renamed, main, is_world=is_world)
            hint = f"name it {renamed.name!r}" if is_misnamed else f"read are {main}{kinds}, and what is under lore/"
            yield ContentError("nothing reads this file", path=path, hint=hint)


def _is_left_alone(inner: Path) -> bool:
    return inner.name.lower() == _README or any(part[0] in "._" for part in inner.parts)


def _is_read(inner: Path, main: str, *, is_world: bool) -> bool:
    if inner.parts == (main,) or (inner.parts[0] == LORE_FOLDER and len(inner.parts) > 1):
        return True
    return is_world and inner.parts[0] == KINDS_FOLDER and len(inner.parts) == 2 and inner.suffix == ".yaml"
