"""The village: that it is built soundly, what the player can do in it, and what the characters are told."""

from __future__ import annotations

import pytest

from npc_sdk.lore.content import load_world
from npc_sdk.persona.offer import offers
from npc_sdk.settings import bundled_personas
from samples.tavern_text.game import Game
from samples.tavern_text.state import State, route
from samples.tavern_text.village import DOORS, LYING_ABOUT, PLACES, PLAYER, QUESTS, VILLAGERS


def test_every_exit_leads_somewhere_and_back() -> None:
    for place_id, place in PLACES.items():
        for way in place.exits.values():
            assert any(
                back.place_id == place_id and back.door == way.door for back in PLACES[way.place_id].exits.values()
            )


def test_everything_stands_in_a_known_place_with_a_known_keeper() -> None:
    assert {villager.place_id for villager in VILLAGERS.values()} <= PLACES.keys()
    assert {door.place_id for door in DOORS.values()} | set(LYING_ABOUT.values()) <= PLACES.keys()
    assert all(VILLAGERS[door.keeper].place_id == door.place_id for door in DOORS.values())
    assert not {PLAYER, *VILLAGERS} & PLACES.keys()


def test_every_quest_can_be_finished_and_paid() -> None:
    holders = State().holders
    for quest in QUESTS.values():
        assert quest.wanted in holders
        assert holders[quest.reward] == quest.giver


def test_every_place_can_be_reached_once_all_doors_are_open() -> None:
    state = State(open_doors=frozenset(DOORS))
    assert {place for place in PLACES if place == state.place_id or route(state, place).places} == set(PLACES)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("go moon", "You know no way to moon. From here: north to the forge"),
        ("go", "You know no way to nowhere."),
        ("go square", "You are there already."),
        ("go cellar", "The cellar door is shut. Tobin has the key."),
        ("go old well", "The gate is shut. Corvin has the key."),
        ("go north", "You are at the forge."),
        ("go inn", "You are at the Gilded Goose."),
        ("go the herb hut", "You are at the herb hut."),
        ("GO Forge", "You are at the forge."),
        ("take moonpetal", "No moonpetal lies here."),
        ("take", "No such thing lies here."),
        ("talk Mara", "There is no Mara here. You see Pip."),
        ("talk pip", "You turn to Pip."),
        ("inventory", "You hold nothing, and 10 coins."),
        ("quests", "You have promised nothing."),
        ("dance", "You do not know how to dance."),
        ("", "You do not know how to do nothing."),
        ("help", "go PLACE or DIRECTION"),
    ],
)
def test_commands_answer_in_words(line: str, text: str) -> None:
    assert Game().command(line).text.startswith(text)


def test_talk_names_the_villager_and_quit_ends() -> None:
    assert Game().command("talk Pip").talk_to == "pip"
    assert Game().command("quit").is_over


def test_what_lies_about_can_be_taken_once() -> None:
    game = Game(State(place_id="well"))
    assert "On the ground: moonpetal." in game.command("look").text
    assert game.command("take the moonpetal").text == "You take the moonpetal."
    assert game.command("take moonpetal").text == "No moonpetal lies here."
    assert game.command("inventory").text == "You hold moonpetal, and 10 coins."


def test_nobody_is_named_where_nobody_is() -> None:
    assert Game(State(place_id="well")).command("talk pip").text == "There is no pip here. You see nobody."


def test_quests_tells_what_was_promised() -> None:
    game = Game(State(quests={**State().quests, "the lost hammer": "given"}))
    assert game.command("quests").text == "the lost hammer: given. Mara said: Bring me the silver hammer."


def test_state_for_tells_a_seller_what_it_has_and_asks() -> None:
    assert Game().state_for("mara") == {
        "place": "the forge",
        "holds": ["iron sword", "lantern", "knife"],
        "prices": {"iron sword": 12, "lantern": 4, "knife": 6},
        "doors": [],
        "player_holds": [],
        "player_coins": 10,
        "open_quests": ["the lost hammer"],
        "quest": "the lost hammer: not given",
    }


def test_state_for_leaves_prices_of_sold_goods_out() -> None:
    game = Game(State(holders={**State().holders, "lantern": PLAYER}))
    values = game.state_for("mara")
    assert values["prices"] == {"iron sword": 12, "knife": 6}
    assert values["player_holds"] == ["lantern"]


def test_state_for_names_doors_to_their_keeper_and_no_quest_to_others() -> None:
    values = Game().state_for("corvin")
    assert values["doors"] == ["gate"]
    assert values["open_quests"] == []
    assert "quest" not in values


@pytest.mark.parametrize(("status", "is_open"), [("not given", True), ("given", True), ("finished", False)])
def test_a_quest_can_be_named_until_it_is_finished(status: str, is_open: bool) -> None:
    state = State(quests={**State().quests, "the lost hammer": status})  # type: ignore[dict-item]
    assert Game(state).state_for("mara")["open_quests"] == (["the lost hammer"] if is_open else [])


CONTENT = load_world(bundled_personas())


@pytest.mark.parametrize("npc_id", CONTENT.personas)
def test_what_tools_take_from_the_state_is_what_the_game_reports(npc_id: str) -> None:
    reported = Game().state_for(npc_id)
    for offer in offers(CONTENT.personas[npc_id], CONTENT.world):
        for source in offer.tool.sources():
            assert {path.removeprefix("state.") for path in source.paths} <= reported.keys()


@pytest.mark.parametrize(
    ("status", "holder", "line"),
    [
        ("not given", "pip", "the lost hammer: not given"),
        ("not given", PLAYER, "the lost hammer: not given"),
        ("given", "pip", "the lost hammer: given"),
        ("given", PLAYER, "the lost hammer: done"),
        ("given", "mara", "the lost hammer: done"),
        ("finished", "mara", "the lost hammer: finished"),
    ],
)
def test_quest_line_follows_the_goods(status: str, holder: str, line: str) -> None:
    quests = {**State().quests, "the lost hammer": status}
    state = State(quests=quests, holders={**State().holders, "silver hammer": holder})  # type: ignore[arg-type]
    assert Game(state).state_for("mara")["quest"] == line
