"""`npc check --leaks`: what evals/leak found, as mistakes with both places. Loads no model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from npc_sdk.cli.check_path import Tally
from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.evals.leak.fact import Fact, State
from npc_sdk.evals.leak.passage import Passage
from npc_sdk.evals.leak.run import Leak, LeakReport, find_leaks
from npc_sdk.lore.content import WORLD_FOLDER, load_world
from npc_sdk.persona.load import WORLD_FILE, read_persona, read_world_file
from npc_sdk.persona.yaml_reader import Document, Place

_SHOWN_CHARS = 80


def leak_problems(paths: Iterable[Path], state: State, tally: Tally) -> str:
    """Asks every cast of the paths; says what was tried. Mutates: tally. Raises: SettingsError, NpcError."""
    told = []
    for path in paths:
        if not (path / WORLD_FOLDER).is_dir():
            hint = "leaks are looked for in a whole cast and its world"
            raise SettingsError(f"{path} is no content folder", hint=hint)
        report, places = _report(path, state), _Places()
        tally.problems += [_problem(leak, places) for leak in report.leaks]
        told.append(_told(report))
    tally.sort()
    return "\n".join(told)


def _report(path: Path, state: State) -> LeakReport:
    """Says meanwhile who is being asked, where a person is looking."""
    from rich.console import Console

    with Console(stderr=True, highlight=False).status("") as status:

        def tell(done: int, total: int, npc_id: str) -> None:
            status.update(f"asking {npc_id}  {done}/{total}")

        return find_leaks(load_world(path), state, on_progress=tell)


def _told(report: LeakReport) -> str:
    tried = f"{report.pairs:,} pair{'' if report.pairs == 1 else 's'} of a character and a fact that it must not know"
    asked = f"{report.questions:,} questions in {report.states:,} state{'' if report.states == 1 else 's'} of the game"
    return f"{tried}, {asked}: {len(report.leaks) or 'none'} leaked"


class _Places:
    """Where the texts of personas stand: read again, because a loaded persona does not know it."""

    def __init__(self) -> None:
        self._documents: dict[Path, Document] = {}

    def of(self, text: Fact | Passage) -> tuple[Path, Place]:
        """The file and the place in it."""
        if text.line:
            return text.path, Place(text.line, 0)
        if text.path not in self._documents:
            found = read_world_file(text.path) if text.path.name == WORLD_FILE else read_persona(text.path)
            assert found.document is not None, "it was loaded a moment ago"
            self._documents[text.path] = found.document
        at = self._documents[text.path].place(text.where)
        return at.path or text.path, at


def _problem(leak: Leak, places: _Places) -> ContentError:
    path, at = places.of(leak.fact)
    if leak.passage is not None:
        other, there = places.of(leak.passage)
        told = f"{leak.npc_id} must not know this and is told {leak.words[:_SHOWN_CHARS]!r} in {leak.passage.name}"
        hint = f"{other}:{there.line}; take the words out there, or let {leak.npc_id} know this"
    else:
        asked = leak.question.words if leak.question else ""
        told, hint = f"{leak.npc_id} must not know this and is told it when asked {asked!r}", _SEE
    return ContentError(f"leak: {told}", path=path, line=at.line, column=at.column, field=leak.fact.fact_id, hint=hint)


_SEE = "see the prompt with: npc prompt NPC WORDS"
