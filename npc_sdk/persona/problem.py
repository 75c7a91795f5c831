"""Mistakes of authored files, gathered: all are told at once, each with its place and the nearest valid name."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence

from npc_sdk.errors import ContentError

_SHOWN = 8  # names listed in a hint where none comes near

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


class ContentProblems(ContentError):
    """Every mistake of the files that were read; its own words are those of the first and how many more there are."""

    def __init__(self, problems: Sequence[ContentError]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(first.message + more, path=first.path, line=first.line, field=first.field, hint=first.hint)
        self.problems = tuple(problems)


def raise_if_any(problems: Sequence[ContentError]) -> None:
    """Raises: ContentProblems with the problems in the order of files and lines."""
    if problems:
        raise ContentProblems(sorted(problems, key=lambda problem: (str(problem.path), problem.line)))


def name_hint(wrong: str, known: Iterable[str], what: str = "names") -> str:
    """What the writer probably meant, or what there is to choose from."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"there are no {what}"
    rest = ", …" if len(names) > _SHOWN else ""
    return f"known {what}: {', '.join(names[:_SHOWN])}{rest}"


def shown(value: object) -> str:
    """A value as an error shows it: its repr, cut where it is long."""
    return _repr.repr(value)
