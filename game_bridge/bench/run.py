"""The bridge and bare pyzmq sockets by turns, on the same machine with the same clients and messages of the same size.

ping: each client asks again as soon as it is answered. stream: each client asks for long replies, and pieces of text
are counted where they arrive; the bridge's engine is scripted, without delay, so that only sessions and bridge are
measured. Called by ``npc bench bridge``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from game_bridge.attack.victim import Victim
from npc_sdk.bench.board import Board, Turn, Watch, alternate, once
from npc_sdk.bench.machine import describe_machine
from npc_sdk.errors import EngineError

CLIENTS = (1, 8, 64)
OURS, BLOCKING, ASYNCIO = "bridge", "pyzmq, blocking", "pyzmq, asyncio"
TARGET = 0.5  # of a bare echo's messages, in streamed tokens
_PATIENCE_S = 120.0
_NOTES = (
    "ping: one message a client under way at a time. With many clients a round trip is mostly waiting for one's turn.",
    "stream: pieces of text that arrived, a token each. The bridge's sentences and ends are not counted.",
    "The bare servers are given a count and pieces packed beforehand; the bridge runs a whole session a client.",
    "The aim compares streamed tokens of the bridge with round trips of the bare blocking ROUTER: a message each.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured a turn."""

    pings: int = 20_000
    pieces: int = 100_000
    words: int = 500


def run(
    *,
    json_path: Path | None,
    runs: int,
    watch: Watch,
    clients: tuple[int, ...] = CLIENTS,
    size: Size | None = None,
) -> Board:
    """Measures by turns; an interrupted run goes on from its file. Raises: SettingsError, EngineError."""
    size = size or Size()
    settings = {"clients": list(clients), "pings": size.pings, "pieces": size.pieces, "words": size.words}
    board = Board("bridge", settings, describe_machine(), json_path)
    board.resume()
    with ExitStack() as stack:
        ours = stack.enter_context(Victim("game_bridge.soak.server", ("--unlimited",)))
        blocking = stack.enter_context(Victim("game_bridge.bench.bare"))
        on_asyncio = stack.enter_context(Victim("game_bridge.bench.bare", ("--asyncio",)))
        servers = ((OURS, ours, ours.token), (BLOCKING, blocking, ""), (ASYNCIO, on_asyncio, ""))
        turns: list[Turn] = []
        for count in clients:
            for who, victim, token in servers:
                turns += _ping_turns(who, victim, token, count, size)
            for who, victim, token in servers:
                turns.append(_stream_turn(who, victim, token, count, size))
        alternate(turns, runs, board, watch)
    _compare(board, clients)
    board.notes.extend(_NOTES)
    board.finish()
    return board


def _ping_turns(who: str, victim: Victim, token: str, clients: int, size: Size) -> list[Turn]:
    @once
    def ping(_run: int) -> dict[str, Any]:
        return _ask(victim, token, "ping", "--clients", clients, "--count", size.pings)

    def figure(name: str) -> Callable[[int], float]:
        return lambda run: float(ping(run)[name])

    return [
        Turn(_answers(clients), who, "/s", figure("rate")),
        Turn(f"round trip, {_people(clients)}, median", who, "s", figure("median_s")),
        Turn(f"round trip, {_people(clients)}, p99", who, "s", figure("p99_s")),
    ]


def _stream_turn(who: str, victim: Victim, token: str, clients: int, size: Size) -> Turn:
    def stream(_run: int) -> float:
        extent = ("--clients", clients, "--count", size.pieces, "--words", size.words)
        return float(_ask(victim, token, "stream", *extent)["rate"])

    return Turn(_pieces(clients), who, "/s", stream)


def _compare(board: Board, clients: tuple[int, ...]) -> None:
    """Streamed tokens beside a bare echo, and beside bare streams, which run no session and pack nothing."""
    for count in clients:
        tokens, echoes = (_pieces(count), OURS), _answers(count)
        board.compare(f"streamed tokens over bare echo, {_people(count)}", tokens, (echoes, BLOCKING), TARGET)
    for count in clients:
        tokens, echoes = (_pieces(count), OURS), _answers(count)
        board.compare(f"streamed tokens over asyncio echo, {_people(count)}", tokens, (echoes, ASYNCIO))
        board.compare(f"pings over bare echo, {_people(count)}", (echoes, OURS), (echoes, BLOCKING))
        for who in (BLOCKING, ASYNCIO):
            board.compare(f"streamed tokens over bare stream, {who}, {_people(count)}", tokens, (_pieces(count), who))


def _ask(victim: Victim, token: str, *order: object) -> dict[str, Any]:
    """Runs the clients' process once. Raises: EngineError."""
    command = [sys.executable, "-m", "game_bridge.bench.client", victim.address, *map(str, order)]
    try:
        done = subprocess.run(
            [*command, *([f"--token={token}"] if token else [])],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired as exc:
        raise EngineError(f"the clients took more than {_PATIENCE_S:g} s") from exc
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing was printed"]
        raise EngineError(f"the clients failed with status {done.returncode}: {last[0]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _people(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def _answers(count: int) -> str:
    return f"pings, {_people(count)}"


def _pieces(count: int) -> str:
    return f"streamed tokens, {_people(count)}"
