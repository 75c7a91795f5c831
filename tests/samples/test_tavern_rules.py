"""What the game allows and what it refuses, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from npc_sdk.messages import FunctionCall
from samples.tavern_text.game import Accepted, Game, Refused
from samples.tavern_text.rule import price_floor
from samples.tavern_text.state import State
from samples.tavern_text.village import PLAYER


def ask(game: Game, npc_id: str, tool: str, **arguments: Any) -> Accepted | Refused:
    return game.execute(npc_id, FunctionCall("c1", tool, arguments))


def at(place_id: str, **changes: Any) -> Game:
    """A game whose player stands there."""
    state = State(place_id=place_id, **changes)
    return Game(state)


def heard(game: Game, npc_id: str, words: str) -> Game:
    game.hear(npc_id, words)
    return game


def holding(place_id: str, *items: str, **changes: Any) -> Game:
    return at(place_id, holders={**State().holders, **dict.fromkeys(items, PLAYER)}, **changes)


REFUSALS = {
    "gives what it does not hold": (at("forge"), "mara", "give_item", {"item": "rope"}, "You do not hold a rope."),
    "gives what nobody knows": (at("forge"), "mara", "give_item", {"item": "the axe"}, "You do not hold an axe."),
    "gives what the player has": (
        holding("forge", "lantern"),
        "mara",
        "give_item",
        {"item": "lantern"},
        "The player holds the lantern already.",
    ),
    "gives goods away": (
        at("forge"),
        "mara",
        "give_item",
        {"item": "iron sword"},
        "The iron sword is for sale, for 12 coins. You do not give it away.",
    ),
    "breaks a bargain": (at("square"), "pip", "give_item", {"item": "silver hammer"}, "You want the honey cake first."),
    "gives without saying what": (at("square"), "pip", "give_item", {}, "Say which item."),
    "gives a number": (at("square"), "pip", "give_item", {"item": 3}, "Say which item."),
    "takes what the player lacks": (
        heard(at("square"), "pip", "Here is a honey cake."),
        "pip",
        "take_item",
        {"item": "honey cake"},
        "The player does not hold a honey cake.",
    ),
    "takes what was not offered": (
        heard(holding("square", "honey cake"), "pip", "Hello, Pip."),
        "pip",
        "take_item",
        {"item": "honey cake"},
        "The player has not offered you the honey cake.",
    ),
    "sells under the floor": (
        heard(at("forge"), "mara", "8 coins for the sword?"),
        "mara",
        "sell_item",
        {"item": "sword", "price": 8},
        "The least you take for it is 9 coins.",
    ),
    "sells over its price": (
        heard(at("forge"), "mara", "Sell me the lantern."),
        "mara",
        "sell_item",
        {"item": "lantern", "price": 5},
        "That is more than your price of 4 coins.",
    ),
    "sells to the poor": (
        heard(at("forge", coins=1), "mara", "Sell me the lantern."),
        "mara",
        "sell_item",
        {"item": "lantern", "price": 4},
        "The player has only 1 coin.",
    ),
    "sells unasked": (
        heard(at("forge"), "mara", "Good evening."),
        "mara",
        "sell_item",
        {"item": "lantern", "price": 4},
        "The player has not asked for the lantern.",
    ),
    "sells what has no price": (
        heard(at("square"), "pip", "The hammer, please."),
        "pip",
        "sell_item",
        {"item": "silver hammer", "price": 1},
        "You do not sell the silver hammer.",
    ),
    "sells for a fraction": (
        heard(at("forge"), "mara", "Sell me the lantern."),
        "mara",
        "sell_item",
        {"item": "lantern", "price": 3.5},
        "Say the price in whole coins.",
    ),
    "sells for true": (
        heard(at("forge"), "mara", "Sell me the lantern."),
        "mara",
        "sell_item",
        {"item": "lantern", "price": True},
        "Say the price in whole coins.",
    ),
    "opens a door elsewhere": (at("inn"), "tobin", "open_door", {"door": "gate"}, "There is no gate here."),
    "opens another's door": (
        at("inn", npc_places={**State().npc_places, "pip": "inn"}),
        "pip",
        "open_door",
        {"door": "cellar door"},
        "You have no key for the cellar door.",
    ),
    "opens an open door": (
        at("inn", open_doors=frozenset({"cellar door"})),
        "tobin",
        "open_door",
        {"door": "cellar door"},
        "The cellar door is open already.",
    ),
    "starts an unknown quest": (
        at("forge"),
        "mara",
        "start_quest",
        {"quest": "dragons"},
        "You have no quest called dragons.",
    ),
    "starts another's quest": (
        at("forge"),
        "mara",
        "start_quest",
        {"quest": "moonpetals"},
        "You have no quest called moonpetals.",
    ),
    "starts a quest twice": (
        at("forge", quests={"the lost hammer": "given"}),
        "mara",
        "start_quest",
        {"quest": "the lost hammer"},
        "The quest the lost hammer is given already.",
    ),
    "starts a finished quest": (
        at("forge", quests={"the lost hammer": "finished"}),
        "mara",
        "start_quest",
        {"quest": "the lost hammer"},
        "The quest the lost hammer is finished already.",
    ),
    "finishes without the goods": (
        at("forge"),
        "mara",
        "finish_quest",
        {"quest": "the lost hammer"},
        "The player has not brought the silver hammer.",
    ),
    "finishes twice": (
        holding("forge", "silver hammer", quests={"the lost hammer": "finished"}),
        "mara",
        "finish_quest",
        {"quest": "the lost hammer"},
        "The quest the lost hammer is finished already.",
    ),
    "follows twice": (
        at("square", followers=frozenset({"pip"})),
        "pip",
        "follow_player",
        {},
        "You follow the player already.",
    ),
    "stays without following": (at("square"), "pip", "stay_here", {}, "You do not follow the player."),
    "acts from afar": (at("inn"), "mara", "follow_player", {}, "The player is not here."),
    "does the impossible": (at("square"), "pip", "cast_spell", {}, "Nobody here can cast_spell."),
    "is a stranger": (at("square"), "zed", "follow_player", {}, "You are not in this village."),
}


@pytest.mark.parametrize(("game", "npc_id", "tool", "arguments", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusal_gives_its_reason_and_changes_nothing(
    game: Game, npc_id: str, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    before = game.state
    assert ask(game, npc_id, tool, **arguments) == Refused(reason)
    assert game.state is before


@pytest.mark.parametrize("name", ["lantern", "Lantern", "the lantern", "a LANTERN", "my lantern", "lanterns"])
def test_item_names_match_whatever_their_case_and_article(name: str) -> None:
    game = heard(at("forge"), "mara", f"I will buy {name}")
    assert isinstance(ask(game, "mara", "sell_item", item=name, price=4), Accepted)
    assert game.state.holders["lantern"] == PLAYER
    assert game.state.coins == 6


@pytest.mark.parametrize(("price", "floor"), [(12, 9), (4, 3), (2, 2), (1, 1), (8, 6), (6, 5)])
def test_prices_fall_to_three_quarters_and_no_further(price: int, floor: int) -> None:
    assert price_floor(price) == floor


def test_haggling_ends_at_the_floor() -> None:
    game = heard(at("forge"), "mara", "I offer 9 coins for the sword")
    outcome = ask(game, "mara", "sell_item", item="iron sword", price=9)
    assert outcome == Accepted({"item": "iron sword", "paid": 9}, "Mara sells: iron sword, for 9 coins")
    assert game.state.coins == 1


def test_offered_item_changes_hands_and_frees_the_bargain() -> None:
    game = heard(holding("square", "honey cake"), "pip", "Here is a cake for you.")
    assert ask(game, "pip", "take_item", item="honey cake") == Accepted({"item": "honey cake"}, "Pip takes: honey cake")
    assert ask(game, "pip", "give_item", item="hammer") == Accepted(
        {"item": "silver hammer"}, "Pip hands over: silver hammer"
    )
    assert set(game.state.held_by(PLAYER)) == {"silver hammer"}


@pytest.mark.parametrize("name", ["cellar door", "the cellar door", "cellar", "Cellar Door (locked)"])
def test_keeper_opens_the_door_and_the_way_is_free(name: str) -> None:
    game = at("inn")
    assert ask(game, "tobin", "open_door", door=name) == Accepted({"door": "cellar door"}, "Tobin opens: cellar door")
    game.command("go cellar")
    assert game.state.place_id == "cellar"


@pytest.mark.parametrize("holder", ["mara", PLAYER], ids=["given before", "still with the player"])
def test_quest_pays_the_sword_once_the_hammer_is_there(holder: str) -> None:
    game = at("forge", holders={**State().holders, "silver hammer": holder}, quests={"the lost hammer": "given"})
    outcome = ask(game, "mara", "finish_quest", quest="the lost hammer")
    assert outcome == Accepted({"reward": "iron sword"}, "Quest finished: the lost hammer. Mara pays: iron sword")
    assert game.state.holders["silver hammer"] == "mara"
    assert game.state.held_by(PLAYER) == ("iron sword",)
    assert game.state.quests["the lost hammer"] == "finished"


def test_quest_pays_coins_when_the_reward_was_sold() -> None:
    game = holding("forge", "silver hammer", "iron sword", coins=1)
    assert ask(game, "mara", "finish_quest", quest="lost hammer") == Accepted(
        {"reward": "12 coins"}, "Quest finished: the lost hammer. Mara pays: 12 coins"
    )
    assert game.state.coins == 13


def test_follower_walks_along_until_told_to_stay() -> None:
    game = at("square")
    assert isinstance(ask(game, "pip", "follow_player"), Accepted)
    game.command("go forge")
    assert game.state.npc_places["pip"] == "forge"
    assert isinstance(ask(game, "pip", "stay_here"), Accepted)
    game.command("go square")
    assert game.state.npc_places["pip"] == "forge"


def test_an_offer_is_forgotten_when_the_player_walks_away() -> None:
    game = heard(holding("square", "honey cake"), "pip", "Here is a cake.")
    game.command("go forge")
    game.command("go square")
    assert ask(game, "pip", "take_item", item="honey cake") == Refused("The player has not offered you the honey cake.")
