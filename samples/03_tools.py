# ruff: noqa: N999 - the number tells the order of reading
"""Characters that act: a game says what they hold, and decides about what they do.

Start `npc serve` first; then ``python samples/03_tools.py [ADDRESS]``.
"""

import sys

from game_bridge.client import NpcClient, Refuse
from npc_sdk.errors import NpcError
from npc_sdk.events import ReplyFailed, TextDelta, ToolSettled
from npc_sdk.messages import FunctionCall, JsonValue

shelf = {"lantern": 4, "knife": 6}
purse = 5


def decide(call: FunctionCall) -> JsonValue:
    """The rules of this game: Mara sells what is on the shelf, for as much as the purse holds. Raises: Refuse."""
    global purse
    item, price = call.arguments.get("item"), call.arguments.get("price")
    if call.name != "sell_item" or item not in shelf:
        raise Refuse(f"You do not have {item or 'that'} to sell.")
    if not isinstance(price, int) or price < shelf[item]:
        raise Refuse(f"The least you take for it is {shelf[item]} coins.")
    if price > purse:
        raise Refuse(f"The player has only {purse} coins.")
    del shelf[item]
    purse -= price
    return {"item": item, "paid": price}


def main(address: str = "tcp://127.0.0.1:5577") -> None:
    """Tries to buy two things with coins for one."""
    with NpcClient.connect(address) as client:
        mara = client.talk("mara", player="Robin")
        for words in ("I will pay 4 coins for the lantern.", "I will pay 6 coins for the knife."):
            state: dict[str, JsonValue] = {
                "holds": list(shelf),
                "prices": dict(shelf),
                "player_holds": [],
                "player_coins": purse,
            }
            client.set_state(state, npc_id="mara")
            print(f"\nRobin: {words}\nMara: ", end="")
            for event in mara.say(words, on_tool=decide):
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
