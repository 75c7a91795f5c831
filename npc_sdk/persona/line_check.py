"""Finds the templates of a persona file that cannot be filled, whatever the state, and says why and what to do.

Works on what is written, so that a mistake elsewhere in the file hides none of these. Called by persona/load.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from npc_sdk.errors import ContentError
from npc_sdk.messages import JsonValue
from npc_sdk.persona.greeting import is_template
from npc_sdk.persona.problem import MAX_PROBLEMS, name_hint
from npc_sdk.persona.sandbox import FILTERS, LineError, check_line
from npc_sdk.persona.validate import problem_at
from npc_sdk.persona.yaml_reader import Document, FieldPath


def line_problems(document: Document) -> list[ContentError]:
    """Situation lines and greetings that do not parse."""
    problems: list[ContentError] = []
    for where, line in _lines(document):
        try:
            check_line(line)
        except LineError as exc:
            told = str(exc).removesuffix(".")
            problems.append(problem_at(document, where, f"{line!r}: {told}", _hint(told)))
    return problems


def _hint(told: str) -> str:
    if found := re.search(r"No filter named '(.*)'", told):
        return name_hint(found[1], FILTERS, "filters")
    if "end of print statement" in told or "unexpected '}'" in told:
        return "a variable stands between '{{' and '}}'"
    if found := re.search(r"needs to be closed is '(\w+)'", told):
        return f"close it with '{{% end{found[1]} %}}'"
    return "personas/README.md says what a situation line can do"


def _lines(document: Document) -> Iterator[tuple[FieldPath, str]]:
    """The texts alone: the model tells of what is none."""
    value = document.value if isinstance(document.value, dict) else {}
    yield from _texts(value.get("situation"), ("situation",))
    greeting = value.get("greeting")
    told = [(("greeting",), greeting)] if isinstance(greeting, str) else _texts(greeting, ("greeting",))
    yield from ((where, line) for where, line in told if is_template(line))


def _texts(value: JsonValue, where: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    items = value[:MAX_PROBLEMS] if isinstance(value, list) else ()
    yield from (((*where, index), item) for index, item in enumerate(items) if isinstance(item, str))
