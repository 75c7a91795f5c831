"""Holds the tools of personas against their world: unknown names, limits that do not fit, paths that look misspelt.

Works on what is written, so that a mistake elsewhere in a file hides none of these. Called by lore/content.py and
`npc check`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from npc_sdk.errors import ContentError
from npc_sdk.persona.json_schema import schemas_in
from npc_sdk.persona.limit import limit_faults
from npc_sdk.persona.load import Reading
from npc_sdk.persona.offer import entry_faults
from npc_sdk.persona.parameter import FROM, paths_of
from npc_sdk.persona.problem import MAX_PROBLEMS
from npc_sdk.persona.sandbox import LineError, variables_in
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.yaml_reader import Document, FieldPath

_NEAR = 0.8  # how alike two names are that one writer may have meant as one


def tool_problems(found: Reading[Persona], world: WorldFile) -> list[ContentError]:
    """The entries of a persona that the world does not know, whose limits do not fit, or that it names twice."""
    document = found.document
    if document is None:
        return []
    named: set[str] = set()
    problems: list[ContentError] = []
    for where, name, limits in _entries(document):
        faults = list(entry_faults(name, limits, world))
        problems += [problem_at(document, (*where, *fault.where), fault.message, fault.hint) for fault in faults]
        if name in named:
            what = "set" if name in world.tool_sets else "tool"
            problems.append(problem_at(document, where, f"the {what} {name!r} is named twice"))
        named.add(name)
    return problems


def source_notes(world: Reading[WorldFile], personas: Iterable[Persona]) -> list[ContentError]:
    """Paths into the state that are nearly, but not quite, what a situation line calls a variable.

    No mistakes: a game may report what no line names. But one name or the other is probably misspelt.
    """
    if world.value is None or world.document is None:
        return []
    told = _told_variables(personas)
    notes = []
    for where, path in _paths(world.value):
        variable = path.split(".")[1]
        near = () if variable in told else difflib.get_close_matches(variable, sorted(told), n=1, cutoff=_NEAR)
        if near:
            message = f"no situation line names {variable!r}, but one names {near[0]!r}"
            hint = "one of them may be misspelt; if the game reports both, all is well"
            notes.append(problem_at(world.document, where, message, hint))
    return notes


def _entries(document: Document) -> Iterator[tuple[FieldPath, str, Mapping[str, Any]]]:
    """Place, name and limits of each entry; of limits only those that are written rightly, the model tells the rest."""
    value = document.value
    items = value.get("tools") if isinstance(value, dict) else None
    for index, item in enumerate(items[:MAX_PROBLEMS] if isinstance(items, list) else ()):
        name = item.get("name") if isinstance(item, dict) else item
        limits = item.get("limits") if isinstance(item, dict) else None
        if isinstance(name, str):
            yield ("tools", index), name, _right_limits(limits)


def _right_limits(limits: Any) -> Mapping[str, Any]:
    if not isinstance(limits, dict):
        return {}
    return {name: of for name, of in limits.items() if isinstance(of, dict) and not any(limit_faults(of))}


def _told_variables(personas: Iterable[Persona]) -> set[str]:
    told: set[str] = set()
    for persona in personas:
        for line in persona.situation:
            try:
                told |= variables_in(line)
            except LineError:
                continue  # told as a mistake of its own
    return told


def _paths(world: WorldFile) -> Iterator[tuple[FieldPath, str]]:
    """Every path behind a from, with where it is written."""
    for index, tool in enumerate(world.tools):
        is_short = "params" in tool.model_fields_set
        for place, part in schemas_in(tool.schema_as_written()):
            where = ("params", *place[1:]) if is_short else ("parameters", *place)
            yield from ((("tools", index, *where, FROM), path) for path in paths_of(part.get(FROM, ())))
