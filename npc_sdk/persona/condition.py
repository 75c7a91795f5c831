"""Conditions over the game's state, for scopes and secrets: ``quest == 'found' and player_coins > 3``.

The expressions of the situation lines, with the same bounds. What the game has not set makes a condition false.
Called by the lore's scope, the session and the readers that check what authors write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from jinja2 import Template, nodes
from jinja2.meta import find_undeclared_variables

from npc_sdk.messages import JsonValue
from npc_sdk.persona.sandbox import LineError, filled, parsed, template_of

MAX_CHARS = 300
_TRUE = "yes"


def check_condition(text: str) -> None:
    """Raises: LineError in a writer's words."""
    _tree(text)


def condition_variables(text: str) -> set[str]:
    """What of the state it asks for. Raises: LineError."""
    return set(find_undeclared_variables(_tree(text)))


def looked_up(text: str) -> set[str]:
    """Every look-up by fixed names, with what it goes through: ``quests.hammer`` is itself and ``quests``.

    Raises: LineError.
    """
    found = _tree(text).find_all((nodes.Name, nodes.Getattr, nodes.Getitem))
    return {path for node in found if (path := _path(node))}


def compared_texts(text: str) -> Iterator[tuple[str, str]]:
    """Each look-up into the state with a text that it is held against: ``quest.hammer == 'done'`` is that pair.

    Raises: LineError.
    """
    for compare in _tree(text).find_all(nodes.Compare):
        sides = [compare.expr, *(operand.expr for operand in compare.ops)]
        paths = [path for side in sides if (path := _path(side))]
        for path in paths:
            yield from ((path, value) for side in sides for value in _texts(side))


class Condition:
    """A condition ready to be asked again and again; one that does not parse never holds, and says so."""

    __slots__ = ("_fault", "_template", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._fault = ""
        self._template: Template | None = None
        try:
            self._template = template_of(_template(text))
        except LineError as exc:
            self._fault = str(exc)

    def holds(self, variables: Mapping[str, JsonValue]) -> tuple[bool, str]:
        """Whether it holds, and where it does not, why in words for the trace."""
        if self._template is None:
            return False, f"only when {self.text}: {self._fault}"
        try:
            is_so = filled(self._template, variables) == _TRUE
        except LineError as exc:
            return False, f"only when {self.text}: {exc}"
        return is_so, "" if is_so else f"only when {self.text}"


def holds(text: str, variables: Mapping[str, JsonValue]) -> tuple[bool, str]:
    """What Condition says; for texts that are not asked about by the thousand."""
    return Condition(text).holds(variables)


def _template(text: str) -> str:
    return f"{{% if ({text}) %}}{_TRUE}{{% endif %}}"


@lru_cache(maxsize=1024)
def _tree(text: str) -> nodes.Template:
    if len(text) > MAX_CHARS:
        raise LineError(f"a condition of {len(text)} characters, at most {MAX_CHARS} are read")
    if "%}" in text or "{%" in text or "{{" in text or "{#" in text:
        raise LineError("a condition is written without braces: quest == 'found'")
    if not text.strip():
        raise LineError("a condition of no words")
    return parsed(_template(text))


def _path(node: nodes.Node) -> str:
    """``quest.hammer`` for a look-up by fixed names, else empty."""
    if isinstance(node, nodes.Name):
        return str(node.name)
    if isinstance(node, nodes.Getattr):
        return f"{inner}.{node.attr}" if (inner := _path(node.node)) else ""
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return f"{inner}.{node.arg.value}" if (inner := _path(node.node)) else ""
    return ""


def _texts(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.Tuple | nodes.List):
        for item in node.items:
            yield from _texts(item)
