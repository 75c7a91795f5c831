"""What a condition holds its look-ups against, side by side: ``place == 'inn'`` holds ``place`` against a text.

Finds names that were meant as texts. Knows no world; called by persona/when.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from npc_sdk.persona.sandbox import parsed

_Pair = tuple[nodes.Expr, nodes.Expr]


def bare_names(text: str) -> Iterator[tuple[str, str]]:
    """Each look-up with a name without quotes that it is held against: ``quests.hammer == done`` is that pair.

    Raises: LineError.
    """
    return ((path, other.name) for path, other in _held(text) if isinstance(other, nodes.Name))


def whole_texts(text: str) -> Iterator[tuple[str, str]]:
    """Each look-up with a text that the whole of it is held against, which ``'inn' in place`` is not.

    Raises: LineError.
    """
    for path, other in _held(text):
        if isinstance(other, nodes.Const) and isinstance(other.value, str):
            yield path, other.value


def _held(text: str) -> Iterator[tuple[str, nodes.Expr]]:
    for one, other in _pairs(parsed(f"{{% if ({text}) %}}{{% endif %}}")):
        if path := ".".join(_steps(one)):
            yield from ((path, item) for item in _items(other))


def _pairs(tree: nodes.Template) -> Iterator[_Pair]:
    """Both sides of every comparison, either way round; of ``in`` only where a list is written out."""
    for compare in tree.find_all(nodes.Compare):
        left = compare.expr
        for operand in compare.ops:
            right = operand.expr
            if operand.op not in {"in", "notin"} or isinstance(right, nodes.Tuple | nodes.List):
                yield left, right
                yield right, left
            left = right


def _items(side: nodes.Expr) -> list[nodes.Expr]:
    return side.items if isinstance(side, nodes.Tuple | nodes.List) else [side]


def _steps(node: nodes.Node) -> tuple[str, ...]:
    """``quests``, ``hammer`` for a look-up by fixed names, else nothing."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr) and (inner := _steps(node.node)):
        return *inner, node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and (inner := _steps(node.node)):
        return *inner, str(node.arg.value)
    return ()
