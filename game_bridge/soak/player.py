"""One client of the soak: asks, cancels, sends nonsense, vanishes, and counts every terminal that it sees."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import zmq
import zmq.asyncio

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.soak.scene import BREAK, FETCH, NPC_ID, PAY, TALK
from game_bridge.vectors import load_invalid
from npc_sdk.errors import ConnectionLost

LANES = 3
_SILENCE_S = 60.0
ACTIONS = (
    "talk", "fetch", "pay", "ignore", "break", "cancel", "cancel at once", "time out", "twice", "no session", "vanish",
)  # fmt: skip
WEIGHTS = (30, 15, 10, 2, 8, 12, 8, 8, 5, 5, 7)
_ANSWERS: tuple[Literal["accepted", "refused"], ...] = ("accepted", "refused")
_WORDS = {"fetch": FETCH, "pay": PAY, "ignore": FETCH, "break": BREAK}


@dataclass(slots=True)
class Tally:
    """What one or all players saw. ends counts terminals a request; vanished requests need not be seen to end."""

    ends: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    vanished: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    bad_frames: int = 0
    refusals: int = 0


class Player:
    """Asks its share of the requests in batches, one a session, over as many connections as it breaks."""

    def __init__(self, address: str, name: str, seed: str, tally: Tally) -> None:
        self._address = address
        self._name = name
        self._draw = random.Random(seed)
        self._draw_answers = random.Random(f"{seed}/answers")  # calls come when they come: the plan must not change
        self._tally = tally
        self._mistakes = [vector for vector in load_invalid() if vector.code != "version"]
        self._refs = itertools.count(1)
        self._ids = (f"{name}.{number}" for number in itertools.count(1))
        self._context = zmq.asyncio.Context()
        self._socket: zmq.asyncio.Socket | None = None
        self._sessions: list[str] = []
        self._calls_go_to: dict[str, str] = {}

    async def play(self, requests: int) -> None:
        """Ask so many, then check that nothing comes late."""
        try:
            while requests:
                count = min(requests, self._draw.randint(1, LANES))
                await self._play_batch(count)
                requests -= count
            if self._socket is not None:
                await self._barrier()
                await self._send(wire.Bye(ref=next(self._refs)))
                await self._read_until(lambda message: isinstance(message, wire.Goodbye))
        finally:
            self._context.destroy(linger=0)

    async def _play_batch(self, count: int) -> None:
        if self._socket is None:
            await self._connect()
        open_ids: set[str] = set()
        await self._send(self._hint())
        actions = self._draw.choices(ACTIONS, WEIGHTS, k=count)
        for session_id, action in zip(self._sessions[:count], actions, strict=True):
            open_ids.add(await self._ask(session_id, action))
        if self._draw.random() < 0.3:
            await self._blunder()
        await self._send(self._hint())
        if "vanish" in actions:
            await self._vanish(open_ids)
            return
        await self._read_until(lambda _: all(self._tally.ends[request_id] for request_id in open_ids))
        await self._barrier()

    async def _ask(self, session_id: str, action: str) -> str:
        request_id = next(self._ids)
        self._tally.asked.append(request_id)
        self._tally.actions[action] += 1
        if action != "ignore":
            self._calls_go_to[request_id] = session_id
        say = wire.Say(
            ref=next(self._refs),
            request_id=request_id,
            session_id="nowhere" if action == "no session" else session_id,
            text=_WORDS.get(action, TALK),
            timeout_s=0.01 if action == "time out" else None,
            wants=self._draw.choice((None, ("emotes",), ("emotes", "confirm"))),
        )
        await self._send(say)
        if action == "twice":
            await self._send(say)
        if action.startswith("cancel"):
            await asyncio.sleep(0 if action == "cancel at once" else self._draw.random() * 0.03)
            await self._send(wire.Cancel(ref=next(self._refs), request_id=request_id))
        return request_id

    def _hint(self) -> wire.Asked:
        """What may come at any time, before words, among them and in conversations that speak."""
        session_id = self._draw.choice(self._sessions)
        return self._draw.choice(
            (
                wire.Typing(session_id=session_id, text=self._draw.choice((TALK[:9], FETCH, ""))),
                wire.Approach(session_id=session_id),
                wire.Approach(npc_id=NPC_ID),
                wire.Frame(frame_s=self._draw.random() / 20),
                wire.Stats(),
            )
        )

    async def _blunder(self) -> None:
        mistake = self._draw.choice(self._mistakes)
        self._tally.bad_frames += 1
        frames: Sequence[bytes] = mistake.frames
        if self._draw.random() < 0.3:
            frames = [self._draw.randbytes(self._draw.randint(1, 60))]
        await self._live().send_multipart(frames)

    async def _vanish(self, open_ids: set[str]) -> None:
        """Leave without a word, but only when the server has surely read what was asked: the rest it owes no end."""
        await self._barrier()
        await asyncio.sleep(self._draw.random() * 0.02)
        self._tally.vanished |= {request_id for request_id in open_ids if not self._tally.ends[request_id]}
        self._live().close(linger=0)
        self._socket = None

    async def _connect(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.connect(self._address)
        await self._send(wire.Hello(ref=next(self._refs), protocol=wire.PROTOCOL, client=self._name))
        await self._read_until(lambda message: isinstance(message, wire.Welcome))
        self._sessions = []
        for _ in range(LANES):
            await self._send(wire.Talk(ref=next(self._refs), npc_id=NPC_ID, player=self._name))
            await self._read_until(lambda message: isinstance(message, wire.Talking))

    async def _barrier(self) -> None:
        """Messages keep their order, so what was sent before this pong has been read after it."""
        ref = next(self._refs)
        await self._send(wire.Ping(ref=ref))
        await self._read_until(lambda message: isinstance(message, wire.Pong) and message.ref == ref)

    async def _read_until(self, is_enough: Callable[[wire.ServerMessage], bool]) -> None:
        while True:
            message = await self._read()
            await self._note(message)
            if is_enough(message):
                return

    async def _read(self) -> wire.ServerMessage:
        try:
            async with asyncio.timeout(_SILENCE_S):
                frames = await self._live().recv_multipart()
        except TimeoutError as exc:
            raise ConnectionLost(f"{self._name} heard nothing for {_SILENCE_S:g} s") from exc
        return protocol.decode_server(frames)

    async def _note(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Talking():
                self._sessions.append(message.session_id)
            case wire.ToolCall():
                await self._answer(message)
            case wire.Error():
                self._tally.refusals += 1
            case wire.Finished():
                self._end(message, message.finish_reason)
            case wire.Failed():
                self._end(message, message.code)

    def _end(self, message: wire.Finished | wire.Failed, outcome: str) -> None:
        self._tally.ends[message.request_id] += 1
        self._tally.outcomes[outcome] += 1

    async def _answer(self, call: wire.ToolCall) -> None:
        """Answer every call but those that are ignored, which time out; some before the player was asked."""
        session_id = self._calls_go_to.get(call.request_id)
        if session_id is None:
            return
        call_id = call.call_id
        if call.needs_confirmation and self._draw_answers.random() < 0.9:
            is_agreed = self._draw_answers.random() < 0.5
            await self._send(wire.Confirm(session_id=session_id, call_id=call_id, is_agreed=is_agreed))
        status = self._draw_answers.choice(_ANSWERS)
        await self._send(wire.ToolResult(session_id=session_id, call_id=call_id, status=status))

    async def _send(self, message: wire.Asked) -> None:
        await self._live().send_multipart(protocol.encode(message))

    def _live(self) -> zmq.asyncio.Socket:
        assert self._socket is not None, "a player asks only while connected"
        return self._socket
