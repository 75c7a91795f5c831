"""``npc bench engine``: what our engine does alone, and how it does it better with more to go on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from npc_sdk.bench.board import Turn, alternate, once
from npc_sdk.bench.child import Child
from npc_sdk.bench.machine import busy_core
from npc_sdk.bench.plan import Plan
from npc_sdk.bench.vocabulary import Prompt

OURS = "ours"
SINGLE = "ours, 1 thread"
STREAMS = 8
SHORT_TOKENS, PREFIX_TOKENS, NEW_TOKENS = 64, 900, 60
PROMPT_TOKENS, REPLY_TOKENS = 512, 48
MEMORY_TOKENS = 2048
GB = 1e9

DECODE, BUSY, PREFILL = "decode, one stream", "decode beside a busy core", "prefill, 512 tokens"
AFTER = "decode just after a busy core"
TOGETHER, TOGETHER_LONG = "decode, 8 streams", "decode, 8 streams of 900 tokens"
COLD, WARM = "first token, 960 tokens cold", "first token, 900 warm and 60 new"
LOAD, MEMORY, PEAK = "load", "resident, 2,048 tokens of cache", "resident at most"
CARD = "memory of the card at most"
TOKENS_PER_S = "tokens/s"


def run(plan: Plan) -> None:
    """Measures and compares."""
    with ExitStack() as stack:
        ours = plan.ours(stack)
        single = plan.ours(stack, SINGLE, threads=1)
        for turns in (_speed_turns(plan, ours, single), _busy_turns(plan, ours)):
            alternate(turns, plan.runs, plan.board, plan.watch)
    alternate(_memory_turns(plan), plan.runs, plan.board, plan.watch)
    _compare(plan)
    plan.board.finish()


def decode_turn(plan: Plan, who: str, child: Child, *, threads: int | None = None, is_busy: bool = False) -> Turn:
    """Tokens a second of one reply, for any engine; beside a core that is kept busy, if asked."""

    def measure(run: int) -> float:
        prompt = plan.prompt("decode", run, SHORT_TOKENS)
        arguments = _words(child, prompt, threads)
        with ExitStack() as stack:
            if is_busy:
                stack.enter_context(busy_core())
            return float(child.ask("decode", tokens=REPLY_TOKENS, **arguments)["tokens_per_s"])

    return Turn(BUSY if is_busy else DECODE, who, TOKENS_PER_S, measure)


def prefill_turn(plan: Plan, who: str, child: Child, *, threads: int | None = None) -> Turn:
    """Tokens a second of a new prompt, for any engine."""

    def measure(run: int) -> float:
        prompt = plan.prompt(f"prefill {who}", run, PROMPT_TOKENS)
        arguments = _words(child, prompt, threads)
        return float(child.ask("prefill", **arguments)["tokens_per_s"])

    return Turn(PREFILL, who, TOKENS_PER_S, measure)


def _words(child: Child, prompt: Prompt, threads: int | None) -> dict[str, Any]:
    """A prompt in the form that an engine takes it."""
    return {"text": prompt.text} if child.kind == OURS else {"ids": prompt.ids, "threads": threads}


def _speed_turns(plan: Plan, ours: Child, single: Child) -> list[Turn]:
    return [
        decode_turn(plan, OURS, ours),
        decode_turn(plan, SINGLE, single),
        prefill_turn(plan, OURS, ours),
        _together_turn(plan, ours, TOGETHER, SHORT_TOKENS),
        _together_turn(plan, ours, TOGETHER_LONG, PREFIX_TOKENS),
        Turn(COLD, OURS, "s", lambda run: _first_token(plan, ours, run, is_warm=False)),
        Turn(WARM, OURS, "s", lambda run: _first_token(plan, ours, run, is_warm=True)),
    ]


def _busy_turns(plan: Plan, ours: Child) -> list[Turn]:
    """Measured last, so that what is said of the quiet machine is said of a quiet one."""
    after = decode_turn(plan, OURS, ours)
    return [decode_turn(plan, OURS, ours, is_busy=True), replace(after, what=AFTER)]


def _together_turn(plan: Plan, ours: Child, what: str, tokens: int) -> Turn:
    def measure(_run: int) -> float:
        # The same prompts in every run: reading them is not what is measured.
        texts = [plan.prompt(f"{what} {index}", 0, tokens).text for index in range(STREAMS)]
        return float(ours.ask("together", texts=texts, tokens=REPLY_TOKENS)["tokens_per_s"])

    return Turn(what, OURS, TOKENS_PER_S, measure)


def _first_token(plan: Plan, ours: Child, run: int, *, is_warm: bool) -> float:
    """Of a prefix and some new words. The cold turn goes first and leaves the prefix that the warm one finds."""
    prefix = plan.prompt("prefix", run, PREFIX_TOKENS)
    words = plan.prompt(f"words, warm: {is_warm}", run, NEW_TOKENS)
    if is_warm:
        ours.ask("read_ahead", front=prefix.text)
    return float(ours.ask("first_token", front=prefix.text, words=words.text)["first_token_s"])


def _memory_turns(plan: Plan) -> list[Turn]:
    """A fresh process for each run: loading is part of it, and nothing else has left memory behind."""
    context = min(MEMORY_TOKENS, plan.shape.context)

    @once
    def fill(run: int) -> dict[str, float]:
        options: dict[str, Any] = {"context_tokens": context, "cache_bytes": context * plan.shape.kv_bytes}
        with ExitStack() as stack:
            child = plan.ours(stack, "ours alone", **options)
            text = plan.prompt("memory", run, context - REPLY_TOKENS).text
            return {**child.ask("memory", text=text, tokens=REPLY_TOKENS), "load_s": child.started["load_s"]}

    return [
        Turn(LOAD, OURS, "s", lambda run: fill(run)["load_s"]),
        Turn(MEMORY, OURS, "GB", lambda run: fill(run)["resident_bytes"] / GB),
        Turn(PEAK, OURS, "GB", lambda run: fill(run)["peak_bytes"] / GB),
        *([Turn(CARD, OURS, "GB", lambda run: fill(run)["card_bytes"] / GB)] if plan.device != "cpu" else []),
    ]


def _compare(plan: Plan) -> None:
    board = plan.board
    board.compare("8 streams against one", (TOGETHER, OURS), (DECODE, OURS), 2.0)
    board.compare("8 streams of 900 tokens against one", (TOGETHER_LONG, OURS), (DECODE, OURS))
    board.compare("warm prefix, sooner", (COLD, OURS), (WARM, OURS), 8.0)
    board.compare("busy core against quiet", (BUSY, OURS), (DECODE, OURS), 0.45)
    board.compare("just after a busy core against quiet", (AFTER, OURS), (DECODE, OURS))
    board.derive("weights read while decoding", (DECODE, OURS), plan.shape.int4_bytes / GB, "GB/s")
    for what, most in ((MEMORY, 2.6), (LOAD, 8.0)):
        if (what, OURS) in board.figures:
            board.limit(what, (what, OURS), most)
