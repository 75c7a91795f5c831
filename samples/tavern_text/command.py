"""What the player types outside a conversation: one function a command, from a state to the next and a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from samples.tavern_text.naming import coins, find, listed
from samples.tavern_text.state import State, route
from samples.tavern_text.village import DOORS, PLACES, PLAYER, QUESTS, VILLAGERS

HELP = """\
go PLACE or DIRECTION   walk there: forge, square, inn, cellar, hut, gate, road, well
look                    what is here
take THING              pick up what lies here
talk NAME               begin a conversation; what you type then is said aloud, and bye ends it
inventory, quests       what you hold, what you have promised
help, quit"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a command led to. talk_to names the villager whose conversation begins."""

    state: State
    text: str
    talk_to: str | None = None
    is_over: bool = False


def go(state: State, words: str) -> Turn:
    """Walks as far as open doors allow."""
    exits = PLACES[state.place_id].exits
    ways = {direction: way.place_id for direction, way in exits.items()}
    goal = ways.get(words.casefold()) or find(words, PLACES) or _place_by_name(words)
    if goal is None:
        return Turn(state, f"You know no way to {words or 'nowhere'}. From here: {_ways(state)}.")
    if goal == state.place_id:
        return Turn(state, "You are there already.")
    way = route(state, goal)
    if not way.places:
        keeper = VILLAGERS[DOORS[str(way.barred_by)].keeper].name
        return Turn(state, f"The {way.barred_by} is shut. {keeper} has the key.")
    after = state.walked(goal)
    return Turn(after, describe(after))


def look(state: State, _words: str) -> Turn:
    """Tells what is here."""
    return Turn(state, describe(state))


def take(state: State, words: str) -> Turn:
    """Picks up what lies here."""
    item = find(words, state.held_by(state.place_id))
    if item is None:
        return Turn(state, f"No {words or 'such thing'} lies here.")
    return Turn(state.moved(item, PLAYER), f"You take the {item}.")


def talk(state: State, words: str) -> Turn:
    """Begins a conversation with somebody who is here."""
    here = state.people_at(state.place_id)
    npc_id = find(words, here)
    if npc_id is None:
        return Turn(state, f"There is no {words or 'such person'} here. You see {_people(state)}.")
    return Turn(state, f"You turn to {VILLAGERS[npc_id].name}.", talk_to=npc_id)


def inventory(state: State, _words: str) -> Turn:
    """Tells what the player holds."""
    return Turn(state, f"You hold {listed(state.held_by(PLAYER))}, and {coins(state.coins)}.")


def quests(state: State, _words: str) -> Turn:
    """Tells what the player has promised."""
    known = [name for name, status in state.quests.items() if status != "not given"]
    lines = [
        f"{name}: {state.quests[name]}. {VILLAGERS[QUESTS[name].giver].name} said: {QUESTS[name].task}"
        for name in known
    ]
    return Turn(state, "\n".join(lines) or "You have promised nothing.")


def help_(state: State, _words: str) -> Turn:
    """Tells the commands."""
    return Turn(state, HELP)


def quit_(state: State, _words: str) -> Turn:
    """Ends the evening."""
    return Turn(state, "The evening ends.", is_over=True)


Command: TypeAlias = Callable[[State, str], Turn]

COMMANDS: Mapping[str, Command] = {
    "go": go,
    "look": look,
    "take": take,
    "talk": talk,
    "inventory": inventory,
    "quests": quests,
    "help": help_,
    "quit": quit_,
}


def run(state: State, line: str) -> Turn:
    """One typed line. Unknown words change nothing."""
    verb, _, rest = line.strip().partition(" ")
    command = COMMANDS.get(verb.casefold())
    if command is None:
        return Turn(state, f"You do not know how to {verb or 'do nothing'}. Type help for what you can do.")
    return command(state, rest.strip())


def describe(state: State) -> str:
    """The place, its doors and ways, who is here and what lies here."""
    place = PLACES[state.place_id]
    lines = [f"You are at {place.name}. {place.look}", f"Ways: {_ways(state)}."]
    if state.people_at(state.place_id):
        lines.append(f"Here: {_people(state)}.")
    if lying := state.held_by(state.place_id):
        lines.append(f"On the ground: {listed(lying)}.")
    return "\n".join(lines)


def _ways(state: State) -> str:
    exits = PLACES[state.place_id].exits.items()
    return ", ".join(
        f"{direction} to {PLACES[way.place_id].name}"
        + (f" (the {way.door} is shut)" if way.door and way.door not in state.open_doors else "")
        for direction, way in exits
    )


def _people(state: State) -> str:
    return listed(VILLAGERS[npc_id].name for npc_id in state.people_at(state.place_id)).replace("nothing", "nobody")


def _place_by_name(words: str) -> str | None:
    names = {place.name: place_id for place_id, place in PLACES.items()}
    return names.get(find(words, names) or "")
