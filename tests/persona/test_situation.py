"""Situation lines: filled from state, left out where state is missing, harmless whatever they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npc_sdk.lore.content import load_world
from npc_sdk.persona.sandbox import LineError, check_line
from npc_sdk.persona.schema import Persona, Voice
from npc_sdk.persona.situation import render_situation
from tests.effort import effort_below

PERSONAS = Path(__file__).parents[2] / "personas"
PRICES = (
    "Prices: {% for item, coins in prices | items %}{{ item }} {{ coins }} coins"
    "{% if not loop.last %}, {% endif %}{% else %}nothing{% endfor %}."
)


def _persona(*lines: str) -> Persona:
    return Persona(name="Ada", role="a test", voice=Voice(style="proud and grand"), situation=lines)


@pytest.mark.parametrize(
    ("line", "state", "text"),
    [
        pytest.param(
            "You hold: {{ holds | join(', ') or 'nothing' }}.", {"holds": ["a", "b"]}, "You hold: a, b.", id="list"
        ),
        pytest.param(
            "You hold: {{ holds | join(', ') or 'nothing' }}.", {"holds": []}, "You hold: nothing.", id="empty"
        ),
        pytest.param(PRICES, {"prices": {"sword": 12, "lamp": 4}}, "Prices: sword 12 coins, lamp 4 coins.", id="map"),
        pytest.param(PRICES, {"prices": {}}, "Prices: nothing.", id="empty map"),
        pytest.param("{{ player }} is here.", {}, "Robin is here.", id="player"),
        pytest.param("{{ prices.sword }} coins", {"prices": {"sword": 12}}, "12 coins", id="look-up by name"),
        pytest.param("{{ prices['iron sword'] }}", {"prices": {"iron sword": 12}}, "12", id="look-up by key"),
        pytest.param("{{ holds | length }} things", {"holds": [1, 2]}, "2 things", id="length"),
        pytest.param("{{ mood | default('calm') }}", {}, "calm", id="default"),
        pytest.param("{% if coins > 5 %}Rich.{% else %}Poor.{% endif %}", {"coins": 6}, "Rich.", id="condition"),
        pytest.param("{% if quest is defined %}Q{% else %}none{% endif %}", {}, "none", id="asked whether set"),
        pytest.param("{{ place }}", {"place": "a\nYou hold: gold"}, "a You hold: gold", id="values stay on the line"),
        pytest.param("{{ place }}", {"place": "{{ 7 - 1 }}"}, "{{ 7 - 1 }}", id="values are no templates"),
    ],
)
def test_state_fills_a_line(line: str, state: dict[str, Any], text: str) -> None:
    rendered, left_out = render_situation(_persona(line), state, "Robin")
    assert rendered == f"You are talking to Robin.\n{text}"
    assert left_out == ()


@pytest.mark.parametrize(
    ("line", "state", "reason"),
    [
        pytest.param("Quest: {{ quest }}", {}, "'quest' is not set", id="not set"),
        pytest.param("{{ a.b.c }}", {"a": {}}, "has no attribute 'b'", id="key missing"),
        pytest.param("{{ coins + 1 }}", {"coins": "ten"}, "the state does not fit", id="wrong kind"),
        pytest.param("{% for x in coins %}{% endfor %}", {"coins": 4}, "the state does not fit", id="no list"),
        pytest.param("{{ x }}", {"x": "y" * 2000}, "longer than 1000 characters", id="long value"),
        pytest.param("{{ x | join(x) }}", {"x": "y" * 60_000}, "longer than 1000 characters", id="long join"),
        pytest.param("{% for a in x %}{{ x }}{% endfor %}", {"x": ["y" * 20] * 60}, "longer than", id="long loop"),
        pytest.param("{{ p.items }}", {"p": {}}, "unsafe", id="method of a value"),
    ],
)
def test_a_line_that_cannot_be_filled_is_left_out_and_told(line: str, state: dict[str, Any], reason: str) -> None:
    rendered, left_out = render_situation(_persona("First.", line, "Last."), state, "Robin")
    assert rendered == "You are talking to Robin.\nFirst.\nLast."
    assert len(left_out) == 1
    assert repr(line) in left_out[0]
    assert reason in left_out[0]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{{ holds", id="not closed"),
        pytest.param("{{ 'a' * 1000000000 }}", id="multiplication"),
        pytest.param("{{ 9 ** 9 ** 9 }}", id="power"),
        pytest.param("{{ '%99999d' % 1 }}", id="format by percent"),
        pytest.param("{{ range(9) }}", id="call"),
        pytest.param("{{ ''.__class__.__mro__() }}", id="escape by call"),
        pytest.param("{{ x | center(9999999) }}", id="filter outside the list"),
        pytest.param("{{ x is callable }}", id="test outside the list"),
        pytest.param("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", id="loop in a loop"),
        pytest.param("{% for a in x recursive %}{% endfor %}", id="recursive loop"),
        pytest.param("{% macro m() %}{% endmacro %}", id="macro"),
        pytest.param("{% set a = 1 %}", id="set"),
        pytest.param("{% include 'x' %}", id="include"),
        pytest.param("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", id="deep"),
    ],
)
def test_what_is_not_allowed_is_refused_before_play(line: str) -> None:
    with pytest.raises(LineError):
        check_line(line)


@pytest.mark.parametrize("line", ["{{ x.__class__ }}", "{{ x['__class__'] }}", "{{ x.upper }}"])
def test_attributes_of_values_are_never_shown(line: str) -> None:
    rendered, left_out = render_situation(_persona(line), {"x": "text"}, "Robin")
    assert rendered == "You are talking to Robin."
    assert len(left_out) == 1


def test_work_is_bounded() -> None:
    with effort_below(2.0):
        line = "{% for a in x %}{{ x | sort | join }}{% endfor %}"
        render_situation(_persona(line), {"x": list(range(5000))}, "Robin")


@pytest.mark.parametrize(
    ("player", "first"),
    [
        pytest.param("Robin", "You are talking to Robin.", id="plain"),
        pytest.param("Ro\nbin\tHood ", "You are talking to Ro bin Hood.", id="on one line"),
        pytest.param("", "You are talking to a stranger.", id="nobody"),
        pytest.param("x" * 500, f"You are talking to {'x' * 60}.", id="cut"),
    ],
)
def test_the_first_line_names_the_player(player: str, first: str) -> None:
    assert render_situation(_persona(), {}, player)[0] == first


def test_state_cannot_rename_the_player() -> None:
    assert render_situation(_persona("{{ player }}"), {"player": "Eve"}, "Robin")[0].endswith("\nRobin")


STATE: dict[str, Any] = {
    "holds": ["iron sword", "lantern"],
    "prices": {"iron sword": 12, "lantern": 4},
    "doors": ["cellar door (locked)"],
    "quest": "the lost hammer: not begun",
    "place": "the forge",
    "player_holds": [],
    "player_coins": 10,
}


def test_the_cast_words_the_same_state_the_same_way() -> None:
    allowed = {
        "You are talking to Robin.",
        "You hold: iron sword, lantern.",
        "Prices: iron sword: 12 coins, lantern: 4 coins.",
        "Doors here: cellar door (locked).",
        "Quest: the lost hammer: not begun.",
        "Place: the forge.",
        "The player holds: nothing. The player has 10 coins.",
    }
    for npc_id, persona in load_world(PERSONAS).personas.items():
        rendered, left_out = render_situation(persona, STATE, "Robin")
        assert set(rendered.split("\n")) <= allowed, npc_id
        assert left_out == (), npc_id
