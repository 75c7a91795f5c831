"""The small, bounded part of Jinja that authors' lines and conditions are written in, and nothing else of it.

Templates may come from strangers and state from a game, so no line can call, loop in loops, or grow without bound.
Called by persona/situation.py, persona/condition.py and the readers that check lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from typing import Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.filters import do_round
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from npc_sdk.messages import JsonValue

MAX_LINE_CHARS = 1000
# What one line may cost: a few milliseconds, whatever its author and the game put into it.
MAX_NODES = 150
MAX_FILTERS = 8
MAX_TURNS = 100
MAX_ITEMS = 250
MAX_DIGITS = 12

FILTERS = ("join", "items", "dictsort", "length", "sort", "unique", "first", "last", "lower", "upper", "title",
           "capitalize", "round", "default")  # fmt: skip
QUICK = ("join", "length", "first", "last", "round", "default")  # whatever the size of the value
TESTS = ("defined", "undefined", "none", "in")

_ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Test, nodes.Keyword, nodes.For, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Concat, nodes.Tuple, nodes.List, nodes.Neg,
)  # fmt: skip


class LineError(ValueError):
    """A line or a condition that cannot be used, in a writer's words."""


class _Environment(ImmutableSandboxedEnvironment):
    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Values are plain data: only the loop counter has attributes."""
        return isinstance(obj, LoopContext) and super().is_safe_attribute(obj, attr, value)


def _bounded_join(values: Iterable[object], separator: str = "") -> str:
    out: list[str] = []
    length = 0
    for value in values:
        out.append(str(value))
        length += len(out[-1]) + len(separator)
        if length > MAX_LINE_CHARS + len(separator):
            raise LineError(f"longer than {MAX_LINE_CHARS} characters")
    return separator.join(out)


def _rounded(value: float, digits: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    if abs(digits) > MAX_DIGITS:
        raise LineError(f"rounded to {digits} digits, at most {MAX_DIGITS} make sense")
    return do_round(value, digits, method)


def _turns(values: Iterable[object]) -> list[object]:
    """What a loop goes through; every loop is given this filter."""
    turns = list(itertools.islice(values, MAX_TURNS + 1))
    if len(turns) > MAX_TURNS:
        raise LineError(f"a loop of more than {MAX_TURNS} turns")
    return turns


def _for_few(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses large values: it may run once in every turn of a loop."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0  # Jinja puts its environment in front

    @wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        if isinstance(args[place], str | list | tuple | dict) and len(args[place]) > MAX_ITEMS:
            raise LineError(f"a filter over more than {MAX_ITEMS} items")
        return function(*args, **options)

    return checked


def _environment() -> _Environment:
    env = _Environment(undefined=StrictUndefined, autoescape=False)
    env.globals.clear()
    filters = {name: env.filters[name] for name in FILTERS} | {"join": _bounded_join, "round": _rounded}
    env.filters = {name: found if name in QUICK else _for_few(found) for name, found in filters.items()}
    env.filters["_turns"] = _turns
    env.tests = {name: env.tests[name] for name in (*TESTS, "eq", "ne", "lt", "le", "gt", "ge")}
    return env


_ENV = _environment()


@lru_cache(maxsize=1024)
def template_of(line: str) -> Template:
    """The compiled line.

    Raises: LineError where the line does not parse or uses what is not allowed.
    """
    try:
        tree = _ENV.parse(line)
        _refuse_powers(tree, is_in_loop=False)
        _bound_cost(tree)
        return _ENV.from_string(tree)
    except TemplateError as exc:
        raise LineError(f"does not parse: {exc.message}") from exc
    except (RecursionError, SyntaxError) as exc:  # the latter from Python, which the line is compiled to
        raise LineError("does not parse: nested too deeply") from exc


def parsed(line: str) -> nodes.Template:
    """The syntax tree of a line that is allowed. Raises: LineError, as rendering would."""
    check_line(line)
    return _ENV.parse(line)


def check_line(line: str) -> None:
    """Raises: LineError, as rendering would."""
    template_of(line)


def variables_in(line: str) -> set[str]:
    """What a line wants of the game's state. Raises: LineError, as rendering would."""
    return find_undeclared_variables(parsed(line)) - {"player"}


def _refuse_powers(node: nodes.Node, *, is_in_loop: bool) -> None:
    """Only plain look-ups, conditions, filters of the list and one level of loops."""
    if not isinstance(node, _ALLOWED_NODES):
        raise LineError(f"{type(node).__name__.lower()!r} is not allowed here")
    if isinstance(node, nodes.For):
        if is_in_loop or node.recursive:
            raise LineError("a loop inside a loop is not allowed here")
        is_in_loop = True
    for child in node.iter_child_nodes():
        _refuse_powers(child, is_in_loop=is_in_loop)


def _bound_cost(tree: nodes.Template) -> None:
    """Mutates: the tree's loops, which get a limit."""
    if sum(1 for _ in tree.find_all(nodes.Node)) > MAX_NODES:
        raise LineError("does not parse: too much in one line; make two of it")
    if sum(1 for _ in tree.find_all(nodes.Filter)) > MAX_FILTERS:
        raise LineError(f"does not parse: more than {MAX_FILTERS} filters in one line")
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno, environment=_ENV)


def fill(line: str, variables: Mapping[str, JsonValue]) -> str:
    """One line on one line, whatever the state holds.

    Raises: LineError where a variable is missing or of the wrong kind, or the line grows too long.
    """
    return filled(template_of(line), variables)


def filled(template: Template, variables: Mapping[str, JsonValue]) -> str:
    """The same of a line that is compiled already. Raises: LineError."""
    held = variables if isinstance(variables, dict) else dict(variables)
    out = ""
    try:
        for piece in template.root_render_func(template.new_context(held, shared=True)):  # no copy of a large state
            out += piece
            if len(out) > MAX_LINE_CHARS:
                raise LineError(f"longer than {MAX_LINE_CHARS} characters")
    except TemplateError as exc:
        raise LineError(str(exc.message).replace("is undefined", "is not set")) from exc
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as exc:
        if isinstance(exc, LineError):
            raise
        raise LineError(f"the state does not fit: {exc}") from exc
    return " ".join(out.split())
