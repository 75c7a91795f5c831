"""Tools from Python functions: what is declared, what a call is given, and OpenAI's JSON in and out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Optional

import pytest

from npc_sdk import FunctionCall, Refuse, SettingsError, Toolbox, ToolSpec, from_openai, to_openai, tool
from npc_sdk.messages import JsonValue


class Mood(Enum):
    CALM = "calm"
    WILD = "wild"


def _takes(hint: Any, *, default: Any = ...) -> Any:
    """A tool with one argument, which it gives back."""

    def act(x):  # type: ignore[no-untyped-def]
        return x

    act.__annotations__ = {"x": hint}
    act.__doc__ = "Acts."
    if default is not ...:
        act.__defaults__ = (default,)
    return tool(act)


def _call(name: str, **arguments: Any) -> FunctionCall:
    return FunctionCall("c1", name, arguments)


HINTS = [
    pytest.param(str, {"type": "string"}, "a", "a", id="str"),
    pytest.param(int, {"type": "integer"}, 3, 3, id="int"),
    pytest.param(float, {"type": "number"}, 3, 3.0, id="float"),
    pytest.param(bool, {"type": "boolean"}, True, True, id="bool"),
    pytest.param(Any, {}, [1], [1], id="anything"),
    pytest.param(Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, "b", "b", id="literal"),
    pytest.param(Literal[1, "b"], {"enum": [1, "b"]}, 1, 1, id="mixed literal"),
    pytest.param(Mood, {"type": "string", "enum": ["calm", "wild"]}, "wild", Mood.WILD, id="enum"),
    pytest.param(list[int], {"type": "array", "items": {"type": "integer"}}, [1], [1], id="list"),
    pytest.param(list, {"type": "array"}, [1, "a"], [1, "a"], id="bare list"),
    pytest.param(Sequence[Mood], {"type": "array", "items": {"type": "string", "enum": ["calm", "wild"]}}, ["calm"],
                 [Mood.CALM], id="list of an enum"),
    pytest.param(dict, {"type": "object"}, {"a": 1}, {"a": 1}, id="dict"),
    pytest.param(dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": 1},
                 id="dict of numbers"),
    pytest.param(int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "a", "a", id="union"),
    pytest.param(Annotated[str, "A thing."], {"type": "string", "description": "A thing."}, "a", "a", id="described"),
    pytest.param(Annotated[int, "Coins.", {"minimum": 1}], {"type": "integer", "description": "Coins.", "minimum": 1},
                 2, 2, id="keywords"),
    pytest.param(Annotated[str, {"from": "state.x"}], {"type": "string", "from": "state.x"}, "a", "a", id="from"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "schema", "given", "got"), HINTS)
def test_a_hint_is_a_schema_and_what_is_given_is_what_it_promises(
    hint: Any, schema: dict[str, Any], given: Any, got: Any
) -> None:
    made = _takes(hint)
    assert made.spec == ToolSpec("act", "Acts.", {"type": "object", "properties": {"x": schema}, "required": ["x"]})
    assert Toolbox(made)(_call("act", x=given)) == got


@pytest.mark.parametrize(
    ("made", "left_out"),
    [
        pytest.param(_takes(int, default=7), 7, id="default"),
        pytest.param(_takes(Mood, default=Mood.CALM), Mood.CALM, id="default of an enum"),
        pytest.param(_takes(str | None, default=None), None, id="none by default"),
        pytest.param(_takes(Optional[str]), None, id="none without a default"),  # noqa: UP045 (older code has it)
        pytest.param(_takes(Annotated[str | None, "A note."]), None, id="described"),
    ],
)
def test_what_may_be_left_out_is_not_required(made: Any, left_out: Any) -> None:
    assert made.spec.parameters["required"] == []
    assert Toolbox(made)(_call("act")) == left_out


@pytest.mark.parametrize(
    ("hint", "arguments", "reason"),
    [
        pytest.param(str, {"x": 3}, "act: x should be text, not 3", id="number for text"),
        pytest.param(int, {"x": True}, "act: x should be a whole number, not True", id="truth for a number"),
        pytest.param(int, {"x": 1.5}, "act: x should be a whole number, not 1.5", id="fraction"),
        pytest.param(float, {"x": "1"}, "act: x should be a number, not '1'", id="text for a number"),
        pytest.param(Mood, {"x": "sad"}, "act: x should be one of calm, wild, not 'sad'", id="choice"),
        pytest.param(Literal[1], {"x": True}, "act: x should be one of 1, not True", id="true is not 1"),
        pytest.param(Mood, {"x": ["calm"]}, "act: x should be one of calm, wild, not ['calm']", id="list for a choice"),
        pytest.param(list[int], {"x": [1, "a"]}, "act: x should be a whole number, not 'a'", id="item"),
        pytest.param(list[int], {"x": 1}, "act: x should be a list, not 1", id="no list"),
        pytest.param(dict[str, int], {"x": [1]}, "act: x should be a map, not [1]", id="no map"),
        pytest.param(int | bool, {"x": "a"}, "whole number, not 'a'; or should be true or false, not 'a'", id="union"),
        pytest.param(str, {}, "act needs x", id="missing"),
        pytest.param(str, {"x": "a", "y": 1}, "act has no argument 'y'; it takes: x", id="unknown"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_in_words(hint: Any, arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refuse) as caught:
        Toolbox(_takes(hint))(FunctionCall("c", "act", arguments))
    assert caught.value.reason.endswith(reason)


def test_name_and_description_come_from_the_function_or_the_decorator() -> None:
    @tool
    def wave(to: str) -> None:
        """Wave at somebody.

        This the model is not told.
        """

    @tool(name="bow_low", description="Bow.")
    def bow(to: str) -> str:
        return f"bowed to {to}"

    assert (wave.spec.name, wave.spec.description) == ("wave", "Wave at somebody.")
    assert (bow.spec.name, bow.spec.description) == ("bow_low", "Bow.")
    assert bow("Pip") == "bowed to Pip", "in code it stays the function"


class Shop:
    def __init__(self) -> None:
        self.sold: list[str] = []

    def sell(self, item: str) -> int:
        """Sell an item."""
        self.sold.append(item)
        return len(self.sold)


def test_a_bound_method_is_a_tool() -> None:
    shop = Shop()
    assert Toolbox(shop.sell)(_call("sell", item="axe")) == 1
    assert shop.sold == ["axe"]


def _no_doc(x: str) -> None: ...
def _star(*x: str) -> None:
    """S."""


def _any_name(**x: str) -> None:
    """S."""


def _no_hint(x) -> None:  # type: ignore[no-untyped-def]
    """S."""


def _odd(x: set[int]) -> None:
    """S."""


def _numbered(x: dict[int, str]) -> None:
    """S."""


def _position(x: str, /) -> None:
    """S."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_no_doc, "the tool '_no_doc' has no description"),
        (_star, r"takes \*x: 'str' \(a model gives its arguments by name\)"),
        (_any_name, r"takes \*\*x: 'str'"),
        (_position, "a model gives its arguments by name"),
        (_no_hint, "x has no type hint"),
        (Shop.sell, "self has no type hint .hand a Toolbox the bound method."),
        (_odd, r"x: 'set' cannot be said in JSON; take str, int, float"),
        (_numbered, "a dict with keys of <class 'int'>"),
        (lambda: None, "'<lambda>' is no name for a tool"),
    ],
)
def test_a_function_that_cannot_be_declared_is_told(function: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        tool(function)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="two tools are called 'act'"):
        Toolbox(_takes(str), _takes(int))


def test_a_tool_that_the_box_lacks_is_refused() -> None:
    with pytest.raises(Refuse, match="nobody here can fly"):
        Toolbox()(_call("fly"))


class Heard:
    """A session that only notes the answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, JsonValue]] = []

    def tool_result(
        self, call_id: str, status: Literal["accepted", "refused"] = "accepted", content: JsonValue = None
    ) -> None:
        self.answers.append((call_id, status, content))


@tool
async def fetch(item: str) -> str:
    """Fetch an item."""
    await asyncio.sleep(0)
    if item == "moon":
        raise Refuse("It is too far.")
    return f"the {item}"


async def test_a_session_is_answered_for_sync_and_async_functions() -> None:
    heard, box = Heard(), Toolbox(fetch, _takes(str))
    for call in (_call("fetch", item="oar"), _call("fetch", item="moon"), _call("act", x="a"), _call("fly")):
        await box.answer(heard, call)
    assert heard.answers == [
        ("c1", "accepted", "the oar"),
        ("c1", "refused", "It is too far."),
        ("c1", "accepted", "a"),
        ("c1", "refused", "nobody here can fly"),
    ]


def test_an_async_function_cannot_be_called_without_waiting() -> None:
    with pytest.raises(SettingsError, match=r"fetch is async \(await Toolbox.run"):
        Toolbox(fetch)(_call("fetch", item="oar"))


def test_openais_json_goes_out_and_comes_back() -> None:
    specs = Toolbox(fetch, _takes(Mood)).specs
    written = to_openai(specs)
    assert written[0]["type"] == "function"
    assert written[0]["function"]["name"] == "fetch"
    assert from_openai(written) == specs
    assert from_openai(entry["function"] for entry in written) == specs, "bare declarations are taken too"


def test_what_openai_lets_out_is_filled_in() -> None:
    (spec,) = from_openai([{"type": "function", "function": {"name": "ring", "strict": True}}])
    assert spec == ToolSpec("ring", "", {"type": "object", "properties": {}, "required": []})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        pytest.param("ring", r"tools\[0\] is 'ring' \(a map with", id="text"),
        pytest.param({"type": "retrieval", "function": {}}, r"tools\[0\].type is 'retrieval'", id="another kind"),
        pytest.param({"function": {"name": "a b"}}, r"tools\[0\].function.name is 'a b' \(letters", id="name"),
        pytest.param({"description": "R."}, r"tools\[0\].name is None", id="no name"),
        pytest.param({"name": "a", "description": 3}, r"tools\[0\].description is 3", id="description"),
        pytest.param({"name": "a", "parameters": {"type": "array"}}, r"\(a JSON Schema of type", id="parameters"),
        pytest.param(
            {"name": "a", "parameters": {"properties": []}}, r"parameters.properties is \[\]", id="properties"
        ),
    ],
)
def test_a_wrong_declaration_is_told_with_its_place(written: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        from_openai([written])


def test_a_games_client_gets_it_without_content_libraries() -> None:
    code = "import sys, npc_sdk.tool; print({'pydantic', 'jsonschema', 'yaml', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
