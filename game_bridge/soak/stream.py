"""A soak that counts every streamed word: many clients, cut off at random, against a server in a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from game_bridge import message as wire
from game_bridge.attack.victim import Victim, open_client, trip
from game_bridge.soak.counter import Counting, Score

CUT_SHARE, RESUME_SHARE = 0.1, 0.5
_WARM_SHARE = 0.25  # of the events, after which the server has all that it needs
_LOOK_S = 0.1
_SETTLE_S = 60.0  # longer than the server keeps what could be resumed


@dataclass(frozen=True, slots=True)
class StreamReport:
    """Units: MB, seconds. before is taken once the server is warm; left are connections, sessions and replies.

    left is counted after everybody has gone.
    """

    score: Score
    clients: int
    elapsed_s: float
    start_mb: float
    before_mb: float
    after_mb: float
    peak_mb: float
    left: int

    @property
    def is_clean(self) -> bool:
        """Whether every word came once, in order, to whom it was said, and nobody is left."""
        score = self.score
        return not (score.lost or score.doubled or score.misrouted or score.broken or self.left)

    @property
    def events_per_s(self) -> float:
        """Text events, as they arrived."""
        return self.score.events / self.elapsed_s

    def __str__(self) -> str:
        score = self.score
        verdict = "every word came once, in order, to whom it was said" if self.is_clean else "BROKEN"
        broken = ", ".join(f"{count} {code}" for code, count in score.broken.most_common()) or "none"
        return "\n".join(
            (
                f"{score.events} text events to {self.clients} clients in {self.elapsed_s:.1f} s:"
                f" {self.events_per_s:.0f} a second",
                f"{score.asked} replies: {score.finished} whole, {score.abandoned} left with their connection",
                f"{score.cuts} cuts: {score.resumed} resumed, {score.not_resumed} too late to resume",
                f"lost: {score.lost}  doubled: {score.doubled}  misrouted: {score.misrouted}  other ends: {broken}",
                f"server: {self.start_mb:.1f} MB at the start, {self.before_mb:.1f} MB warm, {self.after_mb:.1f} MB"
                f" at the end, {self.peak_mb:.1f} MB at most; {self.left} connections, sessions and replies left",
                verdict,
            )
        )


async def run_stream(
    events: int,
    clients: int,
    seed: int,
    *,
    cut_share: float = CUT_SHARE,
    resume_share: float = RESUME_SHARE,
    say: Callable[[str], None] = lambda _line: None,
) -> StreamReport:
    """Let the clients loose until so many text events came. Raises: an ExceptionGroup of ConnectionLost."""
    with Victim("game_bridge.soak.server") as victim:
        score, started_s, start_mb = Score(), time.perf_counter(), victim.memory_mb()
        scale = _Scale(victim, score, events, say)
        async with asyncio.TaskGroup() as group:
            players = [
                group.create_task(
                    Counting(
                        victim.address,
                        victim.token,
                        f"C{number}",
                        f"{seed}/{number}",
                        score,
                        cut_share=cut_share,
                        resume_share=resume_share,
                    ).play(lambda: score.events >= events)
                )
                for number in range(clients)
            ]
            watching = group.create_task(scale.watch())
            await asyncio.wait(players)
            watching.cancel()
        elapsed_s = time.perf_counter() - started_s
        left = await asyncio.to_thread(_settle, victim)
        return StreamReport(
            score, clients, elapsed_s, start_mb, scale.warm_mb, victim.memory_mb(), victim.peak_mb(), left
        )


class _Scale:
    """Weighs the server while the soak runs. warm_mb is the most that it held in its first part."""

    def __init__(self, victim: Victim, score: Score, events: int, say: Callable[[str], None]) -> None:
        self.warm_mb = 0.0
        self._victim = victim
        self._score = score
        self._events = events
        self._say = say

    async def watch(self) -> None:
        told = 0
        while True:
            await asyncio.sleep(_LOOK_S)
            done = self._score.events / self._events
            held_mb = self._victim.memory_mb()
            if done <= _WARM_SHARE or not self.warm_mb:
                self.warm_mb = max(self.warm_mb, held_mb)
            if int(done * 20) > told:
                told = int(done * 20)
                self._say(f"{self._score.events} events, {self._score.cuts} cuts, server {held_mb:.0f} MB")


def _settle(victim: Victim) -> int:
    """What the server still holds for anybody but the one who asks, once it had time to let go."""
    deadline_s = time.monotonic() + _SETTLE_S
    with zmq.Context() as context, open_client(context, victim) as socket:
        trip(socket, wire.Hello(ref=1, protocol=wire.PROTOCOL, client="scale"))
        while True:
            figures = trip(socket, wire.Stats(ref=2))
            assert isinstance(figures, wire.Figures)
            bridge = figures.bridge
            left = bridge.peers - 1 + bridge.sessions + bridge.replies
            if not left or time.monotonic() > deadline_s:
                return left
            time.sleep(_LOOK_S)
