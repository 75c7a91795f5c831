"""What the game allows a villager to do: one function a tool, each from a state to the next or to a refusal.

The model proposes, these rules decide. A refusal is a plain sentence that the villager is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from npc_sdk.messages import JsonValue
from samples.tavern_text.naming import coins, find, with_article
from samples.tavern_text.state import State
from samples.tavern_text.village import DOORS, PLAYER, QUESTS, VILLAGERS

FLOOR_SHARE = 0.75  # how far a price can be talked down

Arguments: TypeAlias = Mapping[str, Any]


class Refusal(Exception):
    """The game says no; the text is the reason, addressed to the villager."""


@dataclass(frozen=True, slots=True)
class Done:
    """A permitted act: the state after it, what the villager is told, and what the player sees."""

    state: State
    content: JsonValue
    notice: str


def price_floor(price: int) -> int:
    """The least that is taken for goods of this price. Units: coins."""
    return math.ceil(price * FLOOR_SHARE)


def give_item(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Hands an item over for nothing. Raises: Refusal."""
    item = _own(state, npc_id, arguments)
    villager = VILLAGERS[npc_id]
    if item in villager.prices:
        raise Refusal(f"The {item} is for sale, for {coins(villager.prices[item])}. You do not give it away.")
    wanted = villager.bargains.get(item)
    if wanted and state.holders[wanted] != npc_id:
        raise Refusal(f"You want the {wanted} first.")
    return Done(state.moved(item, PLAYER), {"item": item}, f"{villager.name} hands over: {item}")


def take_item(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Takes what the player offered. Raises: Refusal."""
    asked = _text(arguments, "item")
    item = find(asked, state.held_by(PLAYER))
    if item is None:
        raise Refusal(f"The player does not hold {with_article(asked)}.")
    if (npc_id, item) not in state.named:
        raise Refusal(f"The player has not offered you the {item}.")
    return Done(state.moved(item, npc_id), {"item": item}, f"{VILLAGERS[npc_id].name} takes: {item}")


def sell_item(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Sells goods at the asked price or somewhat under it. Raises: Refusal."""
    item = _own(state, npc_id, arguments)
    villager = VILLAGERS[npc_id]
    if item not in villager.prices:
        raise Refusal(f"You do not sell the {item}.")
    if (npc_id, item) not in state.named:
        raise Refusal(f"The player has not asked for the {item}.")
    price = _fair_price(arguments, villager.prices[item])
    if price > state.coins:
        raise Refusal(f"The player has only {coins(state.coins)}.")
    after = state.moved(item, PLAYER).paid(-price)
    return Done(after, {"item": item, "paid": price}, f"{villager.name} sells: {item}, for {coins(price)}")


def open_door(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Opens a door that the villager keeps. Raises: Refusal."""
    asked = _text(arguments, "door")
    here = [name for name, door in DOORS.items() if door.place_id == state.place_id]
    door = find(asked, here)
    if door is None:
        raise Refusal(f"There is no {asked} here.")
    if DOORS[door].keeper != npc_id:
        raise Refusal(f"You have no key for the {door}.")
    if door in state.open_doors:
        raise Refusal(f"The {door} is open already.")
    return Done(state.opened(door), {"door": door}, f"{VILLAGERS[npc_id].name} opens: {door}")


def start_quest(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Gives the player an errand. Raises: Refusal."""
    quest = _own_quest(npc_id, arguments)
    status = state.quests[quest]
    if status != "not given":
        raise Refusal(f"The quest {quest} is {status} already.")
    task = QUESTS[quest].task
    return Done(state.with_quest(quest, "given"), {"task": task}, f"New quest: {quest}. {task}")


def finish_quest(state: State, npc_id: str, arguments: Arguments) -> Done:
    """Takes what was brought and pays; bringing it unasked counts as well. Raises: Refusal."""
    name = _own_quest(npc_id, arguments)
    quest = QUESTS[name]
    if state.quests[name] == "finished":
        raise Refusal(f"The quest {name} is finished already.")
    if state.holders[quest.wanted] not in (npc_id, PLAYER):
        raise Refusal(f"The player has not brought the {quest.wanted}.")
    after = state.with_quest(name, "finished").moved(quest.wanted, npc_id)
    if after.holders[quest.reward] == npc_id:
        after, reward = after.moved(quest.reward, PLAYER), quest.reward
    else:
        after, reward = after.paid(quest.reward_coins), coins(quest.reward_coins)
    return Done(after, {"reward": reward}, f"Quest finished: {name}. {VILLAGERS[npc_id].name} pays: {reward}")


def follow_player(state: State, npc_id: str, _arguments: Arguments) -> Done:
    """Walks with the player from now on. Raises: Refusal."""
    if npc_id in state.followers:
        raise Refusal("You follow the player already.")
    notice = f"{VILLAGERS[npc_id].name} comes along"
    return Done(state.following(npc_id, follows=True), None, notice)


def stay_here(state: State, npc_id: str, _arguments: Arguments) -> Done:
    """Stops walking with the player. Raises: Refusal."""
    if npc_id not in state.followers:
        raise Refusal("You do not follow the player.")
    return Done(state.following(npc_id, follows=False), None, f"{VILLAGERS[npc_id].name} stays here")


Rule: TypeAlias = Callable[[State, str, Arguments], Done]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (give_item, take_item, sell_item, open_door, start_quest, finish_quest, follow_player, stay_here)
}


def apply(state: State, npc_id: str, tool: str, arguments: Arguments) -> Done:
    """The act under the rules that hold for every tool. Raises: Refusal."""
    rule = RULES.get(tool)
    if rule is None:
        raise Refusal(f"Nobody here can {tool}.")
    if npc_id not in VILLAGERS:
        raise Refusal("You are not in this village.")
    if not state.is_near(npc_id):
        raise Refusal("The player is not here.")
    return rule(state, npc_id, arguments)


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Refusal(f"Say which {name}.")
    return value.strip().removeprefix("the ").removeprefix("The ")


def _own(state: State, npc_id: str, arguments: Arguments) -> str:
    """The villager's item that is meant."""
    asked = _text(arguments, "item")
    item = find(asked, state.held_by(npc_id))
    if item is None:
        held = find(asked, state.held_by(PLAYER))
        raise Refusal(f"The player holds the {held} already." if held else f"You do not hold {with_article(asked)}.")
    return item


def _own_quest(npc_id: str, arguments: Arguments) -> str:
    asked = _text(arguments, "quest")
    quest = find(asked, [name for name, quest in QUESTS.items() if quest.giver == npc_id])
    if quest is None:
        raise Refusal(f"You have no quest called {asked}.")
    return quest


def _fair_price(arguments: Arguments, asked: int) -> int:
    """The price in the call, between the floor and the asked price."""
    price = arguments.get("price")
    if isinstance(price, bool) or not isinstance(price, int):
        raise Refusal("Say the price in whole coins.")
    floor = price_floor(asked)
    if price < floor:
        raise Refusal(f"The least you take for it is {coins(floor)}.")
    if price > asked:
        raise Refusal(f"That is more than your price of {coins(asked)}.")
    return price
