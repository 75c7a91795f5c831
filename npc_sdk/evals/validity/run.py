"""Has a model write under constraints of all kinds, several at once, and counts what came of it.

Knows the engine's seam only. Called by ``npc eval calls``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.engine.interface import Chunk, Engine, Generated
from npc_sdk.evals.validity.check import faults
from npc_sdk.evals.validity.tool_set import ToolSet
from npc_sdk.requests import Constraint, GenerateRequest, Sampling, Segment, ToolMode

NEW_TOKENS = 64  # of speech; a call that has begun by then is completed
AT_ONCE = 8
KEPT_FAULTS = 20
PROMPTS = ("The smith looks up.", "Rain falls on the square.", "You are asked for a favour.", "Somebody knocks.")
MODES: tuple[ToolMode | str, ...] = ("auto", "auto", "auto", "required", "required", "named", "none", "json")


@dataclass(slots=True)
class Tally:
    """What was counted. faults are the first few, as they would be told."""

    generations: int = 0
    tool_sets: set[str] = field(default_factory=set)
    with_calls: int = 0
    calls: int = 0
    values: int = 0
    tokens: int = 0
    faulty: int = 0
    faults: list[str] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)

    def note(self, tool_set: ToolSet, constraint: Constraint, end: Generated, calls: int, found: Sequence[str]) -> None:
        """Counts a generation."""
        self.generations += 1
        self.tool_sets.add(tool_set.name)
        self.calls += calls
        self.with_calls += bool(calls)
        self.values += constraint.json_schema is not None
        self.tokens += end.usage.completion_tokens
        self.ends[end.finish_reason] = self.ends.get(end.finish_reason, 0) + 1
        self.faulty += bool(found)
        self.faults += [f"{tool_set.name}: {fault}" for fault in found][: KEPT_FAULTS - len(self.faults)]


async def run(
    engine: Engine, tool_sets: Sequence[ToolSet], generations: int, *, seed: int, on_done: Callable[[], None]
) -> Tally:
    """So many generations, by turns over the sets; their words depend on seed and number alone."""
    tally, numbers = Tally(), iter(range(generations))

    async def work() -> None:
        for number in numbers:
            await _one(engine, tool_sets[number % len(tool_sets)], number, seed, tally)
            on_done()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return tally


def draw_constraint(tool_set: ToolSet, rng: random.Random) -> Constraint:
    """A constraint of any kind on a set."""
    mode = rng.choice(MODES)
    if mode == "json":
        return Constraint(json_schema=rng.choice(tool_set.tools).parameters)
    tools = tool_set.live
    if mode == "named":
        tools, mode = (rng.choice(tools),), "required"
    chained = frozenset(tool.name for tool in tools if rng.random() < 0.5)
    has_more = rng.random() < 0.3
    return Constraint(tools, mode, chained, max_calls=rng.randint(1, 4), speaks_after=has_more)  # type: ignore[arg-type]


async def _one(engine: Engine, tool_set: ToolSet, number: int, seed: int, tally: Tally) -> None:
    """Mutates: tally."""
    rng = random.Random(f"{seed} {number}")
    constraint = draw_constraint(tool_set, rng)
    sampling = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=NEW_TOKENS, seed=rng.randrange(2**31))
    segments = (Segment(rng.choice(PROMPTS)),)
    request = GenerateRequest(f"validity-{number}", segments, sampling=sampling, constraint=constraint)
    text = ""
    async for item in engine.stream(request):
        if isinstance(item, Chunk):
            text += item.text
        else:
            calls, found = faults(text, tool_set, constraint, tool_format(engine.info.tool_format))
            tally.note(tool_set, constraint, item, calls, found)
