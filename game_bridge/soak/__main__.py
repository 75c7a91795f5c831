"""``python -m game_bridge.soak [--requests N | --events N] [--clients M] [--seed S]``.

Requests that must end once, or streamed words that must come once. Exit status 1 when something was lost or doubled, or
somebody was left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from game_bridge.soak.storm import Report, run_soak
from game_bridge.soak.stream import RESUME_SHARE, StreamReport, run_stream

_MAX_REQUESTS, _MAX_CLIENTS = 1_000_000, 64
_MAX_EVENTS, _MAX_STREAMED = 100_000_000, 500


def main(arguments: list[str] | None = None) -> int:
    """Run one soak and print its report."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.soak", description=run_soak.__doc__)
    parser.add_argument("--requests", type=int, default=200, help="requests of all kinds, whose ends are counted")
    parser.add_argument("--events", type=int, help="instead: streamed words, each of which is counted")
    parser.add_argument(
        "--resumed", type=float, default=RESUME_SHARE, help="of the connections that are cut, with --events"
    )
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show the server's log")
    options = parser.parse_args(arguments)
    most, most_clients = (_MAX_REQUESTS, _MAX_CLIENTS) if options.events is None else (_MAX_EVENTS, _MAX_STREAMED)
    count = options.requests if options.events is None else options.events
    if not 0 < count <= most or not 0 < options.clients <= most_clients:
        parser.error(f"take 1 to {most} and 1 to {most_clients} clients")
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING)
    what = "requests from" if options.events is None else "streamed words to"
    print(f"{count} {what} {options.clients} concurrent clients, seed {options.seed}", flush=True)
    report: Report | StreamReport
    if options.events is None:
        report = asyncio.run(run_soak(count, options.clients, options.seed))
    else:
        report = asyncio.run(
            run_stream(
                count,
                options.clients,
                options.seed,
                resume_share=options.resumed,
                say=lambda line: print(line, flush=True),
            )
        )
    print(report)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
