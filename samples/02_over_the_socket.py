# ruff: noqa: N999 - the number tells the order of reading
"""Talk through a socket, as a game in another process has it: ``python samples/02_over_the_socket.py [ENGINE]``.

Server and client share one program here, to keep it short; `npc serve` is the server on its own.
"""

import asyncio
import sys

from game_bridge.client import AsyncNpcClient
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk import ReplyFailed, Sentence, World, create_engine
from npc_sdk.settings import bundled_personas


async def main(engine: str = "hearth") -> None:
    """Serves the village on a free port and asks two of its people at the same time."""
    world = World.load(bundled_personas(), create_engine(engine))
    async with (
        BridgeServer(world, BridgeSettings(address="tcp://127.0.0.1:*")) as server,
        await AsyncNpcClient.connect(server.address, token=server.token) as client,
    ):
        print(f"connected to {server.address}; here live {', '.join(client.npcs.values())}")
        await asyncio.gather(ask(client, "tobin", "How are you?"), ask(client, "corvin", "Who are you?"))
    await world.close()


async def ask(client: AsyncNpcClient, npc_id: str, words: str) -> None:
    """Prints the answer sentence by sentence, as subtitles would show it."""
    async for event in await client.say(npc_id, words):
        if isinstance(event, Sentence):
            print(f"{client.npcs[npc_id]}: {event.text}")
        elif isinstance(event, ReplyFailed):
            print(f"{client.npcs[npc_id]} cannot answer: {event.error}")


asyncio.run(main(*sys.argv[1:]))
