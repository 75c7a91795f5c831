"""``python -m samples.tavern_godot.server --personas DIR [--port P]``: the village on an engine without a model.

What the NPCs say follows from what was said to them, as the model would write it, so that a test of the game always
hears the same. The token comes by the environment. Ends with its standard input. Started by process.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from game_bridge.credential import TOKEN_VARIABLE
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.errors import EngineCrashed
from npc_sdk.requests import GenerateRequest
from npc_sdk.world import World

WORD_S = 0.03
_STORY = " ".join(
    f"{word} year my father stood at the anvil, and the whole village heard him." for word in ("One", "The next") * 30
)


def _acts(words: str, tool: str, **arguments: object) -> str:
    """Speech and a call, in the markers of the model that ships."""
    return f"{words} <toolcall> {json.dumps({'name': tool, 'arguments': arguments})} </toolcall>"


_SAID = {
    "how are you": "*laughs* Never better, Robin! The stew is hot and the chairs are full. Sit down by the fire!",
    "the ale": _acts("My best!", "sell_item", item="ale", price=3),
    "buy the honey cake": _acts("Baked this morning!", "sell_item", item="honey cake", price=2),
    "cellar door": _acts("Mind the step, it bites!", "open_door", door="cellar door"),
    "iron sword": _acts("A good blade.", "sell_item", item="iron sword", price=12),
    "here is a honey cake": _acts("*stares* For me?", "take_item", item="honey cake"),
    "the silver hammer": _acts("A deal is a deal.", "give_item", item="silver hammer"),
    "come with me": _acts("Adventure!", "follow_player"),
    "the story": _STORY,
}
_DONE = {
    "sell_item": "There you are. Enjoy it!",
    "open_door": "Down you go!",
    "take_item": "*munches* Best cake in Alderwick!",
    "give_item": "It lay behind the forge, I swear.",
    "follow_player": "Where are we going?",
}
_SPOKEN = {
    ("mara", "brought you"): "*nods* An apple. You have a good heart, Robin.",
    ("mara", "evening to you both"): "Evening. The iron can wait until morning.",
    ("pip", "evening to you both"): "Evening! Mara pulled my ear today, look!",
    ("mara", "still there"): "Where should I go? I have not finished my cup.",
}


def answer(request: GenerateRequest) -> str:
    """What an NPC says to this. Raises: EngineCrashed where the evening wants a reply to fail."""
    result = request.messages[-1].tool_result
    if result is not None:
        return _DONE[result.name] if result.status == "accepted" else "Then not. Another time, perhaps."
    heard = heard_text(request.messages).casefold()
    if "dream" in heard:
        raise EngineCrashed("the script breaks here", hint="so that the game shows a bark")
    for (npc_id, words), reply in _SPOKEN.items():
        if npc_id == request.npc_id and words in heard:
            return reply
    return next((reply for words, reply in _SAID.items() if words in heard), "Hm. I hear you.")


async def serve(personas: Path, port: int) -> None:
    """Until standard input closes. Raises: SettingsError where the port is taken."""
    world = World.load(personas, ScriptedEngine(answer, delay_s=WORD_S, context_tokens=16_384))
    settings = BridgeSettings(address=f"tcp://127.0.0.1:{port or '*'}", token=os.environ[TOKEN_VARIABLE])
    try:
        async with BridgeServer(world, settings) as server:
            print(f"ready {server.address}", flush=True)
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await world.close()


def main() -> None:
    """Serve until the game's starter goes away."""
    parser = argparse.ArgumentParser(prog="python -m samples.tavern_godot.server", description=serve.__doc__)
    parser.add_argument("--personas", type=Path, required=True, help="the folder of the village")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    options = parser.parse_args()
    asyncio.run(serve(options.personas, options.port))


if __name__ == "__main__":
    main()
