"""B1 over a real socket: the same broken messages to a server in a process of its own, an honest client beside them.

Called by message.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import zmq

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.attack.message_seed import MessageMaker
from game_bridge.attack.victim import Probe, Victim, open_client, percentile, trip
from npc_sdk.errors import ConnectionLost, NpcError

CLIENTS = 16
MAX_WAIT_MS = 100.0
_BATCH = 50  # messages, then one that must be answered
_TELL_EVERY = 10_000
_NPCS = ("mara", "pip")


@dataclass(slots=True)
class LineTally:
    """Mutates: grows. unanswered counts batches after which the server said nothing any more."""

    sent: int = 0
    refusals: int = 0
    wrong: list[str] = field(default_factory=list)
    unanswered: int = 0
    is_alive: bool = True
    growth_mb: float = 0.0
    trips_s: list[float] = field(default_factory=list)
    lost_trips: int = 0

    def wait_ms(self, share: float) -> float:
        """How long the honest client waited for an answer; NaN where it got none."""
        return percentile(self.trips_s, share) * 1_000


def attack(count: int, seed: int, say: Callable[[str], None]) -> LineTally:
    """The same seed gives the same messages, but for the sessions that they name."""
    tally, rng = LineTally(), random.Random(seed)
    with Victim() as victim, zmq.Context() as context:
        talkers = [Talker(context, victim, tally) for _ in range(CLIENTS)]
        before_mb = 0.0
        with Probe(victim) as probe:
            for talker, number in zip(itertools.cycle(talkers), range(-(-count // _BATCH)), strict=False):
                if number == CLIENTS:
                    before_mb = victim.memory_mb()  # once everybody was there
                talker.send(rng, min(_BATCH, count - tally.sent))
                if tally.sent % _TELL_EVERY < _BATCH:
                    say(f"{tally.sent} messages over sockets, {len(tally.wrong)} wrong answers")
        tally.growth_mb = victim.memory_mb() - (before_mb or victim.memory_mb())
        tally.is_alive = victim.is_alive
        tally.trips_s, tally.lost_trips = probe.trips_s, probe.errors
        for talker in talkers:
            talker.close()
    return tally


class Talker:
    """One hostile client that shows the right token. Mutates: the tally."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], victim: Victim, tally: LineTally) -> None:
        self._context = context
        self._victim = victim
        self._tally = tally
        self._maker = MessageMaker()
        self._refs = itertools.count(2**40)  # above all that a mutation makes of a seed's
        self._socket: zmq.Socket[Any] = open_client(context, victim)

    def send(self, rng: random.Random, count: int) -> None:
        """A batch in a connection's life: says hello, talks, sends what is broken, and waits until all was read."""
        self._maker.begin(rng, self._begin())
        for _ in range(count):
            self._socket.send_multipart(self._maker.make(rng))
        self._tally.sent += count
        ref = next(self._refs)
        self._socket.send_multipart(protocol.encode(wire.Ping(ref=ref)))
        for answer in self._answers():
            self._tally.refusals += isinstance(answer, wire.Error | wire.Failed)
            if isinstance(answer, wire.Answer) and answer.ref == ref:
                return
        self._tally.unanswered += 1
        self._reconnect()

    def close(self) -> None:
        """Can be repeated."""
        self._socket.close(linger=0)

    def _begin(self) -> Iterator[str]:
        try:
            trip(self._socket, wire.Hello(ref=next(self._refs), protocol=wire.PROTOCOL, client="talker"))
            for npc_id in _NPCS:
                talking = trip(self._socket, wire.Talk(ref=next(self._refs), npc_id=npc_id))
                if isinstance(talking, wire.Talking):
                    yield talking.session_id
        except ConnectionLost:
            self._tally.unanswered += 1
            self._reconnect()

    def _answers(self) -> Iterator[wire.ServerMessage]:
        """All that comes until nothing does for long."""
        while True:
            try:
                frames = self._socket.recv_multipart()
            except zmq.Again:
                return
            try:
                yield protocol.decode_server(frames)
            except NpcError as exc:
                self._tally.wrong.append(f"an answer that is none: {exc}")

    def _reconnect(self) -> None:
        self.close()
        self._socket = open_client(self._context, self._victim)
