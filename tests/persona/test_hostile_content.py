"""Content from strangers: bombs are refused within a second, with a typed error that names file and place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npc_sdk.errors import ContentError
from npc_sdk.persona.load import load_persona, read_persona, read_world_file
from npc_sdk.persona.sandbox import LineError, check_line
from npc_sdk.persona.schema import Persona, Voice
from npc_sdk.persona.situation import render_situation
from tests.effort import effort_below

GOOD = "name: A\nrole: b\nvoice: {style: c}\n"
TOOL = "name: A\ntools:\n- name: t\n  description: d\n  parameters:\n    properties:\n"
NUMBERS = list(range(1500))


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Three times the second that is allowed, as this machine may be busy."""
    with effort_below(3):
        yield


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("{% for c in x %}{% if x" + "|sort" * 100 + " %}{% endif %}{% endfor %}", "8 filters", id="sorts"),
        pytest.param("{{ a" + "|lower" * 320 + " }}", "too much in one line", id="filters"),
        pytest.param("{%if a%}" * 115 + "x" + "{%endif%}" * 115, "too much in one line", id="conditions"),
        pytest.param("{% if " + " and ".join(["x==x"] * 200) + " %}{% endif %}", "too much", id="comparisons"),
        pytest.param("{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "nested too deeply", id="brackets"),
    ],
)
def test_a_line_that_would_take_for_ever_is_refused_when_it_is_read(line: str, words: str) -> None:
    with pytest.raises(LineError, match=words):
        check_line(line)


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        pytest.param("{{ 1 | round(99999999, 'ceil') }}", {}, "at most 12 make sense", id="constant digits"),
        pytest.param("{{ x | round(-9999999, 'floor') }}", {"x": 1.5}, "at most 12 make sense", id="digits"),
        pytest.param("{% for a in x %}{% endfor %}", {"x": NUMBERS}, "more than 100 turns", id="turns"),
        pytest.param("{{ x | sort | first }}", {"x": NUMBERS}, "more than 250 items", id="items"),
    ],
)
def test_a_line_that_the_state_makes_costly_is_left_out(line: str, state: dict[str, Any], words: str) -> None:
    persona = Persona(name="Ada", role="a test", voice=Voice(style="calm"), situation=(line,))
    rendered, left_out = render_situation(persona, state, "Robin")
    assert rendered == "You are talking to Robin."
    assert words in left_out[0]


def test_the_costliest_line_that_is_allowed_does_not_hold_the_game_up() -> None:
    line = "{% for a in x %}{% if y" + "|sort" * 8 + " == 1 %}{% endif %}{% endfor %}"
    persona = Persona(name="Ada", role="a test", voice=Voice(style="calm"), situation=(line,))
    assert render_situation(persona, {"x": NUMBERS[:100], "y": NUMBERS[:250]}, "Robin")[1] == ()


def test_rounding_keeps_its_ways() -> None:
    line = "{{ x | round }} {{ x | round(1) }} {{ x | round(0, 'floor') }} {{ x | round(1, 'ceil') }}"
    persona = Persona(name="Ada", role="a test", voice=Voice(style="calm"), situation=(line,))
    assert render_situation(persona, {"x": 1.75}, "Robin")[0].endswith("\n2.0 1.8 1.0 1.8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"{GOOD}description: 0x{'F' * 6000}", "cannot be read as int", id="huge number"),
        pytest.param(GOOD + "".join(f"k{i}: 1\n" for i in range(90_000)), "more than 100,000 values", id="values"),
        pytest.param("[" * 60 + "1," * 400_000, "more than 100,000 values", id="flow"),
    ],
)
def test_a_file_that_would_take_for_ever_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(text)
    with pytest.raises(ContentError, match=words):
        load_persona(path)


def test_of_very_many_mistakes_the_first_are_told_and_that_there_are_more(tmp_path: Path) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(GOOD + "".join(f"key{i}: 1\n" for i in range(20_000)))
    problems = read_persona(path).problems
    assert len(problems) == 101
    assert "more mistakes follow" in str(problems[-1])
    assert problems[-1].line == 104


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param("".join(f"      p{i}: {{type: string}}\n" for i in range(8000)), "at most 8,000", id="size"),
        pytest.param("      x: {$ref: '#'}\n", "'#' is not followed", id="endless reference"),
        pytest.param("      x: {$ref: '#/properties/y'}\n      y: {type: string}\n", "is not followed", id="reference"),
        pytest.param("      x: {pattern: '^(a+)+$'}\n", "patterns are not searched for", id="pattern"),
        pytest.param("      x: {patternProperties: {'(a+)+$': {}}}\n", "patterns are not", id="pattern of names"),
    ],
)
def test_a_schema_that_could_take_for_ever_is_refused(tmp_path: Path, schema: str, words: str) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(TOOL + schema)
    (problem,) = read_world_file(path).problems
    assert words in str(problem)


def test_a_parameter_may_be_called_as_a_keyword(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(TOOL + "      pattern: {type: string}\n      $ref: {type: string}\n")
    assert read_world_file(path).problems == ()


def test_a_persona_that_is_a_link_to_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(GOOD)
    folder = tmp_path / "ada"
    folder.mkdir()
    (folder / "persona.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(ContentError, match="a link leads out of the folder"):
        load_persona(folder)


def test_links_that_lead_to_each_other_are_told(tmp_path: Path) -> None:
    (tmp_path / "persona.yaml").symlink_to("other.yaml")
    (tmp_path / "other.yaml").symlink_to("persona.yaml")
    with pytest.raises(ContentError, match=r"cannot be found|does not exist"):
        load_persona(tmp_path / "persona.yaml")
