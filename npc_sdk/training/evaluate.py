"""Asks a model questions from generated dialogues that it has not seen, through the engine, and counts right answers.

Run as ``python -m npc_sdk.training.evaluate MODEL_DIR --exchanges 400``. A call is right when tool and arguments are
equal; speech is right when it says what must be said and calls nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from npc_sdk.decoding.stream_parser import Speech, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.engine.interface import Chunk, Engine
from npc_sdk.messages import Message
from npc_sdk.requests import GenerateRequest, Sampling, Segment
from npc_sdk.training.dialogue import system_message
from npc_sdk.training.exchange import Exchange
from npc_sdk.training.mix import make_exchange
from npc_sdk.training.piece import FORMAT
from npc_sdk.training.scene import make_scene
from npc_sdk.training.vocabulary import PHRASES

_SCORED_SPEECH = frozenset({"fact", "unknown", "price", "lack", "wares", "who", "goal", "moment"})


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt and the exchange that it comes from."""

    segments: tuple[Segment, ...]
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Answer:
    speech: str
    calls: tuple[tuple[str, str], ...]
    is_malformed: bool


def cases(seed: int) -> Iterator[Case]:
    """Second and third exchanges of generated dialogues, with the first as history."""
    rng = Random(f"held out {seed}")
    while True:
        scene = make_scene(rng)
        segments = FORMAT.system(system_message(scene), scene.specs())
        for index in range(3):
            moment = scene.situation()
            exchange = make_exchange(scene, rng)
            words = Message("user", exchange.player_words, contexts=(*exchange.passages, moment))
            if index:
                yield Case((*segments, *FORMAT.turn(words), *FORMAT.opening()), exchange)
            segments += FORMAT.turn(Message("user", exchange.player_words))
            for message in exchange.answer:
                segments += FORMAT.turn(message)


async def answer(engine: Engine, case: Case, name: str) -> Answer:
    """The model's greedy reply, taken apart."""
    parser = StreamParser(tool_format(engine.info.tool_format))
    sampling = Sampling(temperature=0, max_new_tokens=96, stop=FORMAT.stop)
    items = []
    async for item in engine.stream(GenerateRequest(name, case.segments, sampling=sampling)):
        if isinstance(item, Chunk):
            items += parser.feed(item.text)
    items += parser.finish()
    speech = "".join(item.text for item in items if isinstance(item, Speech))
    calls = tuple(call_key(item.name, dict(item.arguments)) for item in items if isinstance(item, ParsedCall))
    return Answer(speech, calls, any(isinstance(item, MalformedCall) for item in items))


def call_key(name: str, arguments: dict[str, object]) -> tuple[str, str]:
    """A call in a form in which two of the same meaning are equal."""
    return name, json.dumps(arguments, sort_keys=True).lower()


def is_right(exchange: Exchange, given: Answer) -> bool:
    expected = tuple(call_key(c.name, dict(c.arguments)) for c in exchange.answer[0].tool_calls)
    if expected or given.calls or given.is_malformed:
        return given.calls == expected and not given.is_malformed
    said = given.speech.lower()
    if exchange.kind == "unknown":
        return any(phrase.lower() in said for phrase in PHRASES["unknown"])
    return all(part.lower() in said for part in exchange.must_say)


async def evaluate(engine: Engine, *, exchanges: int, seed: int = 0, shown: int = 0) -> dict[str, tuple[int, int]]:
    """Right answers and questions by kind of exchange; prints the first wrong ones where asked to."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for index, case in zip(range(exchanges), cases(seed), strict=False):
        given = await answer(engine, case, f"case-{index}")
        kind = case.exchange.kind
        asked[kind] += 1
        if is_right(case.exchange, given):
            right[kind] += 1
        elif shown > 0:
            shown -= 1
            print(f"[{kind}] {case.exchange.player_words!r} expected {case.exchange.answer[0]!r}\n    got {given!r}")
    return {kind: (right[kind], asked[kind]) for kind in sorted(asked)}


def report(results: dict[str, tuple[int, int]]) -> str:
    """A table, and two totals: exchanges that want a call, and exchanges that want certain words."""
    rows = [f"{kind:10} {right:4} of {asked:4}  {right / asked:6.1%}" for kind, (right, asked) in results.items()]
    acting = {"give", "sell", "take", "open", "start", "finish", "follow", "stay", "deed"}
    for title, kinds in (("right calls", acting), ("right facts", {"fact"}), ("right words", _SCORED_SPEECH)):
        chosen = [results[kind] for kind in results if kind in kinds]
        right, asked = sum(r for r, _ in chosen), sum(a for _, a in chosen)
        rows.append(f"{title}: {right} of {asked}, {right / max(1, asked):.1%}")
    return "\n".join(rows)


async def _run(model: Path, exchanges: int, seed: int, shown: int) -> None:
    from npc_sdk.engine.create import create_engine

    engine = create_engine(str(model))
    try:
        print(report(await evaluate(engine, exchanges=exchanges, seed=seed, shown=shown)))
    finally:
        await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--exchanges", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="print this many wrong answers")
    chosen = parser.parse_args()
    asyncio.run(_run(chosen.model, chosen.exchanges, chosen.seed, chosen.show))


if __name__ == "__main__":
    main()
