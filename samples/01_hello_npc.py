# ruff: noqa: N999 - the number tells the order of reading
"""One question to one character, all in this process: ``python samples/01_hello_npc.py [ENGINE]``."""

import asyncio
import sys

from npc_sdk import ReplyFailed, TextDelta, ToolCall, World, create_engine
from npc_sdk.settings import bundled_personas


async def main(engine: str = "hearth") -> None:
    """Asks Mara for work and agrees to whatever she does about it."""
    world = World.load(bundled_personas(), create_engine(engine))
    # What a game would report: how the quest stands, for Mara's prompt, and which quests a call of hers can name.
    world.set_state({"quest": "the lost hammer: not given", "open_quests": ["the lost hammer"]}, "mara")
    mara = world.talk("mara", player="Robin")
    print(f"Mara: {mara.greeting}\nRobin: Do you have any work for me?\nMara: ", end="")
    async for event in mara.say("Do you have any work for me?"):
        if isinstance(event, TextDelta):
            print(event.text, end="", flush=True)
        elif isinstance(event, ToolCall):
            mara.tool_result(event.call.call_id, "accepted")
        elif isinstance(event, ReplyFailed):
            print(f"[no answer: {event.error}]", end="")
    print()
    await world.close()


asyncio.run(main(*sys.argv[1:]))
