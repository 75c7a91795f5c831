"""What a persona makes of the tools of its world: names, sets, limits that narrow, rules; and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.persona.limit import narrowed
from npc_sdk.persona.load import Reading, read_persona, read_world_file
from npc_sdk.persona.offer import offers
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.tool_check import source_notes, tool_problems

WORLD_TEXT = """\
name: W
tools:
  - name: give_item
    description: Give.
    params: {item: {from: state.holds}}
  - name: sell_item
    description: Sell.
    params: {item: {from: state.holds}, price: {type: integer, minimum: 1}, mood: [calm, angry], note: string?,
      with: {type: array, items: {from: state.holds}, optional: true}}
    per_minute: 3
    cooldown_s: 2
  - {name: wave, description: Wave., parallel: true}
tool_sets:
  trade: [give_item, sell_item]
"""
GOOD = "name: Ada\nrole: the miller\nvoice: {style: calm}\n"


@pytest.fixture
def world(tmp_path: Path) -> Reading[WorldFile]:
    path = tmp_path / "world.yaml"
    path.write_text(WORLD_TEXT, encoding="utf-8")
    return read_world_file(path)


def _persona(*tools: Any) -> Persona:
    return Persona.model_validate({"name": "Ada", "role": "r", "voice": {"style": "s"}, "tools": tools})


def _names(found: Reading[WorldFile], *tools: Any) -> list[str]:
    assert found.value is not None
    return [offer.tool.name for offer in offers(_persona(*tools), found.value)]


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        pytest.param(["wave", "give_item"], ["wave", "give_item"], id="in the persona's order"),
        pytest.param(["trade", "wave"], ["give_item", "sell_item", "wave"], id="a set"),
        pytest.param(["sell_item", "trade"], ["sell_item", "give_item"], id="a tool before its set"),
        pytest.param([{"name": "trade"}], ["give_item", "sell_item"], id="a set with a line of its own"),
        pytest.param([], [], id="none"),
    ],
)
def test_each_tool_is_offered_once(world: Reading[WorldFile], tools: list[Any], names: list[str]) -> None:
    assert _names(world, *tools) == names


def test_rules_come_from_the_tool_then_the_set_then_its_own_line(world: Reading[WorldFile]) -> None:
    assert world.value is not None
    own = {"name": "sell_item", "per_minute": 1, "limits": {"price": {"maximum": 40}}}
    shared = {"name": "trade", "per_minute": 2, "confirm": True, "limits": {"price": {"minimum": 2}}}
    for tools in ([own, shared], [shared, own]):
        give, sell = sorted(offers(_persona(*tools), world.value), key=lambda offer: offer.tool.name)
        assert [(offer.rule("per_minute"), offer.rule("confirm")) for offer in (give, sell)] == [(2, True), (1, True)]
        assert sell.rule("cooldown_s") == 2
        assert sorted(map(str, sell.limits)) == ["('price', {'maximum': 40})", "('price', {'minimum': 2})"]
        assert give.limits == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        pytest.param(
            "sel_item", "4:9: tools[0]: the world has no tool 'sel_item' (did you mean 'sell_item'?)", id="tool"
        ),
        pytest.param("trad", "the world has no tool 'trad' (did you mean 'trade'?)", id="set"),
        pytest.param("zzz", "(known tools and sets: give_item, sell_item, trade, wave)", id="nothing near"),
        pytest.param(
            "{name: trade, limits: {prize: {minimum: 2}}}", "trade has no parameter 'prize' (did you", id="name"
        ),
        pytest.param(
            "{name: wave, limits: {a: {minimum: 2}}}", "no parameter 'a' (there are no parameters)", id="none"
        ),
        pytest.param(
            "{name: sell_item, limits: {price: {minimum: 0}}}",
            "tools[0].limits.price.minimum: 0 is wider than the world's 1 (a limit only narrows)",
            id="wider",
        ),
        pytest.param(
            "{name: sell_item, limits: {mood: {enum: [calm, sad]}}}", "does not allow 'sad'", id="wider choice"
        ),
        pytest.param(
            "{name: sell_item, limits: {price: {enum: [a]}}}", "does not allow 'a'", id="choice of a wrong type"
        ),
        pytest.param(
            "{name: sell_item, limits: {note: {maximum: 3}}}", "fit a parameter of type string", id="wrong type"
        ),
        pytest.param("{name: sell_item, limits: {with: {from: state.x}}}", "fit a parameter of type array", id="list"),
        pytest.param(
            "{name: sell_item, limits: {price: {minimum: 9, maximum: 3}}}",
            "limits.price: nothing lies between minimum 9 and maximum 3",
            id="nothing left",
        ),
    ],
)
def test_an_entry_that_does_not_fit_the_world_is_told(
    world: Reading[WorldFile], tmp_path: Path, entry: str, told: str
) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(f"{GOOD}tools: [{entry}]\n", encoding="utf-8")
    found = read_persona(path)
    assert world.value is not None
    assert found.problems == ()
    assert found.value is not None
    (problem,) = tool_problems(found, world.value)
    assert told in str(problem)
    with pytest.raises(SettingsError, match="Ada may use the tool"):
        offers(found.value, world.value)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        pytest.param("{name: a, limits: {x: {maxmum: 3}}}", "limits.x.maxmum: 'maxmum' is no limit (did you", id="key"),
        pytest.param("{name: a, limits: {x: {minimum: low}}}", "limits.x.minimum: 'low' is not of type", id="bound"),
        pytest.param("{name: a, limits: {x: {enum: []}}}", "names nothing", id="empty choice"),
        pytest.param("{name: a, limits: {x: {from: holds}}}", "(did you mean 'state.holds'?)", id="path"),
        pytest.param(
            "{name: a, limit: {}}", "tools[0].limit: unknown key 'limit' (did you mean 'limits'?)", id="limit"
        ),
        pytest.param("{limits: {}}", "tools[0].name: is missing", id="no name"),
        pytest.param("{name: a, timeout_s: 0}", "tools[0].timeout_s: should be more than 0, not 0", id="rule"),
        pytest.param("12", "tools[0]: should be text, not 12", id="number"),
        pytest.param("a b", "tools[0]: should be one word of letters, digits and '_', not 'a b'", id="two words"),
    ],
)
def test_an_entry_that_is_wrong_in_itself_is_told(tmp_path: Path, entry: str, told: str) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(f"{GOOD}tools: [{entry}]\n", encoding="utf-8")
    (problem,) = read_persona(path).problems
    assert told in str(problem)


def test_a_name_given_twice_is_told_and_a_mistake_elsewhere_hides_it_not(
    world: Reading[WorldFile], tmp_path: Path
) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(f"{GOOD}gaols: []\ntools: [wave, {{name: wave}}, trade, trade]\n", encoding="utf-8")
    assert world.value is not None
    told = [str(problem) for problem in tool_problems(read_persona(path), world.value)]
    assert [line.partition("tools")[2] for line in told] == [
        "[1]: the tool 'wave' is named twice",
        "[3]: the set 'trade' is named twice",
    ]


@pytest.mark.parametrize(
    ("schema", "limit", "both"),
    [
        ({"minimum": 1}, {"minimum": 3}, {"minimum": 3}),
        ({"minimum": 1}, {"minimum": 0}, {"minimum": 1}),
        ({"maximum": 9}, {"maximum": 40}, {"maximum": 9}),
        ({"type": "integer"}, {"maximum": 40}, {"type": "integer", "maximum": 40}),
        ({"maxLength": 80}, {"maxLength": 20, "minLength": 2}, {"maxLength": 20, "minLength": 2}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, {"enum": ["b"]}),
        ({"enum": [1, True]}, {"enum": [1.0]}, {"enum": [1]}),
        ({}, {"enum": ["b"], "from": "state.x"}, {"enum": ["b"]}),
    ],
)
def test_of_two_bounds_the_narrower_holds(schema: dict[str, Any], limit: dict[str, Any], both: dict[str, Any]) -> None:
    assert narrowed(schema, limit) == both


@pytest.mark.parametrize(
    ("lines", "notes"),
    [
        pytest.param(["You hold: {{ holds | join(', ') }}."], [], id="told"),
        pytest.param(["You hold: {{ hold }}."], ["no situation line names 'holds', but one names 'hold'"], id="near"),
        pytest.param(["Weather: {{ weather }}."], [], id="the game alone knows it"),
        pytest.param(["{% for item in hold %}{{ item }}{% endfor %}"], ["but one names 'hold'"], id="in a loop"),
        pytest.param(["{{ broken", "{{ holds }}"], [], id="a line that does not parse"),
    ],
)
def test_a_path_that_is_nearly_a_variable_of_a_line_is_noted(
    world: Reading[WorldFile], lines: list[str], notes: list[str]
) -> None:
    persona = _persona().model_copy(update={"situation": tuple(lines)})
    found = [str(note) for note in source_notes(world, [persona])]
    assert len(found) == 3 * len(notes), "three parameters are filled from there"
    assert all(notes[0] in note and "world.yaml:" in note for note in found)
