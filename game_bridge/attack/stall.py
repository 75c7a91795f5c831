"""B4: 64 clients, 16 of which stop reading while they ask for more and more. The others must not notice.

The stalled ask for long replies of long words and read nothing, with the smallest buffers that the system gives them.
The others ask for counts, whose every word is judged. One of them asks the server how many connections it holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from game_bridge.attack.verdict import Figure, Verdict
from game_bridge.attack.victim import Victim
from game_bridge.soak.counting import NPC_ID, Count, order
from game_bridge.soak.raw_line import RawLine
from npc_sdk.errors import ConnectionLost

CLIENTS, STALLED = 64, 16
CUT_LIMIT_S = 10.0
CLIENT_LIMIT_MB = 16.0  # what one that stalls may cost while it is not cut yet
_LONG, _LONG_WORDS, _LONG_LETTERS = "Stall", 16, 4_000  # a whole reply has at most 65,536 letters
_WORDS, _LETTERS = 100, 16
_SESSIONS = 8
_ASK_S, _LOOK_S = 0.1, 0.05
_PATIENCE_S = 60.0
_RECEIVE_BYTES = 4_096


@dataclass(slots=True)
class Score:
    """What the honest clients heard."""

    words: int = 0
    wrong: int = 0
    replies: int = 0
    failed: int = 0


@dataclass(slots=True)
class Client:
    """A welcomed line with sessions."""

    address: str
    token: str
    line: RawLine | None = None
    sessions: list[str] = field(default_factory=list)
    is_welcome: bool = False
    on_event: Callable[[dict[str, Any]], None] = lambda _message: None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, sessions: int, *, receive_bytes: int | None = None) -> None:
        """Raises: ConnectionLost."""
        self.line = await RawLine.open(self.address, self.token, self._hear, self.news.set, receive_bytes=receive_bytes)
        self.line.send({"type": "hello", "protocol": 1, "client": "stall"})
        for _ in range(sessions):
            self.line.send({"type": "talk", "npc_id": NPC_ID})
        await self.until(lambda: self.is_welcome and len(self.sessions) == sessions)

    def send(self, body: dict[str, Any]) -> None:
        """One message."""
        assert self.line is not None, "a client asks only while connected"
        self.line.send(body)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Raises: ConnectionLost where it does not come about."""
        while not is_so():
            if self.line is None or self.line.is_lost:
                raise ConnectionLost("an honest client was cut", hint="see the server's log")
            self.news.clear()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self.news.wait()
            except TimeoutError as exc:
                raise ConnectionLost(f"an honest client heard nothing for {_PATIENCE_S:g} s") from exc

    def leave(self) -> None:
        """Without a word."""
        if self.line is not None:
            self.line.cut()

    def _hear(self, frame: bytes) -> None:
        message = msgpack.unpackb(frame)
        if message["type"] == "welcome":
            self.is_welcome = True
        elif message["type"] == "talking":
            self.sessions.append(message["session_id"])
        else:
            self.on_event(message)
        self.news.set()


class Honest:
    """Asks for counts until it is over, and judges every word."""

    def __init__(self, client: Client, name: str, score: Score) -> None:
        self._client = client
        self._name = name
        self._score = score
        self._count = Count("", 0)
        self._is_ended = True
        client.on_event = self._hear

    async def play(self, is_over: Callable[[], bool]) -> None:
        """Raises: ConnectionLost."""
        for number in itertools.count(1):
            if is_over():
                return
            tag = f"{self._name}-{number}"
            self._count, self._is_ended = Count(tag, _WORDS), False
            text = order(tag, _WORDS, _LETTERS)
            say = {"type": "say", "request_id": tag, "session_id": self._client.sessions[0], "text": text}
            self._client.send(say)
            await self._client.until(lambda: self._is_ended)

    def _hear(self, message: dict[str, Any]) -> None:
        kind, count = message["type"], self._count
        if kind == "text":
            count.hear(message["text"])
        elif kind in ("finished", "failed"):
            count.end()
            self._score.words += count.heard
            self._score.wrong += count.lost + count.doubled + count.misrouted
            self._score.replies += 1
            self._score.failed += kind == "failed"
            self._is_ended = True


class Census:
    """Asks how many connections the server holds, and weighs it meanwhile."""

    def __init__(self, victim: Victim) -> None:
        self.peers = 0
        self.most_mb = 0.0
        self._victim = victim
        self._client = Client(victim.address, victim.token)
        self._client.on_event = self._hear

    async def watch(self, is_over: Callable[[], bool]) -> None:
        """Raises: ConnectionLost."""
        await self._client.open(0)
        while not is_over():
            self._client.send({"type": "stats", "ref": 1})
            self.most_mb = max(self.most_mb, self._victim.memory_mb())
            await asyncio.sleep(_LOOK_S)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "figures":
            self.peers = message["bridge"]["peers"]


async def _stall(client: Client, is_over: Callable[[], bool]) -> None:
    """Reads nothing from now on, and asks for more on all its sessions for as long as it is let."""
    assert client.line is not None
    client.line.pause()
    for number in itertools.count(1):
        for index, session_id in enumerate(client.sessions):
            tag = f"{_LONG}-{number}-{index}"
            text = order(tag, _LONG_WORDS, _LONG_LETTERS)
            client.send({"type": "say", "request_id": tag, "session_id": session_id, "text": text})
        await asyncio.sleep(_ASK_S)
        if is_over() or client.line.is_lost:
            return


async def attack(victim: Victim, clients: int, stalled: int, say: Callable[[str], None]) -> tuple[Figure, ...]:
    """Raises: an ExceptionGroup of ConnectionLost where an honest client is cut or left mute."""
    honest = [Client(victim.address, victim.token) for _ in range(clients - stalled)]
    hostile = [Client(victim.address, victim.token) for _ in range(stalled)]
    await asyncio.gather(*(client.open(1) for client in honest))
    await asyncio.gather(*(client.open(_SESSIONS, receive_bytes=_RECEIVE_BYTES) for client in hostile))
    score, census, is_over = Score(), Census(victim), asyncio.Event()
    players = [Honest(client, f"H{number}", score) for number, client in enumerate(honest)]
    start_mb = victim.memory_mb()
    async with asyncio.TaskGroup() as group:
        for player in players:
            group.create_task(player.play(is_over.is_set))
        group.create_task(census.watch(is_over.is_set))
        await asyncio.sleep(10 * _LOOK_S)  # the honest ones are under way
        say(f"{stalled} of {clients} clients stop reading")
        started_s = time.monotonic()
        for client in hostile:
            group.create_task(_stall(client, is_over.is_set))
        cut_s = await _until_cut(census, clients - stalled + 1, started_s)
        say(f"cut after {cut_s:.1f} s")
        served = score.replies
        await _until_served(score, served + len(honest))
        served = score.replies - served
        is_over.set()
    for client in (*honest, *hostile):
        client.leave()
    return figures_of(
        score,
        cut_s,
        served=served,
        honest=len(honest),
        start_mb=start_mb,
        peak_mb=max(census.most_mb, victim.peak_mb()),
        stalled=stalled,
    )


def figures_of(
    score: Score, cut_s: float, *, served: int, honest: int, start_mb: float, peak_mb: float, stalled: int
) -> tuple[Figure, ...]:
    """What was seen beside the limits. served counts replies to the honest ones after the others were cut."""
    return (
        Figure("words to the others", score.words),
        Figure("of these lost, doubled, misrouted", score.wrong, limit=0),
        Figure("their replies that failed", score.failed, limit=0),
        Figure("their replies after the cut", served, least=honest),
        Figure("until all that stall are cut", cut_s, "s", limit=CUT_LIMIT_S),
        Figure("memory before", start_mb, "MB"),
        Figure("memory at most", peak_mb, "MB"),
        Figure("cost of one that stalls", (peak_mb - start_mb) / stalled, "MB", limit=CLIENT_LIMIT_MB),
    )


async def _until_cut(census: Census, wanted: int, started_s: float) -> float:
    """How long until the server holds no more than the honest ones; twice the limit at most. Units: seconds."""
    while census.peers == 0 or census.peers > wanted:
        if time.monotonic() - started_s > 2 * CUT_LIMIT_S:
            break
        await asyncio.sleep(_LOOK_S)
    return time.monotonic() - started_s


async def _until_served(score: Score, replies: int) -> None:
    """The honest ones are served on; what does not come shows in the figures."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            while score.replies < replies:
                await asyncio.sleep(_LOOK_S)


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """Raises: an ExceptionGroup of ConnectionLost where an honest client is cut or left mute."""
    clients, stalled = (CLIENTS, STALLED) if is_whole else (CLIENTS // 4, STALLED // 4)
    with Victim("game_bridge.soak.server", ("--delay=0.01",)) as victim:
        figures = asyncio.run(attack(victim, clients, stalled, say))
    notes = (
        f"{clients} clients, {stalled} of which read nothing and ask for {_SESSIONS} replies of"
        f" {_LONG_WORDS * _LONG_LETTERS // 1_000} KB at a time, again and again",
    )
    return Verdict("B4", "readers that stall", figures, notes)
