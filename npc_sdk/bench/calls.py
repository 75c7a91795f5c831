"""``npc bench calls``: what keeping to a grammar costs, and what feeding forced tokens at once saves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from npc_sdk.bench.board import Turn, alternate, once
from npc_sdk.bench.child import Child
from npc_sdk.bench.plan import Plan

FAST, STEPPED = "forced tokens at once", "one token a pass"
PASSES, REPLY, TOKENS = "passes of the model a call", "time of a call, prompt warm", "tokens of a call"
MASK_CALL, MASK_SPEECH, STEP = "mask a step, in calls", "mask a step, in speech", "decode step, unconstrained"
PROMPT_TOKENS, REPLY_TOKENS, CALLS = 64, 48, 8
SHARES = (("mask in calls, share of a step", MASK_CALL), ("mask in speech, share of a step", MASK_SPEECH))


def run(plan: Plan) -> None:
    """Measures and compares."""
    with ExitStack() as stack:
        fast = plan.ours(stack, FAST, "calls")
        stepped = plan.ours(stack, STEPPED, "calls", limits={"draft_tokens": 0, "fast_forward": False})
        turns = [*_call_turns(plan, fast, FAST), *_call_turns(plan, stepped, STEPPED), *_step_turns(plan, stepped)]
        alternate(turns, plan.runs, plan.board, plan.watch)
    board = plan.board
    board.compare("forced tokens at once, fewer passes", (PASSES, STEPPED), (PASSES, FAST), 1.5)
    board.compare("forced tokens at once, sooner", (REPLY, STEPPED), (REPLY, FAST))
    for what, mask in SHARES:
        board.share(what, (mask, STEPPED), (STEP, STEPPED), 0.05)
    board.finish()


def _call_turns(plan: Plan, child: Child, who: str) -> list[Turn]:
    """Several calls, whose prompt is the same in every run and was read before."""
    text = plan.prompt("calls", 0, PROMPT_TOKENS).text

    @once
    def call(run: int) -> dict[str, Any]:
        child.ask("decode", text=text, tokens=REPLY_TOKENS)
        return child.ask("calls", text=text, replies=CALLS, seed=run * CALLS)

    def figure(name: str) -> Callable[[int], float]:
        return lambda run: float(call(run)[name])

    return [
        Turn(PASSES, who, "", figure("passes")),
        Turn(REPLY, who, "s", figure("reply_s")),
        Turn(TOKENS, who, "", figure("tokens")),
        *([Turn(MASK_CALL, who, "s", figure("mask_s"))] if who == STEPPED else []),
    ]


def _step_turns(plan: Plan, child: Child) -> list[Turn]:
    """A step of speech with a mask, and one without a constraint."""
    text = plan.prompt("calls", 0, PROMPT_TOKENS).text

    def speech(_run: int) -> float:
        return float(child.ask("speech", text=text, tokens=REPLY_TOKENS)["mask_s"])

    def step(_run: int) -> float:
        return 1 / float(child.ask("decode", text=text, tokens=REPLY_TOKENS)["tokens_per_s"])

    return [Turn(MASK_SPEECH, STEPPED, "s", speech), Turn(STEP, STEPPED, "s", step)]
