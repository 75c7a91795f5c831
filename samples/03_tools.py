# ruff: noqa: N999 - the number tells the order of reading
"""Characters that act: a game says what they hold, and a function for each act decides about it.

Start `npc serve` first; then ``python samples/03_tools.py [ADDRESS]``.
"""

import sys

from game_bridge.client import NpcClient
from npc_sdk import JsonValue, NpcError, Refuse, ReplyFailed, TextDelta, Toolbox, ToolSettled, tool

WORDS = (
    "I will pay 4 coins for the lantern.",
    "I will pay 6 coins for the knife.",
    "Sell me the lantern.",
)
shelf = {"lantern": 4, "knife": 6}
purse = 5


@tool
def sell_item(item: str, price: int) -> JsonValue:
    """Sell an item you hold for coins."""
    global purse
    if item not in shelf:
        raise Refuse(f"The {item} is gone.")
    if price < shelf[item]:
        raise Refuse(f"The least you take for it is {shelf[item]} coins.")
    if price > purse:
        raise Refuse(f"The player has only {purse} coins.")
    del shelf[item]
    purse -= price
    return {"item": item, "paid": price}


def state() -> dict[str, JsonValue]:
    """What Mara is told, and what her calls can name: world.yaml has `item: {from: state.holds}`."""
    return {"holds": list(shelf), "prices": dict(shelf), "player_holds": [], "player_coins": purse}


def main(address: str = "tcp://127.0.0.1:5577") -> None:
    """Tries to buy two things with coins for one, and then what is sold already."""
    acts = Toolbox(sell_item)
    with NpcClient.connect(address) as client:
        mara = client.talk("mara", player="Robin")
        for words in WORDS:
            client.set_state(state(), npc_id="mara")
            print(f"\nRobin: {words}\nMara: ", end="")
            for event in mara.say(words, on_tool=acts):
                if isinstance(event, TextDelta):
                    print(event.text, end="", flush=True)
                elif isinstance(event, ToolSettled):
                    print(f" [{event.result.name} {event.result.status}: {event.result.content}] ", end="")
                elif isinstance(event, ReplyFailed):
                    print(f"[no answer: {event.error}]", end="")
        print(f"\nLeft on the shelf: {', '.join(shelf) or 'nothing'}; in the purse: {purse} coins.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except NpcError as exc:  # no server there, for one
        sys.exit(str(exc))
