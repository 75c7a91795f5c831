"""``python -m game_bridge.soak [--requests N] [--clients M] [--seed S]``.

Exit status 1 when a request did not end exactly once, or somebody was left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from game_bridge.soak.storm import run_soak

_MAX_REQUESTS, _MAX_CLIENTS = 100_000, 64


def main(arguments: list[str] | None = None) -> int:
    """Run one soak and print its report."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.soak", description=run_soak.__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show the server's log")
    options = parser.parse_args(arguments)
    if not 0 < options.requests <= _MAX_REQUESTS or not 0 < options.clients <= _MAX_CLIENTS:
        parser.error(f"take 1 to {_MAX_REQUESTS} requests and 1 to {_MAX_CLIENTS} clients")
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING)
    print(f"{options.requests} requests from {options.clients} concurrent clients, seed {options.seed}")
    report = asyncio.run(run_soak(options.requests, options.clients, options.seed))
    print(report)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
