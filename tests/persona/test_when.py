"""What conditions ask for: names and values that there are not, and conditions that can never hold."""

from __future__ import annotations

import pytest

from npc_sdk.persona.condition import looked_up
from npc_sdk.persona.when import Asked, condition_faults

ASKED = Asked(
    quests={"hammer": ("not given", "given", "done"), "the long way": ("begun",)},
    relations=frozenset({"player", "pip"}),
    moods=frozenset({"angry", "calm"}),
    places=frozenset({"inn", "the Gilded Goose", "the Goose", "mill"}),
    date={"day": (), "year": (), "month": ("Thaw", "Harvest"), "weekday": ("Monday",)},
)


@pytest.mark.parametrize(
    "text",
    [
        "quests.hammer == 'done'",
        "quests['the long way'] == 'begun'",
        "quests.hammer in ['given', 'done'] and relation.player >= 3",
        "mood == 'angry' or mood == 'calm'",
        "not quests.hammer is defined",
        "date.month == 'Thaw' and date.day > 3",
        "player_coins > 3",
        "place == 'inn' or place == 'The  gilded goose'",
        "place in ['mill', 'the Goose']",
        "'goose' in place",
        "place in safe_places and quests.hammer is defined",
        "holds == wanted and mood != 'calm'",
        "weather != 'rain' and 'apple' in holds",
        "relation.player > relation.pip",
        "player == 'Tom'",
        "quest.hammer == 'whatever'",
    ],
)
def test_a_right_condition_has_no_fault(text: str) -> None:
    assert list(condition_faults(text, ASKED)) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "quests.hamer == 'done'",
            "quests.hamer: there is no quest 'hamer' (did you mean 'hammer'?)",
            id="quest",
        ),
        pytest.param("quests.hammer == 'don'", "quests.hammer is never 'don' (did you mean 'done'?)", id="stage"),
        pytest.param("quests.hammer in ['given', 'lost']", "quests.hammer is never 'lost'", id="stage of several"),
        pytest.param("'gven' == quests.hammer", "quests.hammer is never 'gven'", id="the other way round"),
        pytest.param("relation.playr > 3", "there is no relationship 'playr' (did you mean 'player'?)", id="relation"),
        pytest.param(
            "quests.hammer == done",
            "quests.hammer is held against done, which is read as a variable (put 'done' in quotes)",
            id="stage without quotes",
        ),
        pytest.param("quests['the long way'] != begun", "put 'begun' in quotes", id="stage of two words"),
        pytest.param("mood in [angry, 'calm']", "mood is held against angry", id="mood without quotes"),
        pytest.param("inn == place", "place is held against inn", id="place without quotes"),
        pytest.param("place == 'Innn'", "there is no place 'Innn' (did you mean 'inn'?)", id="place"),
        pytest.param("place in ['mill', 'moon']", "there is no place 'moon' (known places: inn, mill,", id="one place"),
        pytest.param(
            "relation.zed > 3",
            "there is no relationship 'zed' (add it under 'relationships:' of an NPC who can know this)",
            id="no such relation",
        ),
        pytest.param("mood == 'angri'", "mood is never 'angri' (did you mean 'angry'?)", id="mood"),
        pytest.param("date.month == 'Thow'", "date.month is never 'Thow' (did you mean 'Thaw'?)", id="month"),
        pytest.param("date.moth == 'Thaw'", "there is no part of a date 'moth' (did you mean 'month'?)", id="part"),
        pytest.param("1 > 2", "'1 > 2' can never hold", id="constant"),
        pytest.param("quests.hammer == 'given' and quests.hammer == 'done'", "can never hold", id="two at once"),
        pytest.param("relation.player > 10", "'relation.player > 10' can never hold", id="over the most"),
        pytest.param("relation.player > 5 and relation.player < 3", "can never hold", id="between nothing"),
        pytest.param("mood == 'calm' and not mood is defined", "can never hold", id="set and not set"),
        pytest.param("a ==", "'a ==': does not parse", id="syntax"),
        pytest.param("{{ a }}", "is written without braces", id="braces"),
        pytest.param("x" * 301, "a condition of 301 characters", id="length"),
    ],
)
def test_a_wrong_condition_is_told(text: str, told: str) -> None:
    faults = [str(fault) for fault in condition_faults(text, ASKED)]
    assert len(faults) == 1
    assert told in faults[0]


def test_a_world_without_a_calendar_leaves_the_date_to_the_game() -> None:
    assert list(condition_faults("date.moth == 'Thaw'", Asked())) == []
    assert list(condition_faults("place == 'anywhere'", Asked())) == []
    assert [str(fault) for fault in condition_faults("quests.a", Asked())] == [
        "quests.a: there is no quest 'a' (declare them under 'quests:' of world.yaml)"
    ]


def test_a_condition_over_much_is_not_tried_out_for_ever() -> None:
    asked = Asked(relations=frozenset("abcdefgh"))
    text = " and ".join(f"relation.{name} > 10" for name in "abcdefgh")
    assert list(condition_faults(text, asked)) == []


def test_look_ups_name_what_they_go_through() -> None:
    assert looked_up("quests.hammer == a['b c'].d and 'quests.no' != x[y]") == {
        "quests",
        "quests.hammer",
        "a",
        "a.b c",
        "a.b c.d",
        "x",
        "y",
    }
