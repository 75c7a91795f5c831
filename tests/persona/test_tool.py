"""Tools as authors declare them: both forms mean the same, and every mistake is told with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from npc_sdk.errors import ContentError, SettingsError
from npc_sdk.lore.content import load_world
from npc_sdk.messages import ToolSpec
from npc_sdk.persona.load import read_world_file
from npc_sdk.persona.parameter import Source
from npc_sdk.persona.schema import Tool, WorldFile

HOLDS = "state.holds"


def _tool(**fields: Any) -> Tool:
    return Tool.model_validate({"name": "act", "description": "Act.", **fields})


def _declared(parameter: Any) -> tuple[dict[str, Any], bool]:
    """What one parameter of the short form is in OpenAI's shape, and whether it must be given."""
    spec = _tool(params={"x": parameter}).spec()
    return spec.parameters["properties"]["x"], spec.parameters["required"] == ["x"]


@pytest.mark.parametrize(
    ("written", "schema", "is_required"),
    [
        pytest.param("string", {"type": "string"}, True, id="type"),
        pytest.param("integer?", {"type": "integer"}, False, id="type, optional"),
        pytest.param(["calm", "angry"], {"type": "string", "enum": ["calm", "angry"]}, True, id="choice"),
        pytest.param({"from": HOLDS}, {"type": "string"}, True, id="from"),
        pytest.param({"from": HOLDS, "optional": True}, {"type": "string"}, False, id="from, optional"),
        pytest.param({"from": HOLDS, "type": "integer"}, {"type": "integer"}, True, id="from, typed"),
        pytest.param({"from": HOLDS, "enum": ["a", "b"]}, {"enum": ["a", "b"]}, True, id="from, among a choice"),
        pytest.param({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}, True, id="bounds"),
        pytest.param({"type": "number?", "maximum": 2}, {"type": "number", "maximum": 2}, False, id="bounds, optional"),
        pytest.param(
            {"type": "array", "items": {"from": HOLDS}}, {"type": "array", "items": {"type": "string"}}, True, id="list"
        ),
    ],
)
def test_the_short_form_is_declared_in_openais_shape(written: Any, schema: dict[str, Any], is_required: bool) -> None:
    assert _declared(written) == (schema, is_required)


def test_both_forms_declare_the_same_and_wait_for_the_same() -> None:
    short = _tool(params={"item": {"from": HOLDS}, "price": {"type": "integer", "minimum": 1}, "note": "string?"})
    full = _tool(
        parameters={
            "type": "object",
            "properties": {
                "item": {"type": "string", "from": HOLDS},
                "price": {"type": "integer", "minimum": 1},
                "note": {"type": "string"},
            },
            "required": ["item", "price"],
        }
    )
    assert short.spec() == full.spec()
    assert short.sources() == full.sources() == (Source(("properties", "item"), (HOLDS,)),)


def test_from_takes_a_union_and_stands_in_nested_places() -> None:
    nested = {"type": "object", "properties": {"to": {"from": ["state.here", "state.town.people"]}}}
    tool = _tool(params={"gift": nested, "things": {"type": "array", "items": {"from": HOLDS}}})
    assert tool.sources() == (
        Source(("properties", "gift", "properties", "to"), ("state.here", "state.town.people")),
        Source(("properties", "things", "items"), (HOLDS,)),
    )
    assert "from" not in str(tool.spec().parameters)


def test_a_parameter_may_be_called_from() -> None:
    tool = _tool(params={"from": "string", "optional": {"from": HOLDS}})
    assert tool.spec().parameters["required"] == ["from", "optional"]
    assert tool.sources() == (Source(("properties", "optional"), (HOLDS,)),)


def _told(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "world.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).replace(f"{path}:", "") for problem in read_world_file(path).problems]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{x: strin}", "params.x: unknown type 'strin' (did you mean 'string'?)", id="type"),
        pytest.param(
            "{x: state.holds}", "unknown type 'state.holds' (write {from: state.holds})", id="path for a type"
        ),
        pytest.param(
            "{x?: string}", "'x?' is no name for a parameter (put the '?' behind the type", id="mark on a name"
        ),
        pytest.param("{a b: string}", "'a b' is no name for a parameter (letters, digits", id="name"),
        pytest.param("{x: 12}", "params.x: should be a type or a map of keys and values, not 12", id="number"),
        pytest.param("{x: [a, a]}", "a list names the texts to choose from, each once", id="choice twice"),
        pytest.param("{x: []}", "a list names the texts to choose from, each once", id="no choice"),
        pytest.param("{x: {optional: 1}}", "params.x.optional: should be true or false, not 1", id="optional"),
        pytest.param("{x: {form: state.a}}", "unknown key 'form' (did you mean 'from'?)", id="from misspelt"),
        pytest.param(
            "{x: {minumum: 1}}", "params.x.minumum: unknown key 'minumum' (did you mean 'minimum'?)", id="key"
        ),
        pytest.param("{x: {type: strin}}", "'strin' is no type (did you mean 'string'?)", id="type in a map"),
        pytest.param("{x: {type: [[a]], from: state.a}}", "params.x.type: not a valid JSON Schema", id="type of lists"),
        pytest.param("{x: {type: integer, minimum: a}}", "params.x.minimum: not a valid JSON Schema: 'a'", id="bound"),
        pytest.param(
            "{x: {from: holds}}", "'holds' is no path into the state (did you mean 'state.holds'?)", id="root"
        ),
        pytest.param(
            "{x: {from: stat.a}}", "'stat.a' is no path into the state (did you mean 'state.a'?)", id="near root"
        ),
        pytest.param("{x: {from: state.a b}}", "(write 'state.' and the name of a variable)", id="no path"),
        pytest.param("{x: {from: [state.a, 3]}}", "params.x.from: should be a path into the state, not 3", id="union"),
        pytest.param("{x: {from: []}}", "params.x.from: should be a path into the state, not []", id="empty union"),
        pytest.param("{x: {type: array, from: state.a}}", "(put it into 'items' or into a property)", id="list from"),
        pytest.param(
            "{x: {anyOf: [{from: state.a}]}}", "params.x.anyOf[0].from: cannot stand here", id="from in anyOf"
        ),
        pytest.param("{x: {pattern: a+}}", "patterns are not searched for", id="pattern"),
    ],
)
def test_a_mistake_in_the_short_form_is_told_where_it_stands(tmp_path: Path, line: str, told: str) -> None:
    (problem,) = _told(tmp_path, f"name: W\ntools:\n- name: a\n  description: A.\n  params: {line}\n")
    assert re.match(r"5:\d+: tools\[0\]\.params", problem)
    assert told in problem


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        pytest.param(
            "[{name: a, description: A., params: {}, parameters: {}}]", "stands beside 'parameters'", id="both"
        ),
        pytest.param(
            "[{name: a, description: A., per_minute: 0}]", "tools[0].per_minute: should be 1 or more", id="quota"
        ),
        pytest.param("[{name: a, description: A., cooldown: 3}]", "(did you mean 'cooldown_s'?)", id="key"),
        pytest.param(
            "[{name: a, description: A., parameters: {properties: {x: {from: b}}}}]",
            "tools[0].parameters.properties.x.from: 'b' is no path into the state (did you mean 'state.b'?)",
            id="from in the full form",
        ),
        pytest.param(
            "[{name: a, description: A., parameters: {from: state.a}}]", "parameters.from: cannot stand here", id="top"
        ),
        pytest.param("[{name: a, description: A.}, {name: a, description: B.}]", "tools[1].name: the tool", id="twice"),
        pytest.param(
            "[]\ntool_sets: {s: [wave]}", "tool_sets.s[0]: the world has no tool 'wave'", id="unknown in a set"
        ),
        pytest.param(
            "[{name: wave, description: W.}]\ntool_sets: {s: [wawe]}", "(did you mean 'wave'?)", id="misspelt in a set"
        ),
        pytest.param(
            "[{name: a, description: A.}]\ntool_sets: {s: [a, a]}", "tool_sets.s[1]: the tool", id="twice in a set"
        ),
        pytest.param("[{name: a, description: A.}]\ntool_sets: {a: [a]}", "'a' is the name of a tool too", id="clash"),
        pytest.param("[]\ntool_sets: {s: []}", "tool_sets.s: should not be empty", id="empty set"),
        pytest.param("[]\ntool_sets: {a b: [a]}", "tool_sets.a b: should be one word of letters", id="name of a set"),
    ],
)
def test_a_mistake_in_tools_and_sets_is_told(tmp_path: Path, tools: str, told: str) -> None:
    (problem,) = _told(tmp_path, f"name: W\ntools: {tools}\n")
    assert told in problem


def test_all_mistakes_of_a_tool_are_told_at_once(tmp_path: Path) -> None:
    params = "{x: strin, y: {from: holds}, z: {minumum: 1}}"
    told = _told(tmp_path, f"name: W\ntools:\n- {{name: a, description: A., params: {params}}}\n")
    assert [line.split(": ")[1] for line in told] == [f"tools[0].params.{at}" for at in ("x", "y.from", "z.minumum")]


def test_in_code_a_wrong_tool_is_a_validation_error_with_the_same_words() -> None:
    with pytest.raises(ValidationError, match=r"params.x: unknown type 'strin' \(did you mean 'string'\?\)"):
        _tool(params={"x": "strin"})


WAVE = ToolSpec("wave", "Wave.", {"type": "object", "properties": {"to": {"from": "state.people"}}, "required": ["to"]})


def test_a_game_brings_tools_of_its_own(tmp_path: Path) -> None:
    for folder, text in (("world", "name: W"), ("ada", "name: Ada\nrole: r\nvoice: {style: s}\ntools: [wave]")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ("world.yaml" if folder == "world" else "persona.yaml")).write_text(text)
    with pytest.raises(ContentError, match="the world has no tool 'wave'"):
        load_world(tmp_path)
    content = load_world(tmp_path, [WAVE])
    (wave,) = content.world.tools
    assert wave.spec().parameters["properties"] == {"to": {"type": "string"}}
    assert wave.sources() == (Source(("properties", "to"), ("state.people",)),)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(ToolSpec("go", "Go.", {}), "'go' is declared twice", id="name taken"),
        pytest.param(ToolSpec("a b", "Go.", {}), "tool 'a b' does not fit: name: .* match pattern", id="name"),
        pytest.param(ToolSpec("fly", "", {}), "tool 'fly' does not fit: description: ", id="no description"),
        pytest.param(ToolSpec("run", "Run.", {"properties": {"x": {"type": "strin"}}}), "is no type", id="schema"),
    ],
)
def test_a_tool_of_the_games_own_that_does_not_fit_is_refused(spec: ToolSpec, words: str) -> None:
    world = WorldFile.model_validate({"name": "W", "tools": [{"name": "go", "description": "Go."}]})
    with pytest.raises(SettingsError, match=words):
        world.with_tools([spec])
