"""``npc bench copy``: the bundled model's replies about lore, which it quotes, with and without guessing ahead."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from npc_sdk.bench.board import Turn, alternate, once
from npc_sdk.bench.child import Child
from npc_sdk.bench.plan import Plan
from npc_sdk.errors import EngineError
from npc_sdk.settings import model_folder

GUESSING, PLAIN = "guessing ahead", "one token a pass"
SPEED, PASSES, FIRST = "tokens/s of replies about lore", "passes of the model a token", "first token, warm"


def run(plan: Plan) -> None:
    """Measures and compares. The model ends its replies itself: both ways they must be the same words."""
    with ExitStack() as stack:
        options = {"model": str(model_folder(plan.shape.name)), "context_tokens": plan.shape.context}
        guessing = plan.ours(stack, GUESSING, "village", **options, limits={})
        plain = plan.ours(stack, PLAIN, "village", **options, limits={"draft_tokens": 0})
        for child in (guessing, plain):
            child.ask("quote")  # what all replies begin with is read, and the threads are chosen
        said: dict[int, list[str]] = {}
        turns = [*_turns(guessing, GUESSING, said), *_turns(plain, PLAIN, said)]
        alternate(turns, plan.runs, plan.board, plan.watch)
    plan.board.compare("guessing ahead, faster", (SPEED, GUESSING), (SPEED, PLAIN), 1.3)
    plan.board.compare("guessing ahead, fewer passes", (PASSES, PLAIN), (PASSES, GUESSING))
    plan.board.finish()


def _turns(child: Child, who: str, said: dict[int, list[str]]) -> list[Turn]:
    @once
    def quote(run: int) -> dict[str, Any]:
        found = child.ask("quote")
        if said.setdefault(run, found["text"]) != found["text"]:
            raise EngineError("the replies differ from those without guesses", hint="greedy replies must not")
        return found

    def figure(read: Callable[[dict[str, Any]], float]) -> Callable[[int], float]:
        return lambda run: read(quote(run))

    return [
        Turn(SPEED, who, "tokens/s", figure(lambda found: found["tokens_per_s"])),
        Turn(PASSES, who, "", figure(lambda found: found["passes"] / found["tokens"])),
        Turn(FIRST, who, "s", figure(lambda found: found["first_token_s"])),
    ]
