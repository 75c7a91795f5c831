"""``npc bench tavern``: the evening on our engine and on llama.cpp's server, by the clock and as fast as it goes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from npc_sdk.bench.board import Turn, alternate, once
from npc_sdk.bench.machine import usable_cores
from npc_sdk.bench.plan import CONTEXT_TOKENS, SEED, Plan
from npc_sdk.bench.series import percentile
from npc_sdk.bench.shape import find_shape
from npc_sdk.bench.store import ON_CPU, why_missing
from npc_sdk.bench.tavern.server import build_server
from npc_sdk.bench.tavern.trace import NPCS
from npc_sdk.errors import NpcError

OURS, SERVER = "ours", "llama-server"
REFERENCE = "nemotron-mini-4b"  # the shape that the times of the trace are meant for
TIMEOUT_S = 1800.0
WALL = "whole trace, flat out"
# What became of the remarks; together all of them.
SPOKEN = "remarks spoken"
FATES = {SPOKEN: "whole", "remarks cut off by the player": "cut", "remarks dropped as too late": "late"}


def run(plan: Plan, turns: int) -> None:
    """Measures and compares. A fresh process for each playing, so that every evening begins cold."""
    players: dict[str, tuple[str, Mapping[str, Any]]] = {OURS: ("tavern-ours", _our_options(plan))}
    try:
        players[SERVER] = ("tavern-server", _server_options(plan))
    except NpcError as exc:
        plan.board.skip(SERVER, str(exc))
    turns_to_take = [turn for who in players for turn in _clock_turns(plan, who, players[who], turns)]
    turns_to_take += [_flat_turn(plan, who, players[who], turns) for who in players]
    alternate(turns_to_take, plan.runs, plan.board, plan.watch)
    _compare(plan)
    plan.board.finish()


def pace_for(plan: Plan) -> float:
    """How fast the evening is for a shape, so that a small model is about as busy as the large one."""
    return max(0.02, plan.shape.matrix_values / find_shape(REFERENCE).matrix_values)


def _our_options(plan: Plan) -> dict[str, Any]:
    tokens = min(CONTEXT_TOKENS, plan.shape.context)
    return {
        "model": str(plan.store.int4()),
        "device": plan.device,
        "context_tokens": tokens,
        "cache_bytes": NPCS * tokens * plan.shape.kv_bytes,  # what the server's slots take
        "limits": {"draft_tokens": 0},
    }


def _server_options(plan: Plan) -> dict[str, Any]:
    """Raises: EngineError where it cannot be had."""
    why = why_missing("llama.cpp") if plan.device == "cpu" else ON_CPU
    if why:
        raise NpcError(why)
    return {
        "program": str(build_server(plan.store.work, plan.watch.say)),
        "model": str(plan.store.gguf()),
        "tokenizer": str(plan.store.int4()),
        "threads": usable_cores(),
        "slot_tokens": min(CONTEXT_TOKENS, plan.shape.context),
        "log": str(plan.store.folder / "llama-server.log"),
    }


def _play(plan: Plan, who: str, player: tuple[str, Mapping[str, Any]], order: str, turns: int) -> dict[str, Any]:
    kind, options = player
    with ExitStack() as stack:
        child = plan.child(stack, who, kind, options)
        plan.watch.say(f"{who} plays the evening: {order.replace('_', ' ')}")
        # Every run plays the same evening: what differs between runs is then the machine.
        return child.ask(order, timeout_s=TIMEOUT_S, turns=turns, seed=SEED, pace=pace_for(plan))


def _clock_turns(plan: Plan, who: str, player: tuple[str, Mapping[str, Any]], turns: int) -> list[Turn]:
    """The figures of one playing by the clock; the first one asked for plays it."""

    @once
    def heard(_run: int) -> list[dict[str, Any]]:
        replies: list[dict[str, Any]] = _play(plan, who, player, "by_the_clock", turns)["replies"]
        return replies

    def first_s(run: int, share: float, *, is_all: bool) -> float:
        return percentile([one["first_s"] for one in _spoken(heard(run)) if is_all or one["is_player"]], share)

    def cached(run: int) -> float:
        found = _spoken(heard(run))
        return 100 * float(sum(one["cached_tokens"] for one in found) / sum(one["prompt_tokens"] for one in found))

    def fate(run: int, end: str) -> float:
        ends = [one["end"] for one in heard(run) if not one["is_player"]]
        return 100 * ends.count(end) / len(ends)

    figures = [
        Turn(_name(share, is_all=is_all), who, "s", functools.partial(first_s, share=share, is_all=is_all))
        for is_all in (False, True)
        for share in (0.5, 0.95)
    ]
    if turns >= 2:  # the only turn there may be is the player's
        figures += [Turn(what, who, "%", functools.partial(fate, end=end)) for what, end in FATES.items()]
    return [*figures, Turn("prompt tokens not computed in the turn", who, "%", cached)]


def _spoken(replies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were said to their end: the player's all are."""
    return [one for one in replies if one["end"] == "whole"]


def _flat_turn(plan: Plan, who: str, player: tuple[str, Mapping[str, Any]], turns: int) -> Turn:
    return Turn(WALL, who, "s", lambda _run: float(_play(plan, who, player, "flat_out", turns)["wall_s"]))


def _name(share: float, *, is_all: bool) -> str:
    return f"first token, {'all lines' if is_all else 'player'}, {'median' if share == 0.5 else 'p95'}"


def _compare(plan: Plan) -> None:
    for is_all in (False, True):
        for share in (0.5, 0.95):
            what = _name(share, is_all=is_all)
            plan.board.compare(f"{what}, sooner", (what, SERVER), (what, OURS), 2.0)
    # Whoever says less is sooner with the rest; that would show here.
    plan.board.compare(f"{SPOKEN}, more", (SPOKEN, OURS), (SPOKEN, SERVER))
    plan.board.compare(f"{WALL}, sooner", (WALL, SERVER), (WALL, OURS), 1.3)
