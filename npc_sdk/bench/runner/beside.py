"""Our engine beside a game: it speaks or is silent while frames are shown, and hears of each of them."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.ours import OurRunner
from npc_sdk.errors import EngineError

LATE_S = 0.020
REPLY_TOKENS = 16


class GameRunner(OurRunner):
    """options: as for load_engine."""

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        if order != "frames":
            return super().do(order, arguments)
        return self.run(self._frames(**arguments))

    async def _frames(self, text: str, seconds: float, *, is_speaking: bool) -> Figures:
        """The frames of a game of so many seconds, and how fast was spoken meanwhile."""
        await self.reply(text, 2)  # the prompt is read before the game begins
        game = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "npc_sdk.bench.runner.game", str(seconds), stdout=asyncio.subprocess.PIPE
        )
        speaking = asyncio.create_task(self._speak(text)) if is_speaking else None
        frames = await self._watch(game)
        figures = {"frames": len(frames), "late": sum(frame > LATE_S for frame in frames) / len(frames)}
        if speaking is not None:
            figures["tokens_per_s"] = await self._stop(speaking)
        governor = self.engine.stats().governor
        return {
            **figures,
            "median_s": statistics.median(frames),
            "longest_s": max(frames),
            "share": governor.share,
            "slowdowns": governor.slowdowns,
        }

    async def _watch(self, game: asyncio.subprocess.Process) -> list[float]:
        """Every frame as it is shown, told to the engine. Raises: EngineError."""
        assert game.stdout is not None
        frames: list[float] = []
        async for line in game.stdout:
            frames.append(float(line))
            self.engine.note_frame(frames[-1])
        if await game.wait() or not frames:
            raise EngineError("the game of the bench broke off", hint="the reason is in the log beside the model")
        return frames

    async def _speak(self, text: str) -> list[tuple[float, int]]:
        """Reply after reply until cancelled; when each began or ended, and the tokens until then."""
        marks = [(time.perf_counter(), 0)]
        try:
            while True:
                await self.reply(text, REPLY_TOKENS)
                marks.append((time.perf_counter(), marks[-1][1] + REPLY_TOKENS))
        except asyncio.CancelledError:
            return marks

    async def _stop(self, speaking: asyncio.Task[list[tuple[float, int]]]) -> float:
        """Ends the talking; its tokens a second. Raises: EngineError where not one reply was whole."""
        speaking.cancel()
        marks = await speaking
        if len(marks) < 2:
            raise EngineError("not one reply was whole while the game ran", hint="let it run for longer")
        return marks[-1][1] / (marks[-1][0] - marks[0][0])
