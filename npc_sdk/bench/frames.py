"""``npc bench frames``: a game of 60 frames a second beside our engine, silent, speaking, and speaking governed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from npc_sdk.bench.board import Turn, alternate, once
from npc_sdk.bench.child import Child
from npc_sdk.bench.plan import Plan

SECONDS = 20.0
PROMPT_TOKENS = 64
SILENT, FREE, GOVERNED = "silent", "speaking, governor off", "speaking, governor on"
LATE, MEDIAN, LONGEST, SPEED = "frames over 20 ms", "median frame", "longest frame", "speed beside the game"


def run(plan: Plan, seconds: float = SECONDS) -> None:
    """Measures and compares. The engine stands back as far as a game's engine does by default."""
    plan.board.notes.append("every frame: 6 ms of processor time on one core; the engine's priority is below normal")
    with ExitStack() as stack:
        free = _child(plan, stack, FREE, is_on=False)
        governed = _child(plan, stack, GOVERNED, is_on=True)
        # All figures of one game stand together: the first that is asked for plays it.
        turns = [
            *_turns(plan, SILENT, free, seconds, is_speaking=False),
            *_turns(plan, FREE, free, seconds, is_speaking=True),
            *_turns(plan, GOVERNED, governed, seconds, is_speaking=True),
        ]
        alternate(turns, plan.runs, plan.board, plan.watch)
    plan.board.limit("late frames, governor on", (LATE, GOVERNED), 1.0)
    plan.board.compare("speed left by the governor", (SPEED, GOVERNED), (SPEED, FREE))
    plan.board.finish()


def _child(plan: Plan, stack: ExitStack, name: str, *, is_on: bool) -> Child:
    options = {"priority": "below_normal", "governor": {"is_on": is_on}}
    return plan.ours(stack, name, "beside-game", **options)


def _turns(plan: Plan, who: str, child: Child, seconds: float, *, is_speaking: bool) -> list[Turn]:
    @once
    def play(run: int) -> dict[str, Any]:
        text = plan.prompt("frames", run, PROMPT_TOKENS).text
        return child.ask("frames", text=text, seconds=seconds, is_speaking=is_speaking)

    turns = [
        Turn(LATE, who, "%", lambda run: 100 * float(play(run)["late"])),
        Turn(MEDIAN, who, "ms", lambda run: 1000 * float(play(run)["median_s"])),
        Turn(LONGEST, who, "ms", lambda run: 1000 * float(play(run)["longest_s"])),
    ]
    if is_speaking:
        turns.append(Turn(SPEED, who, "tokens/s", lambda run: float(play(run)["tokens_per_s"])))
    return turns
