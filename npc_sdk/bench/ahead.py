"""``npc bench ahead``: the first token after Enter, when the words were sent while they were typed and when not."""

from __future__ import annotations

from contextlib import ExitStack

from npc_sdk.bench.board import Turn, alternate
from npc_sdk.bench.child import Child
from npc_sdk.bench.engine import NEW_TOKENS, OURS, PREFIX_TOKENS
from npc_sdk.bench.plan import Plan

LAST_WORDS = 2  # that nobody can know before Enter
COLD, WARM, TYPED = "first token, nothing known", "first token, warm prefix", "first token, warm prefix and typed words"


def run(plan: Plan) -> None:
    """Measures and compares."""
    with ExitStack() as stack:
        ours = plan.ours(stack)
        turns = [
            Turn(COLD, OURS, "s", lambda run: _first_token(plan, ours, run, "cold", is_warm=False)),
            Turn(WARM, OURS, "s", lambda run: _first_token(plan, ours, run, "warm")),
            Turn(TYPED, OURS, "s", lambda run: _first_token(plan, ours, run, "typed", is_typed=True)),
        ]
        alternate(turns, plan.runs, plan.board, plan.watch)
    plan.board.compare("typed words, sooner than warm alone", (WARM, OURS), (TYPED, OURS), 4.0)
    plan.board.compare("warm prefix, sooner than cold", (COLD, OURS), (WARM, OURS), 8.0)
    plan.board.finish()


def _first_token(plan: Plan, ours: Child, run: int, way: str, *, is_warm: bool = True, is_typed: bool = False) -> float:
    """Of a prefix and some new words, as far as they were prepared."""
    front = plan.prompt(f"{way} prefix", run, PREFIX_TOKENS)
    words = plan.prompt(f"{way} words", run, NEW_TOKENS)
    if is_warm:
        ours.ask("read_ahead", front=front.text)
    if is_typed:
        ours.ask("read_ahead", front=front.text, words=words[:-LAST_WORDS].text)
    return float(ours.ask("first_token", front=front.text, words=words.text)["first_token_s"])
