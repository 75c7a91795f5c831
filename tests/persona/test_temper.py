"""Moods and relationships: where they start, what moves them, when they fade, and what a character is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.persona.load import read_persona
from npc_sdk.persona.schema import Persona
from npc_sdk.persona.temper import Temper, faded, moved, start_temper, temper_lines, variables

HEAD: dict[str, Any] = {"name": "Ada", "role": "the miller", "voice": {"style": "calm"}}
WORDS = {
    -6: "You hate {{ who }}.",
    -3: "You do not trust {{ who }}.",
    4: "You like {{ who }}.",
    8: "You love {{ who }}.",
}


def _persona(**keys: Any) -> Persona:
    return Persona.model_validate({**HEAD, **keys})


ADA = _persona(
    mood={"start": "calm", "moves": {"insulted": "angry", "sell": "content"}, "fades_after": 2},
    relationships={
        "player": {"start": 1, "moves": {"give": 2, "insulted": -3}, "words": WORDS},
        "pip": {"start": -4, "moves": {"saved": 14}, "words": {-3: "You are wary of {{ who }}."}},
    },
)


def test_a_game_begins_with_what_the_file_says() -> None:
    temper = start_temper(ADA)
    assert (temper.mood, temper.mood_age, dict(temper.relation)) == ("calm", 0, {"player": 1, "pip": -4})
    assert start_temper(_persona()) == Temper()


@pytest.mark.parametrize(
    ("happenings", "mood", "player", "pip"),
    [
        pytest.param(["insulted"], "angry", -2, -4, id="an event moves both"),
        pytest.param(["give", "give"], "calm", 5, -4, id="a tool moves one"),
        pytest.param(["sell"], "content", 1, -4, id="a tool moves the mood"),
        pytest.param(["insulted"] * 9, "angry", -10, -4, id="not below the least"),
        pytest.param(["give"] * 9, "calm", 10, -4, id="not over the most"),
        pytest.param(["saved"], "calm", 1, 10, id="another NPC"),
        pytest.param(["waved"], "calm", 1, -4, id="nothing to it"),
    ],
)
def test_what_happens_moves_it(happenings: list[str], mood: str, player: int, pip: int) -> None:
    temper = start_temper(ADA)
    for happening in happenings:
        temper = moved(ADA, temper, happening)
    assert (temper.mood, dict(temper.relation)) == (mood, {"player": player, "pip": pip})


def test_a_mood_fades_after_its_messages() -> None:
    angry = moved(ADA, start_temper(ADA), "insulted")
    once = faded(ADA, angry)
    assert (once.mood, once.mood_age) == ("angry", 1)
    assert faded(ADA, once) == Temper("calm", 0, angry.relation)


def test_what_happens_again_keeps_a_mood_fresh() -> None:
    once = faded(ADA, moved(ADA, start_temper(ADA), "insulted"))
    assert faded(ADA, moved(ADA, once, "insulted")).mood == "angry"


def test_without_a_bound_a_mood_stays() -> None:
    persona = _persona(mood={"moves": {"insulted": "angry"}})
    temper = moved(persona, start_temper(persona), "insulted")
    for _ in range(100):
        temper = faded(persona, temper)
    assert temper.mood == "angry"


@pytest.mark.parametrize(
    ("level", "told"),
    [
        pytest.param(-10, "You hate Tom.", id="lowest"),
        pytest.param(-6, "You hate Tom.", id="at a low value"),
        pytest.param(-5, "You do not trust Tom.", id="between low values"),
        pytest.param(-3, "You do not trust Tom.", id="at the first low value"),
        pytest.param(-2, None, id="not yet low"),
        pytest.param(0, None, id="nought"),
        pytest.param(3, None, id="not yet high"),
        pytest.param(4, "You like Tom.", id="at a high value"),
        pytest.param(8, "You love Tom.", id="highest"),
    ],
)
def test_the_line_furthest_from_zero_is_told(level: int, told: str | None) -> None:
    persona = _persona(relationships={"player": {"words": WORDS}})
    lines = temper_lines(persona, Temper(relation={"player": level}), "Tom")
    assert lines == ((told,) if told else ())


def test_the_mood_and_others_are_told_by_name() -> None:
    assert temper_lines(ADA, start_temper(ADA), "Tom", {"pip": "Pip"}) == (
        "Your mood: calm.",
        "You are wary of Pip.",
    )
    assert temper_lines(_persona(), Temper(), "Tom") == ()


def test_a_players_name_is_no_template() -> None:
    persona = _persona(relationships={"player": {"start": 5, "words": {1: "You know {{ who }}."}}})
    assert temper_lines(persona, start_temper(persona), "{{ 7*7 }}") == ("You know {{ 7*7 }}.",)


def test_conditions_can_ask_for_it() -> None:
    assert variables(start_temper(ADA)) == {"mood": "calm", "relation": {"player": 1, "pip": -4}}
    assert variables(Temper()) == {"relation": {}}


@given(st.lists(st.sampled_from(["insulted", "sell", "give", "saved", "", "fade"]), max_size=60))
@settings(deadline=None, max_examples=100)
def test_it_stays_in_its_bounds(happenings: list[str]) -> None:
    temper = start_temper(ADA)
    for happening in happenings:
        temper = faded(ADA, temper) if happening == "fade" else moved(ADA, temper, happening)
        assert all(-10 <= level <= 10 for level in temper.relation.values())
        assert temper.mood in {"calm", "angry", "content"}
        assert temper.mood_age < 2


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param(
            "relationships: {player: {start: 11}}",
            "4:26: relationships.player.start: should be 10 or less, not 11",
            id="start",
        ),
        pytest.param(
            "relationships: {player: {words: {12: You trust her.}}}",
            "relationships.player.words.12: should be 10 or less, not '12'",
            id="value",
        ),
        pytest.param(
            "relationships: {player: {words: {often: You trust her.}}}",
            "relationships.player.words.often: should be a whole number, not 'often'",
            id="no value",
        ),
        pytest.param(
            "relationships: {player: {words: {3: 'You trust {{ whom }}.'}}}",
            "words.3: there is no 'whom' here (write '{{ who }}')",
            id="unknown name",
        ),
        pytest.param("relationships: {player: {words: {3: '{{ who }'}}}", "words.3: '{{ who }': does not", id="brace"),
        pytest.param("relationships: {player: {strat: 3}}", "(did you mean 'start'?)", id="unknown key"),
        pytest.param("mood: {moves: {insulted: 3}}", "mood.moves.insulted: should be text, not 3", id="mood"),
        pytest.param("mood: {fades_after: 0}", "mood.fades_after: should be 1 or more, not 0", id="fades at once"),
        pytest.param("mood: angry", "mood: should be a map of keys and values, not 'angry' (indented", id="text"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, keys: str, told: str) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(f"name: Ada\nrole: the miller\nvoice: {{style: calm}}\n{keys}\n", encoding="utf-8")
    (problem,) = read_persona(path).problems
    assert told in str(problem)
