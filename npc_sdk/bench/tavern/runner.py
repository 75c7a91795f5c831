"""The tavern's runners for a child process: each makes the trace itself, from the same seed, and replays it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.ours import load_engine
from npc_sdk.bench.tavern.ours import OurVoice
from npc_sdk.bench.tavern.replay import Replay, Voice
from npc_sdk.bench.tavern.server import ServerVoice
from npc_sdk.bench.tavern.trace import make_trace
from npc_sdk.bench.vocabulary import Words


class OurTavern:
    """options: as for runner/ours.py."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()

    def start(self, options: Mapping[str, Any]) -> Figures:
        self._words = Words(Path(options["model"]))
        self._engine = load_engine(options)
        return {}

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        return self._loop.run(self._replay(order, arguments))

    def close(self) -> None:
        self._loop.run(self._engine.close())
        self._loop.close()

    async def _replay(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        voice = OurVoice(self._engine)
        try:
            return await replay(order, arguments, self._words, voice)
        finally:
            await voice.close()


class ServerTavern:
    """options: program, model, tokenizer (a folder), threads, slot_tokens, log."""

    def start(self, options: Mapping[str, Any]) -> Figures:
        self._words = Words(Path(options["tokenizer"]))
        self._voice = ServerVoice(
            Path(options["program"]),
            Path(options["model"]),
            threads=options["threads"],
            slot_tokens=options["slot_tokens"],
            log=Path(options["log"]),
        )
        return {}

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        return asyncio.run(replay(order, arguments, self._words, self._voice))

    def close(self) -> None:
        self._voice.close()


async def replay(order: str, arguments: Mapping[str, Any], words: Words, voice: Voice) -> Figures:
    """One playing: "by_the_clock" or "flat_out"."""
    pace = arguments["pace"]
    trace = make_trace(words, turns=arguments["turns"], seed=arguments["seed"], pace=pace)
    playing = Replay(trace, voice, pace=pace)
    ways = {"by_the_clock": playing.by_the_clock, "flat_out": playing.flat_out}
    if order not in ways:
        raise LookupError(f"there is no order {order!r} in the tavern")
    return await ways[order]()
