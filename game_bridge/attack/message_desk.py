"""B1 in-process: broken messages handed straight to a server, whose transport is a list and whose world is real.

``python -m game_bridge.attack.message_desk --count N`` does it in a process of its own, whose memory is then theirs
alone. What the server answers is read back with the protocol, so that an answer that is none would be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.attack.memory import held_mb
from game_bridge.attack.message_seed import MessageMaker
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from game_bridge.transport import OnGone, OnMessage, SendOutcome
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import NpcError
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

HANG_MS = 100.0
WARM_UP = 3_000  # messages after which memory is first looked at
_A_CONNECTION = 300  # messages, then the next one comes
_A_TURN = 8  # messages between two turns of the loop
_TELL_EVERY = 50_000
_NPCS = ("mara", "brom")
_BROKE = "The server failed"
_SAID = 'Here. <toolcall> {"name": "give_item", "arguments": {"item": "rope"}} </toolcall>'
_WORLD = {
    "name": "Desk",
    "names": {"Alderwick": {"aliases": ["the village", "why"]}},
    "tools": [{"name": "give_item", "description": "Hand over an item.", "params": {"item": "string"}}],
}


@dataclass(slots=True)
class Tally:
    """Mutates: grows. Units: milliseconds of this thread's own time, and of the clock; MB of 2^20.

    A turn is all that the loop does between two lots of messages: replies are made up there.
    """

    sent: int = 0
    answers: int = 0
    refusals: dict[str, int] = field(default_factory=dict)  # by the error's code
    crashes: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    slowest_clock_ms: float = 0.0
    slowest_turn_ms: float = 0.0
    hangs: int = 0
    growth_mb: float = 0.0


class Desk:
    """A transport without bytes: what is sent is read and counted. Fits transport.Transport."""

    def __init__(self, tally: Tally) -> None:
        self.address = "desk"
        self.last: wire.ServerMessage | None = None
        self.on_message: OnMessage = lambda _identity, _frames: None
        self.on_gone: OnGone = lambda _identity: None
        self._tally = tally

    def open(self, _settings: BridgeSettings, on_message: OnMessage, on_gone: OnGone) -> Desk:
        """In place of transport.open_transport."""
        self.on_message, self.on_gone = on_message, on_gone
        return self

    async def start(self) -> None:
        """Nothing to listen on."""

    def send(self, _identity: bytes, frames: Sequence[bytes]) -> SendOutcome:
        """Reads the answer as a client would."""
        self._tally.answers += 1
        try:
            answer = self.last = protocol.decode_server(frames)
        except NpcError as exc:
            self._tally.crashes.append(f"an answer that is none: {exc}")
            return "sent"
        if isinstance(answer, wire.Error | wire.Failed):
            refusals = self._tally.refusals
            refusals[answer.code] = refusals.get(answer.code, 0) + 1
            if answer.message.startswith(_BROKE):
                self._tally.crashes.append(answer.message)
        return "sent"

    def cut(self, _identity: bytes) -> None:
        """Nobody is connected."""

    def claim(self, _identity: bytes) -> None:
        """Nobody waits for it."""

    def release(self, _identity: bytes) -> None:
        """Nobody waits for it."""

    async def close(self) -> None:
        """Nothing is open."""


class _Witness(logging.Handler):
    """What is logged as an error is a crash that was caught."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.ERROR)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        self._tally.crashes.append(record.getMessage()[:500])


async def attack(count: int, seed: int, say: Callable[[str], None]) -> Tally:
    """The same seed gives the same messages. Mutates: for its time, where servers of this process get their bytes."""
    gc.collect()  # what others left unfinished in this process is told now, and not to our witness
    tally, rng = Tally(), random.Random(seed)
    desk, witness = Desk(tally), _Witness(tally)
    logging.getLogger().addHandler(witness)
    engine = ScriptedEngine(_SAID, has_vision=True, image_px=64)
    world = _make_world(engine)
    try:
        with mock.patch("game_bridge.server.open_transport", desk.open):
            async with BridgeServer(world, BridgeSettings(resume_s=0.05, cancel_grace_s=0.2)):
                await _send_all(desk, rng, count, tally, say, engine)
    finally:
        await world.close()
        logging.getLogger().removeHandler(witness)
    return tally


async def _send_all(
    desk: Desk, rng: random.Random, count: int, tally: Tally, say: Callable[[str], None], engine: ScriptedEngine
) -> None:
    """One connection after the other. Mutates: tally."""
    maker, before_mb = MessageMaker(), 0.0
    for first in range(0, count, _A_CONNECTION):
        engine.requests.clear()  # it keeps them for tests to look at
        engine.prefills.clear()
        if not before_mb and first >= min(WARM_UP, count // 2):
            gc.collect()
            before_mb = held_mb()
        await _live(desk, maker, rng, range(first, min(first + _A_CONNECTION, count)), tally)
        if first // _TELL_EVERY < (first + _A_CONNECTION) // _TELL_EVERY:
            say(f"{tally.sent} messages, {len(tally.crashes)} crashes, slowest {tally.slowest_ms:.1f} ms")
    gc.collect()
    tally.growth_mb = held_mb() - before_mb


async def _live(desk: Desk, maker: MessageMaker, rng: random.Random, numbers: range, tally: Tally) -> None:
    """A connection from its hello to its break. Mutates: tally."""
    identity = numbers.start.to_bytes(8, "big")
    maker.begin(rng, _welcomed(desk, identity))
    for number in numbers:
        _send(desk, identity, maker.make(rng), tally)
        if maker.is_costly or number % _A_TURN == 0:  # what is said enters the conversation turn by turn
            await _turn(tally)
    desk.on_gone(identity)


async def _turn(tally: Tally) -> None:
    """Mutates: tally."""
    started_s = time.thread_time()
    await asyncio.sleep(0)
    took_ms = (time.thread_time() - started_s) * 1_000
    tally.hangs += took_ms > HANG_MS
    tally.slowest_turn_ms = max(tally.slowest_turn_ms, took_ms)


def _send(desk: Desk, identity: bytes, frames: list[bytes], tally: Tally) -> None:
    """Mutates: tally."""
    started_s, clock_s = time.thread_time(), time.perf_counter()
    try:
        desk.on_message(identity, frames)
    except Exception as exc:
        tally.crashes.append(f"{type(exc).__name__}: {exc}, at {frames[0][:80].hex()}")
    took_ms = (time.thread_time() - started_s) * 1_000
    tally.sent += 1
    tally.hangs += took_ms > HANG_MS
    tally.slowest_ms = max(tally.slowest_ms, took_ms)
    tally.slowest_clock_ms = max(tally.slowest_clock_ms, (time.perf_counter() - clock_s) * 1_000)


def _welcomed(desk: Desk, identity: bytes) -> list[str]:
    """A new connection's sessions."""
    desk.on_message(identity, protocol.encode(wire.Hello(ref=1, protocol=wire.PROTOCOL, client="desk")))
    found = []
    for npc_id in _NPCS:
        desk.on_message(identity, protocol.encode(wire.Talk(ref=2, npc_id=npc_id)))
        if isinstance(desk.last, wire.Talking):
            found.append(desk.last.session_id)
    return found


def _make_world(engine: ScriptedEngine) -> World:
    """One who acts and one who speaks, on a model that sees; calls are not waited for long."""
    voice = {"style": "calm"}
    mara = Persona.model_validate({"name": "Mara", "role": "the smith", "voice": voice, "tools": ["give_item"]})
    brom = Persona.model_validate({"name": "Brom", "role": "a guard", "voice": voice, "greeting": "Halt."})
    content = WorldContent(WorldFile.model_validate(_WORLD), {"mara": mara, "brom": brom}, (), Path())
    return World(content, engine, SessionSettings(tool_timeout_s=0.05, tool_rounds=1))


def main() -> None:
    """Tells how far it is line by line, and its tally in the last one."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.attack.message_desk", description=attack.__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = asyncio.run(attack(options.count, options.seed, lambda told: print(told, flush=True)))
    print(json.dumps(asdict(tally)), flush=True)


if __name__ == "__main__":
    main()
