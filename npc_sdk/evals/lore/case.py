"""What is asked and what should be found, read from a YAML file and checked against the world it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from npc_sdk.errors import ContentError
from npc_sdk.evals.lore.viewpoint import viewer_of
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.scope import barred
from npc_sdk.persona.authored import Authored, Line, NpcId, Short
from npc_sdk.persona.problem import first_problems, name_hint, raise_if_any
from npc_sdk.persona.validate import problem_at, validate
from npc_sdk.persona.yaml_reader import Document, read_yaml

VILLAGE = Path(__file__).with_name("village.yaml")
MAX_CASES = 5000


class Case(Authored):
    """One question to one character."""

    ask: Line = Field(description="What the player says.")
    npc: NpcId = Field(description="Whom they say it to: what only others know must not count.")
    expects: Annotated[tuple[str, ...], Field(max_length=32)] = Field(
        description="The ids of the entries that answer; none where nothing should be brought in."
    )
    before: Annotated[tuple[Line, ...], Field(max_length=32)] = Field(
        default=(), description="What was said until then, oldest first, the character's words last."
    )
    state: dict[str, JsonValue] = Field(default_factory=dict, description="What the game has set.")
    kind: Short = Field(default="all", description="What the case stands for; figures are also told by kind.")


class CaseFile(Authored):
    """The cases of one file."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=MAX_CASES)


def read_cases(path: Path, content: WorldContent) -> tuple[Case, ...]:
    """The cases of a file.

    Raises: ContentProblems with every mistake, also names that the world does not have and wants that cannot be met.
    """
    document = read_yaml(path)
    file, problems = validate(document, CaseFile)
    if file is not None:
        unknown = first_problems(_unknown_names(document, file, content))
        problems += unknown or first_problems(_unknowable(document, file, content))
    raise_if_any(problems)
    assert file is not None, "a file without mistakes has cases"
    return file.cases


def barred_wants(content: WorldContent, cases: Sequence[Case]) -> Iterator[tuple[int, int, str]]:
    """What a character cannot know on its case's day and in its state: the case, the place in expects, the reason."""
    scopes = {entry.entry_id: entry.scope for entry in content.lore}
    for number, case in enumerate(cases):
        viewer = viewer_of(content, case.npc, case.state)
        for at, wanted in enumerate(case.expects):
            if why := barred(scopes[wanted], viewer):
                yield number, at, why


def _unknowable(document: Document, file: CaseFile, content: WorldContent) -> Iterator[ContentError]:
    for number, at, why in barred_wants(content, file.cases):
        case = file.cases[number]
        told = f"{case.npc} cannot know {case.expects[at]!r} then: {why}"
        hint = "take it out, or give the case a 'state:' in which it can"
        yield problem_at(document, ("cases", number, "expects", at), told, hint)


def _unknown_names(document: Document, file: CaseFile, content: WorldContent) -> Iterator[ContentError]:
    entry_ids = {entry.entry_id for entry in content.lore}
    for number, case in enumerate(file.cases):
        if case.npc not in content.personas:
            told = f"there is no NPC {case.npc!r}"
            yield problem_at(document, ("cases", number, "npc"), told, name_hint(case.npc, content.personas, "NPCs"))
        for at, wanted in enumerate(case.expects):
            if wanted not in entry_ids:
                told = f"there is no lore entry {wanted!r}"
                where = ("cases", number, "expects", at)
                yield problem_at(document, where, told, name_hint(wanted, entry_ids, "entries"))
