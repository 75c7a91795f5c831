"""``npc bench peers``: our engine and those that a studio could take instead, by turns on the same weights.

One process each; transformers, whose weights are four times as large, comes in a group of its own with ours.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from npc_sdk.bench.board import Turn, alternate
from npc_sdk.bench.child import Child
from npc_sdk.bench.engine import BUSY, DECODE, OURS, PREFILL, decode_turn, prefill_turn
from npc_sdk.bench.machine import usable_cores
from npc_sdk.bench.plan import CONTEXT_TOKENS, Plan
from npc_sdk.bench.store import ON_CPU, why_missing
from npc_sdk.errors import NpcError

LLAMA, ORT, HF = "llama.cpp", "onnxruntime-genai", "transformers"
AGAIN = "ours, beside transformers"


def run(plan: Plan) -> None:
    """Measures and compares."""
    plan.board.notes.append(
        "ours: int4, groups of 128, int4 head; llama.cpp: Q4_0 (groups of 32), head in Q6_K; onnxruntime-genai: int4, "
        "groups of 32, accuracy level 4; transformers: bf16"
    )
    with ExitStack() as stack:
        ours = plan.ours(stack)
        with ExitStack() as group:
            _alternate(plan, [*_turns(plan, OURS, ours), *_llama_turns(plan, group), *_ort_turns(plan, group)])
        with ExitStack() as group:
            theirs = _hf_turns(plan, group)
            if theirs:
                _alternate(plan, [*_turns(plan, AGAIN, ours), *theirs])
    _compare(plan)
    plan.board.finish()


def _turns(plan: Plan, who: str, child: Child, threads: int | None = None) -> list[Turn]:
    """Everything that is measured of one engine."""
    decode = partial(decode_turn, plan, who, child, threads=threads)
    return [decode(), prefill_turn(plan, who, child, threads=threads), decode(is_busy=True)]


def _alternate(plan: Plan, turns: list[Turn]) -> None:
    """All engines by turns, on the quiet machine first: what is kept busy there is busy for nobody else."""
    for kinds in ((DECODE, PREFILL), (BUSY,)):
        chosen = sorted((turn for turn in turns if turn.what in kinds), key=lambda turn: kinds.index(turn.what))
        alternate(chosen, plan.runs, plan.board, plan.watch)


def _llama_turns(plan: Plan, stack: ExitStack) -> list[Turn]:
    child = start_peer(plan, stack, LLAMA, lambda: {"model": str(plan.store.gguf()), **_llama_options(plan)})
    if child is None:
        return []
    counts = sorted({1, usable_cores()})
    return [turn for count in counts for turn in _turns(plan, llama_name(count), child, count)]


def _llama_options(plan: Plan) -> dict[str, Any]:
    return {"threads": usable_cores(), "context": min(CONTEXT_TOKENS, plan.shape.context)}


def llama_name(threads: int) -> str:
    """What llama.cpp is called at a number of threads."""
    return f"{LLAMA}, {threads} thread{'s' if threads > 1 else ''}"


def _ort_turns(plan: Plan, stack: ExitStack) -> list[Turn]:
    child = start_peer(plan, stack, ORT, lambda: {"model": str(plan.store.onnx())})
    return _turns(plan, ORT, child) if child else []


def _hf_turns(plan: Plan, stack: ExitStack) -> list[Turn]:
    child = start_peer(plan, stack, HF, lambda: {"model": str(plan.store.full()), "device": plan.device})
    return _turns(plan, HF, child) if child else []


def start_peer(plan: Plan, stack: ExitStack, name: str, options: Any) -> Child | None:
    """The peer in a child; None, with the reason on the board, where it is not installed or does not start."""
    why = why_missing(name) or (ON_CPU if plan.device != "cpu" and name != HF else "")
    if why:
        plan.board.skip(name, why)
        return None
    try:
        return plan.child(stack, name, name, options())
    except NpcError as exc:
        plan.board.skip(name, str(exc))
        return None


def _compare(plan: Plan) -> None:
    board = plan.board
    llamas = [llama_name(count) for count in sorted({1, usable_cores()})]
    for what, llama_target, ort_target, hf_target in (
        (DECODE, 1.10, 1.6, 4.0),
        (PREFILL, 1.15, 2.5, None),
    ):
        best = board.best(what, llamas)
        if best:
            board.compare(f"{what} against {best}", (what, OURS), (what, best), llama_target)
        board.compare(f"{what} against {ORT}", (what, OURS), (what, ORT), ort_target)
        board.compare(f"{what} against {HF}", (what, AGAIN), (what, HF), hf_target)
    best = board.best(BUSY, [*llamas, ORT])
    if best:
        board.compare(f"{BUSY} against the best, {best}", (BUSY, OURS), (BUSY, best), 0.9)
    board.compare("busy core against quiet, ours", (BUSY, OURS), (DECODE, OURS), 0.45)
