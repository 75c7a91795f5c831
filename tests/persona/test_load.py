"""Persona and world files: every mistake of a file is told, with its place, its value and what was meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from npc_sdk.errors import ContentError
from npc_sdk.lore.publish import SCHEMAS, publish, schema_text
from npc_sdk.persona.load import load_persona, read_persona, read_world_file
from npc_sdk.persona.problem import ContentProblems
from npc_sdk.persona.yaml_reader import read_yaml

PERSONAS = Path(__file__).parents[2] / "personas"
GOOD = "name: Ada\nrole: the miller\nvoice:\n  style: proud and grand\n"


def _write(folder: Path, text: str, name: str = "persona.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_five_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
name: Ada
voice:
  style: [proud, grand]
  exampels:
    - "I am the mill."
goals: Grind the corn.
sampling:
  temperature: 3.5
situation:
  - "You hold: {{ holds | wobble }}."
"""
    path = _write(tmp_path / "ada", text)
    with pytest.raises(ContentProblems) as caught:
        load_persona(path)
    told = [str(problem).replace(f"{path}:", "") for problem in caught.value.problems]
    assert told == [
        '1:1: role: is missing (Trade and place, completing "You are NAME, …": "the blacksmith of Alderwick".)',
        "3:3: voice.style: should be text, not ['proud', 'grand'] (write one text, without '- ' and '[')",
        "4:3: voice.exampels: unknown key 'exampels' (did you mean 'examples'?)",
        "6:1: goals: should be a list, not 'Grind the corn.' (start each item with '- ')",
        "8:3: sampling.temperature: should be 2 or less, not 3.5",
        "10:5: situation[0]: 'You hold: {{ holds | wobble }}.': does not parse: No filter named 'wobble'"
        " (known filters: capitalize, default, dictsort, first, items, join, last, length, lower, round, sort, title,"
        " unique, upper)",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("goals:\n  - 12", "goals[0]: should be text, not 12 (put it in quotes)", id="number for text"),
        pytest.param("sampling: {top_k: 1.5}", "sampling.top_k: should be a whole number, not 1.5", id="fraction"),
        pytest.param("sampling: {temperature: '0.5'}", "should be a number, not '0.5'", id="text for a number"),
        pytest.param("sampling: {temperature: true}", "should be a number, not true", id="truth for a number"),
        pytest.param("tools: [give item]", "tools[0]: should be one word of letters, digits", id="tool name"),
        pytest.param("greeting: ", "greeting: has no value (write one after the ':'", id="nothing for text"),
        pytest.param("goals:\n  -", "goals[0]: the item is empty", id="nothing for an item"),
        pytest.param("sampling: ", "sampling: has no value (indented under it stand: temperature,", id="empty map"),
        pytest.param("sampling: hot", "not 'hot' (indented under it stand: temperature,", id="text for a map"),
        pytest.param("sampling: {top_p: 1.5}", "sampling.top_p: should be 1 or less, not 1.5", id="out of range"),
        pytest.param("knows:\n  - Pip says: hello", "(a text with ': ' in it stands in quotes)", id="colon in an item"),
        pytest.param("goals:\n  -one\n  -two", "(put a blank after each '-')", id="dash without a blank"),
        pytest.param("appearance: [Aye]", "(write one text, without '- ' and '[')", id="list for a text"),
        pytest.param(f"greeting: {'x' * 2001}", "should have at most 2000 characters, not 'xxx", id="too long"),
        pytest.param("situation: ['{{ a | jion }}']", "(did you mean 'join'?)", id="filter"),
        pytest.param("situation: ['{{ a }']", "(a variable stands between '{{' and '}}')", id="brace"),
        pytest.param("situation: ['{% if a %}x']", "(close it with '{% endif %}')", id="open condition"),
        pytest.param("situation: ['{{ f(1) }}']", "'call' is not allowed here (personas/README", id="call"),
        pytest.param("Goals: []", "unknown key 'Goals' (did you mean 'goals'?)", id="capital letter"),
        pytest.param("xyzzy: 1", "unknown key 'xyzzy' (known keys: appearance, barks,", id="nothing near"),
        pytest.param("knows: ['']", "knows[0]: should not be empty", id="empty line"),
    ],
)
def test_a_mistake_names_field_value_and_remedy(tmp_path: Path, line: str, words: str) -> None:
    path = _write(tmp_path, GOOD + line + "\n")
    (problem,) = read_persona(path).problems
    assert words in str(problem)
    assert problem.line >= 5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("name: A\n\trole: b", 2, "a tab is used for indentation", id="tab"),
        pytest.param("name: A\nvoice:\n\tstyle: b", 3, "indent with blanks", id="tab before a key"),
        pytest.param("name: A\nrole: a smith: old", 2, "yaml:2:14: a ': ' stands where no key can be", id="colon"),
        pytest.param('name: "A\nrole: b', 1, "yaml:1:7: a quote is opened and not closed", id="open quote"),
        pytest.param("role: 'the smith's aid'", 1, "nothing may follow a closing quote", id="quote in a text"),
        pytest.param("name: A\nvoice:\n  style: b\n examples: []", 4, "does not line up", id="crooked"),
        pytest.param("barks:\n  - @you", 2, "put the text in quotes", id="sign of YAML's own"),
        pytest.param("name: A\nrole a\nknows: []", 2, "neither ': ' nor", id="no colon"),
        pytest.param("name: A\ntools: [a, b\ngreeting: x", 2, "'[' or '{' is not closed", id="open bracket"),
    ],
)
def test_a_mistake_in_the_yaml_is_told_in_plain_words_where_it_begins(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    (problem,) = read_persona(_write(tmp_path, text)).problems
    assert words in str(problem)
    assert problem.line == line


def test_an_empty_file_is_told_what_stands_in_one(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"the file is empty .*keys: name, role,"):
        load_persona(_write(tmp_path, ""))


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "12"])
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContentError, match="should be a map"):
        load_persona(_write(tmp_path, text))


def test_a_folder_and_its_file_are_the_same_persona(tmp_path: Path) -> None:
    path = _write(tmp_path / "ada", GOOD)
    assert load_persona(path) == load_persona(path.parent)
    assert load_persona(path).name == "Ada"


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        pytest.param("{name: a, description: A.}\n  - {name: a, description: B.}", "'a' is declared twice", id="twice"),
        pytest.param("{name: a}", "tools[0].description: is missing", id="no description"),
        pytest.param(
            "{name: a, description: A., parameters: {properties: {x: {type: strin}}}}",
            "not a valid JSON Schema",
            id="type",
        ),
        pytest.param(
            "{name: a, description: A., parameters: {required: [x]}}",
            "required names ['x']",
            id="required, not declared",
        ),
        pytest.param(
            "{name: a, description: A., parameters: {properties: {x: {$ref: 'http://a.test/s'}}}}",
            "'http://a.test/s' is not followed",
            id="foreign reference",
        ),
    ],
)
def test_a_wrong_tool_is_told(tmp_path: Path, tool: str, words: str) -> None:
    path = _write(tmp_path, f"name: Testland\ntools:\n  - {tool}\n", "world.yaml")
    problems = read_world_file(path).problems
    assert len(problems) == 1
    assert words in str(problems[0])
    assert problems[0].line in {3, 4}


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_are_fresh(name: str) -> None:
    published = (PERSONAS / name).read_text(encoding="utf-8")
    assert published == schema_text(SCHEMAS[name]), "run: python -m npc_sdk.lore.publish personas"


def test_publish_writes_every_schema(tmp_path: Path) -> None:
    assert {path.name for path in publish(tmp_path)} == set(SCHEMAS)


@pytest.mark.parametrize("path", sorted(PERSONAS.glob("*/*.yaml")), ids=lambda path: str(path.parent.name))
def test_authored_files_fit_the_schema_they_name(path: Path) -> None:
    first, _, _ = path.read_text(encoding="utf-8").partition("\n")
    schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(read_yaml(path).value)
