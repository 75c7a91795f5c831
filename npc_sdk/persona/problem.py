"""Mistakes of authored files, gathered: all are told at once, each with its place and the nearest valid name."""

from __future__ import annotations

import difflib
import itertools
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from yaml.error import Mark, YAMLError

from npc_sdk.errors import ContentError

MAX_PROBLEMS = 100  # of one file
_SHOWN = 32  # names listed in a hint where none comes near; a persona has fewer keys

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


class ContentProblems(ContentError):
    """Every mistake of the files that were read; its own words are those of the first and how many more there are."""

    def __init__(self, problems: Sequence[ContentError]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            first.message + more,
            path=first.path,
            line=first.line,
            column=first.column,
            field=first.field,
            hint=first.hint,
        )
        self.problems = tuple(problems)


def raise_if_any(problems: Sequence[ContentError]) -> None:
    """Raises: ContentProblems with the problems in the order of files and lines."""
    if problems:
        raise ContentProblems(sorted(problems, key=lambda problem: (str(problem.path), problem.line, problem.column)))


def name_hint(wrong: str, known: Iterable[str], what: str = "names", titles: Mapping[str, str] | None = None) -> str:
    """What the writer probably meant, or what there is to choose from. titles lead from other names to known ones."""
    names = sorted(known)
    if meant := meant_hint(wrong, names, titles):
        return meant
    if not names:
        return f"there are no {what}"
    rest = ", …" if len(names) > _SHOWN else ""
    return f"known {what}: {', '.join(names[:_SHOWN])}{rest}"


def meant_hint(wrong: str, known: Iterable[str], titles: Mapping[str, str] | None = None) -> str:
    """The name that the writer probably meant; empty where none comes near."""
    names = sorted(known, reverse=True)
    folded = {title.lower(): name for title, name in (titles or {}).items()} | {name.lower(): name for name in names}
    near = difflib.get_close_matches(wrong.lower(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]!r}?" if near else ""


def first_problems(problems: Iterable[ContentError]) -> list[ContentError]:
    """As many as a writer can use at once, with a word where there are more; the rest is not even worded."""
    found = list(itertools.islice(problems, MAX_PROBLEMS + 1))
    if len(found) > MAX_PROBLEMS:
        next_one = found.pop()
        hint = "mend those before it and check again"
        found.append(ContentError("more mistakes follow", path=next_one.path, line=next_one.line, hint=hint))
    return found


def shown(value: object) -> str:
    """A value as an error shows it: as YAML spells it, else its repr, cut where it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _repr.repr(value)


_TAB = "tab character"
_SYNTAX = (  # what the parser says, what a writer can make of it, what to do
    (
        "mapping values are not allowed",
        "a ': ' stands where no key can be",
        "put a text that holds ': ' in quotes; keys that belong together begin in one column",
    ),
    (_TAB, "a tab is used for indentation", "indent with blanks"),
    ("while scanning a quoted scalar", "a quote is opened and not closed", "close it, or leave both out"),
    (
        "cannot start any token",
        "a text begins with a sign that YAML keeps for itself",
        "put the text in quotes",
    ),
    ("could not find expected ':'", "a line has neither ': ' nor a '- ' before it", "write 'key: value'"),
    ("while parsing a flow", "a '[' or '{' is not closed, or a comma is missing", "separate with ', ' and close it"),
    (
        "while parsing a block",
        "this does not line up with what stands above it",
        "keys or items that belong together begin in one column; nothing may follow a closing quote",
    ),
)
_BEGIN_EARLIER = ("quoted scalar", "simple key", "parsing a flow")


def syntax_problem(exc: YAMLError, text: str, path: Path) -> ContentError:
    """A mistake of YAML's syntax as a writer can use it, at the place where it begins."""
    told, at = _told(exc), getattr(exc, "problem_mark", None)
    if at is not None and "\t" in _before(text, at):
        told = _TAB
    for sign, message, hint in _SYNTAX:
        if sign in told:
            begins_earlier = any(part in told for part in _BEGIN_EARLIER)
            at = (getattr(exc, "context_mark", None) if begins_earlier else None) or at
            return _at_mark(message, path, at, hint)
    return _at_mark(f"not valid YAML: {told}", path, at, "check the indentation and the quotes")


def _told(exc: YAMLError) -> str:
    """What the parser says."""
    said = [getattr(exc, name, None) for name in ("context", "problem", "reason")]
    return ", ".join(part for part in said if part) or str(exc).split("\n")[0]


def _before(text: str, mark: Mark) -> str:
    """What a line holds up to a mark and at it, where that is blank: a tab there is what the parser means."""
    lines = text.split("\n", mark.line + 1)
    told = lines[mark.line][: mark.column + 1] if mark.line < len(lines) else ""
    return "" if told.strip() else told


def _at_mark(message: str, path: Path, mark: Mark | None, hint: str) -> ContentError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return ContentError(message, path=path, line=line, column=column, hint=hint)
