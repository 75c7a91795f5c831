"""Tools from Python functions, for a game that keeps its actions in code, and ToolSpecs as OpenAI's `tools` JSON.

Loads only values of floor 0, so that a game's client can use it. Knows no session: a Toolbox is handed to one.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, overload

from npc_sdk.errors import SettingsError
from npc_sdk.messages import FunctionCall, JsonValue, ToolSpec
from npc_sdk.type_hint import HintError, Read, Shape, allows_none, shape_of

Function: TypeAlias = Callable[..., Any]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Refuse(Exception):
    """Raised by a game's tool to refuse a call; the reason is what the NPC is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Answerable(Protocol):
    """A session, here or over the bridge: whoever hears what became of a call."""

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that an NPC may call. Called in code, it is the function that it was made from.

    readers make of each argument what its hint promises; the absent are None where a call leaves them out.
    """

    function: Function
    spec: ToolSpec
    readers: Mapping[str, Read]
    absent: tuple[str, ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_async(self) -> bool:
        """Whether it must be awaited."""
        return inspect.iscoroutinefunction(self.function)

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A call's arguments as the hints promise them. Raises: Refuse."""
        for name in arguments:
            if name not in self.readers:
                raise Refuse(
                    f"{self.name} has no argument {name[:60]!r}; it takes: {', '.join(self.readers) or 'none'}"
                )
        for name in self.spec.parameters["required"]:
            if name not in arguments:
                raise Refuse(f"{self.name} needs {name}")
        given = {name: self._read(name, value) for name, value in arguments.items()}
        return dict.fromkeys(self.absent) | given

    def _read(self, name: str, value: Any) -> Any:
        try:
            return self.readers[name](value)
        except ValueError as exc:
            raise Refuse(f"{self.name}: {name} {exc}") from exc


@overload
def tool(function: Function) -> FunctionTool: ...
@overload
def tool(*, name: str = "", description: str = "") -> Callable[[Function], FunctionTool]: ...
def tool(
    function: Function | None = None, *, name: str = "", description: str = ""
) -> FunctionTool | Callable[[Function], FunctionTool]:
    """Makes a tool of a function, sync or async: its name, its docstring's first line and its type hints declare it.

    ``Annotated[str, "what it is"]`` describes an argument, ``Annotated[int, {"minimum": 1}]`` adds keywords of JSON
    Schema; what has a default or may be None can be left out.
    Raises: SettingsError for a function that cannot be declared.
    """
    if function is None:
        return lambda later: _function_tool(later, name, description)
    return _function_tool(function, name, description)


class Toolbox:
    """The functions that carry calls out: hand it to a client as on_tool, or let it answer a session of this process.

    Functions that are not tools yet become such. Raises: SettingsError for one that cannot, and for a name given twice.
    """

    def __init__(self, *functions: FunctionTool | Function) -> None:
        self._tools: dict[str, FunctionTool] = {}
        for function in functions:
            made = function if isinstance(function, FunctionTool) else tool(function)
            if made.name in self._tools:
                raise SettingsError(f"two tools are called {made.name!r}", hint="give one of them another name")
            self._tools[made.name] = made

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The declarations, in the order given."""
        return tuple(made.spec for made in self._tools.values())

    def __call__(self, call: FunctionCall) -> JsonValue:
        """Carries a call out. Raises: Refuse; SettingsError for an async function, which cannot be waited for here."""
        made = self._find(call)
        if made.is_async:
            raise SettingsError(f"{made.name} is async", hint="await Toolbox.run(call) instead")
        return made(**made.read(call.arguments))  # type: ignore[no-any-return]

    async def run(self, call: FunctionCall) -> JsonValue:
        """Carries a call out, waiting for an async function. Raises: Refuse."""
        made = self._find(call)
        result = made(**made.read(call.arguments))
        return await result if made.is_async else result  # type: ignore[no-any-return]

    async def answer(self, session: Answerable, call: FunctionCall) -> None:
        """Carries a call out and tells the session how it ended."""
        try:
            content = await self.run(call)
        except Refuse as refusal:
            session.tool_result(call.call_id, "refused", refusal.reason)
        else:
            session.tool_result(call.call_id, "accepted", content)

    def _find(self, call: FunctionCall) -> FunctionTool:
        if call.name not in self._tools:
            raise Refuse(f"nobody here can {call.name[:64]}")
        return self._tools[call.name]


def to_openai(specs: Iterable[ToolSpec]) -> list[dict[str, Any]]:
    """The declarations as OpenAI's `tools`, ready for JSON."""
    return [
        {
            "type": "function",
            "function": {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)},
        }
        for spec in specs
    ]


def from_openai(tools: Iterable[Mapping[str, Any]]) -> tuple[ToolSpec, ...]:
    """The declarations of OpenAI's `tools`, wrapped in {"type": "function", …} or bare.

    Raises: SettingsError naming the place of what is wrong.
    """
    return tuple(_spec_of(written, f"tools[{index}]") for index, written in enumerate(tools))


def _spec_of(written: Any, place: str) -> ToolSpec:
    if isinstance(written, Mapping) and "function" in written:
        _check(written.get("type", "function") == "function", f"{place}.type", written.get("type"), 'take "function"')
        written, place = written["function"], f"{place}.function"
    _check(isinstance(written, Mapping), place, written, 'a map with "name", "description" and "parameters"')
    name, description = written.get("name"), written.get("description") or ""
    _check(isinstance(name, str) and _NAME.fullmatch(name), f"{place}.name", name, "letters, digits, '_', '.' and '-'")
    _check(isinstance(description, str), f"{place}.description", description, "write a text")
    parameters = written.get("parameters") or {}
    is_object = isinstance(parameters, Mapping) and parameters.get("type", "object") == "object"
    _check(is_object, f"{place}.parameters", parameters, 'a JSON Schema of type "object"')
    properties = parameters.get("properties", {})
    _check(isinstance(properties, Mapping), f"{place}.parameters.properties", properties, "a map of schemas by name")
    return ToolSpec(name, description, {"type": "object", "properties": {}, "required": [], **parameters})


def _check(is_right: object, place: str, value: object, hint: str) -> None:
    """Raises: SettingsError."""
    if not is_right:
        raise SettingsError(f"{place} is {value!r:.80}", hint=hint)


def _function_tool(function: Function, name: str, description: str) -> FunctionTool:
    name = name or getattr(function, "__name__", "")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no name for a tool", hint="give it one: @tool(name=…)")
    first_line = (inspect.getdoc(function) or "").split("\n")[0].strip()
    if not (description or first_line):
        hint = "its docstring's first line tells the model what it is for"
        raise SettingsError(f"the tool {name!r} has no description", hint=hint)
    arguments = _arguments(function, name)
    schema = {
        "type": "object",
        "properties": {one.name: one.shape.schema for one in arguments},
        "required": [one.name for one in arguments if not one.may_be_missing],
    }
    readers = {one.name: _or_none(one.shape.read) if one.may_be_none else one.shape.read for one in arguments}
    absent = tuple(one.name for one in arguments if one.may_be_none and not one.has_default)
    return FunctionTool(function, ToolSpec(name, description or first_line, schema), readers, absent)


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    shape: Shape
    has_default: bool
    may_be_none: bool

    @property
    def may_be_missing(self) -> bool:
        return self.has_default or self.may_be_none


def _arguments(function: Function, name: str) -> list[_Argument]:
    """What the function takes. Raises: SettingsError for what a model cannot give."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as exc:
        raise SettingsError(f"the tool {name!r}: {exc}", hint="its hints must be known where it is defined") from exc
    return [_argument(given, hints, name) for given in inspect.signature(function).parameters.values()]


def _argument(given: inspect.Parameter, hints: Mapping[str, Any], tool_name: str) -> _Argument:
    if given.kind not in _NAMED:
        raise SettingsError(f"the tool {tool_name!r} takes {given}", hint="a model gives its arguments by name")
    if given.name not in hints:
        hint = "hand a Toolbox the bound method" if given.name == "self" else "write one"
        raise SettingsError(f"the tool {tool_name!r}: {given.name} has no type hint", hint=hint)
    try:
        shape = shape_of(hints[given.name])
    except HintError as exc:
        raise SettingsError(f"the tool {tool_name!r}: {given.name}: {exc}") from exc
    return _Argument(given.name, shape, given.default is not given.empty, allows_none(hints[given.name]))


def _or_none(read: Read) -> Read:
    return lambda value: None if value is None else read(value)
