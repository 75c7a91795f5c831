"""``python -m game_bridge.conformance.server --port P [--token T]``: serves the scripted world until it is ended.

Prints ``ready ADDRESS`` once clients can connect. Without a token anybody of this machine may.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
from typing import Any

from game_bridge.conformance.scene import make_world
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from game_bridge.told import Limits
from npc_sdk.world import World

# quick heartbeats, so that the script's silence of 5 s sees several of them
_LIMITS = Limits(heartbeat_s=1.0, idle_s=30.0)
_RESUME_S = 60.0  # for a client on a busy machine


async def serve(world: World, settings: BridgeSettings) -> None:
    """Say where, serve until cancelled, and close the world.

    Raises: SettingsError where the port is taken; whatever broke the server.
    """
    try:
        async with BridgeServer(world, settings) as server:
            print(f"ready {server.address}", flush=True)
            await server.wait()
    finally:
        await world.close()


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.conformance.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--token", default="", help="what clients must show; nothing if empty")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    address = f"tcp://127.0.0.1:{options.port or '*'}"
    known: dict[str, Any] = {"address": address, "limits": _LIMITS, "resume_s": _RESUME_S}
    settings = BridgeSettings(**known, **({"token": options.token} if options.token else {"allow_anonymous": True}))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(make_world(), settings))


if __name__ == "__main__":
    main()
