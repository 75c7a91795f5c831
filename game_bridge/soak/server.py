"""``python -m game_bridge.soak.server --token T [--delay S]``: serves the counting NPC until it is ended.

Prints ``ready ADDRESS`` once clients can connect. A process of its own, so that its memory can be weighed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
from dataclasses import replace

from game_bridge.conformance.server import serve
from game_bridge.settings import BridgeSettings
from game_bridge.soak.counting import make_world
from game_bridge.told import Limits

_MAX_PEERS = 1_024
_UNLIMITED = 1e9


def _settings(token: str, is_unlimited: bool) -> BridgeSettings:
    settings = BridgeSettings(
        address="tcp://127.0.0.1:*",
        token=token,
        limits=Limits(heartbeat_s=1.0, idle_s=120.0),
        max_peers=_MAX_PEERS,
    )
    return replace(settings, messages_per_s=_UNLIMITED) if is_unlimited else settings


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.soak.server", description=__doc__)
    parser.add_argument("--token", required=True, help="what clients must show")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each word")
    parser.add_argument("--unlimited", action="store_true", help="read each client as fast as it sends, for a bench")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(make_world(options.delay), _settings(options.token, options.unlimited)))


if __name__ == "__main__":
    main()
