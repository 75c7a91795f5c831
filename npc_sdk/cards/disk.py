"""Writes many files below a folder, or none of them. A link on the way is refused: it could lead anywhere.

Knows no formats. Called by cards/imported.py and by `npc new`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from npc_sdk.errors import ContentError

_NOTHING = "nothing was written"


def write_files(root: Path, files: Mapping[Path, bytes], stale: Iterable[Path] = ()) -> None:
    """Writes the files, then takes the stale ones away. root itself may be a link: the caller was given it.

    Raises: ContentError for what cannot be written; then there is nothing that was not there before.
    """
    stale = list(stale)
    refuse_strays(root, [*files, *stale])
    made: list[Path] = []
    at = root
    try:
        for at, data in files.items():
            _make_way(at, made)
            at.write_bytes(data)
        for at in stale:
            at.unlink(missing_ok=True)
    except OSError as exc:
        _undo(made)
        raise ContentError(
            f"cannot be written: {exc.strerror or exc}", path=at, hint="is there room, and may you?"
        ) from (exc)


def refuse_strays(root: Path, paths: Iterable[Path]) -> None:
    """Raises: ContentError for a path that is not to be written: outside the root, over a link, through a file."""
    real = root.resolve()
    for path in paths:
        steps = path.relative_to(root).parts
        for count in range(1, len(steps) + 1):
            _refuse_step(root.joinpath(*steps[:count]), is_last=count == len(steps))
        if ".." in steps or not path.resolve().is_relative_to(real):
            raise ContentError("lies outside the folder", path=path, hint=f"{_NOTHING}; the folder is {str(root)!r}")


def _refuse_step(step: Path, *, is_last: bool) -> None:
    if step.is_symlink():
        raise ContentError("is a link, which may lead anywhere", path=step, hint=f"{_NOTHING}; take the link away")
    if step.exists() and step.is_dir() == is_last:
        told = "is a folder where a file belongs" if is_last else "is a file where a folder belongs"
        raise ContentError(told, path=step, hint=f"{_NOTHING}; take another name, or remove it")


def _make_way(path: Path, made: list[Path]) -> None:
    """Mutates: made, which gets what was not there: folders, and the file that is about to be."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            made.append(folder)
    if not path.exists():
        made.append(path)


def _undo(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
