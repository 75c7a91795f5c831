"""One client of the counted soak: asks for counts, is cut off at random, comes back, and judges every word it hears."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from game_bridge.ledger import Ledger
from game_bridge.soak.counting import NPC_ID, Count, order
from game_bridge.soak.raw_line import RawLine
from npc_sdk.errors import ConnectionLost

SILENCE_S = 60.0
_LETTERS = 16
_WORDS = (20, 150)
_LANES = 2
_KEPT = 256
_NEW_TALK_SHARE = 0.3  # a conversation's memory grows by right; it must go with the conversation


@dataclass(slots=True)
class Score:
    """What all clients heard together. events counts text events; broken are ends that should have been another."""

    events: int = 0
    lost: int = 0
    doubled: int = 0
    misrouted: int = 0
    asked: int = 0
    finished: int = 0
    abandoned: int = 0
    cuts: int = 0
    resumed: int = 0
    not_resumed: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    def close(self, count: Count, *, is_whole: bool) -> None:
        """A reply is over, as a whole or with its connection: what was heard of it until then must be right."""
        if is_whole:
            count.end()
            self.finished += 1
        else:
            self.abandoned += 1
        self.lost += count.lost
        self.doubled += count.doubled
        self.misrouted += count.misrouted


class Counting:
    """Plays until the score has enough events. cut_share of its replies are cut off, of these resume_share resumed.

    Raises: ConnectionLost where the server is mute or refuses.
    """

    def __init__(
        self, address: str, token: str, name: str, seed: str, score: Score, *, cut_share: float, resume_share: float
    ) -> None:
        self._address = address
        self._token = token
        self._name = name
        self._score = score
        self._draw = random.Random(seed)
        self._cut_share = cut_share
        self._resume_share = resume_share
        self._numbers = itertools.count(1)
        self._line: RawLine | None = None
        self._ledger = Ledger(_KEPT)
        self._key: str | None = None
        self._welcome: dict[str, Any] | None = None
        self._sessions: list[str] = []
        self._counts: dict[str, Count] = {}
        self._cut_at: dict[str, int] = {}
        self._news = asyncio.Event()

    async def play(self, is_enough: Callable[[], bool]) -> None:
        """Ask, hear, be cut off, come back."""
        try:
            while not is_enough():
                if self._line is None:
                    await self._begin()
                for session_id in self._sessions[: self._draw.randint(1, _LANES)]:
                    self._ask(session_id)
                await self._hear_out()
                if self._line is not None and self._draw.random() < _NEW_TALK_SHARE:
                    await self._talk_anew()
            await self._leave()
        finally:
            if self._line is not None:
                self._line.cut()

    async def _hear_out(self) -> None:
        """Until every count has ended, or was given up with its connection."""
        while self._counts:
            await self._until(lambda: not self._counts or self._line is None)
            if self._counts:
                await self._come_back()

    async def _begin(self) -> None:
        """A new connection without a past."""
        self._ledger.start_over()
        await self._shake_hands(None)
        self._sessions.clear()
        await self._talk_anew()

    async def _talk_anew(self) -> None:
        """Sessions that remember nothing, in the place of those that are open."""
        for session_id in self._sessions:
            self._send({"type": "leave", "session_id": session_id})
        self._sessions.clear()
        for _ in range(_LANES):
            self._send({"type": "talk", "npc_id": NPC_ID, "player": self._name})
        await self._until(lambda: len(self._sessions) == _LANES)

    async def _shake_hands(self, key: str | None) -> None:
        self._welcome = None
        line = self._line = await RawLine.open(self._address, self._token, self._hear, self._note)
        hello: dict[str, Any] = {"type": "hello", "protocol": 1, "client": self._name}
        if self._resume_share:
            hello["wants"] = ["resume"]
        if key is not None:
            hello |= {"resume": key, "heard": self._ledger.heard}
        line.send(hello)
        await self._until(lambda: self._welcome is not None)
        assert self._welcome is not None
        self._key = self._welcome.get("resume")

    async def _leave(self) -> None:
        if self._line is None:
            return
        self._send({"type": "bye"})
        await self._until(lambda: self._line is None)

    def _ask(self, session_id: str) -> None:
        tag = f"{self._name}-{next(self._numbers)}"
        words = self._draw.randint(*_WORDS)
        self._counts[tag] = Count(tag, words)
        if self._draw.random() < self._cut_share:
            self._cut_at[tag] = self._draw.randrange(words)
        self._score.asked += 1
        text = order(tag, words, _LETTERS)
        self._send({"type": "say", "request_id": tag, "session_id": session_id, "text": text})

    def _hear(self, frame: bytes) -> None:
        """Whatever came. A line that was cut has nothing to say any more."""
        if self._line is None:
            return
        message = msgpack.unpackb(frame)
        kind = message["type"]
        if kind not in ("hello", "welcome"):
            self._ledger.heard += 1
        if kind == "text":
            self._hear_word(message["request_id"], message["text"])
            return
        self._hear_else(kind, message)
        self._news.set()

    def _hear_word(self, tag: str, text: str) -> None:
        count = self._counts.get(tag)
        if count is None:
            self._score.misrouted += 1
            return
        self._score.events += 1
        count.hear(text)
        if self._cut_at.get(tag, -1) == count.heard:
            del self._cut_at[tag]
            self._cut()

    def _hear_else(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "welcome":
            self._welcome = message
        elif kind == "talking":
            self._sessions.append(message["session_id"])
        elif kind in ("finished", "failed"):
            self._end(kind, message)
        elif kind == "goodbye":
            self._drop()
        elif kind == "error":
            self._score.broken[message["code"]] += 1

    def _end(self, kind: str, message: dict[str, Any]) -> None:
        count = self._counts.pop(message["request_id"], None)
        if count is None:
            self._score.misrouted += 1
            return
        self._cut_at.pop(count.tag, None)
        if kind == "failed" or message["finish_reason"] != "stop":
            self._score.broken[message.get("code") or message["finish_reason"]] += 1
        self._score.close(count, is_whole=kind == "finished")

    def _cut(self) -> None:
        self._score.cuts += 1
        self._drop()
        self._news.set()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.cut()

    def _note(self) -> None:
        self._news.set()

    async def _come_back(self) -> None:
        """After a cut: go on where it broke, or forget what was open, which the server ended."""
        if self._key is not None and self._draw.random() < self._resume_share:
            await self._shake_hands(self._key)
            assert self._welcome is not None
            missed = self._ledger.after(self._welcome.get("heard") or 0)
            if self._welcome.get("resumed") and missed is not None:
                self._score.resumed += 1
                # none, if the first words behind the welcome were where the next cut was to come
                if self._line is not None:
                    for frames in missed:
                        self._line.send_frames(frames)
                return
            self._score.not_resumed += 1
            self._drop()
        for count in self._counts.values():
            self._score.close(count, is_whole=False)
        self._counts.clear()
        self._cut_at.clear()

    def _send(self, body: dict[str, Any]) -> None:
        frames = [msgpack.packb(body)]
        self._ledger.note(frames)
        if self._line is not None:
            self._line.send_frames(frames)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Raises: ConnectionLost where it does not come about, or the server hangs up unasked."""
        while not is_so():
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE_S):
                    await self._news.wait()
            except TimeoutError as exc:
                raise ConnectionLost(f"{self._name} heard nothing for {SILENCE_S:g} s") from exc
            if self._line is not None and self._line.is_lost and not is_so():
                raise ConnectionLost(f"{self._name}: the server hung up")
