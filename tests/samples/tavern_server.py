"""A server on the loopback, in a thread of its own, with an engine that answers as a sensible model would."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk import World
from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.requests import GenerateRequest
from npc_sdk.settings import bundled_personas

Answer = Callable[[GenerateRequest], str]
Serve = Callable[[Answer], str]
_PATIENCE_S = 60.0


def acts(tool: str, **arguments: object) -> str:
    """A reply that speaks a little and calls a tool, in the markers that the engine's model would write."""
    return f"Very well. <toolcall> {json.dumps({'name': tool, 'arguments': arguments})} </toolcall>"


def by_words(answers: Mapping[str, str]) -> Answer:
    """A character that does what the words ask for, and once it has acted only talks."""

    def answer(request: GenerateRequest) -> str:
        result = request.messages[-1].tool_result
        if result is not None:
            return f"So be it: {result.status}."
        words = heard_text(request.messages).casefold()
        return next((reply for part, reply in answers.items() if part in words), "I hear you.")

    return answer


sensible = by_words(
    {
        "any work": acts("start_quest", quest="the lost hammer"),
        "2 coins for the lantern": acts("sell_item", item="lantern", price=2),
        "4 coins for the lantern": acts("sell_item", item="lantern", price=4),
        "buy the honey cake": acts("sell_item", item="honey cake", price=2),
        "open the cellar door": acts("open_door", door="cellar door"),
        "here is a honey cake": acts("take_item", item="honey cake"),
        "the silver hammer": acts("give_item", item="silver hammer"),
        "come with me": acts("follow_player"),
        "your silver hammer": acts("take_item", item="silver hammer"),
        "my reward": acts("finish_quest", quest="the lost hammer"),
    }
)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server whose model is the given function; its address."""
    started: list[_ServerThread] = []

    def start(answer: Answer) -> str:
        started.append(_ServerThread(answer))
        return started[-1].address

    yield start
    for server in started:
        server.stop()


class _ServerThread:
    def __init__(self, answer: Answer) -> None:
        self.address = ""
        self._answer = answer
        self._is_ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        assert self._is_ready.wait(_PATIENCE_S)

    def stop(self) -> None:
        """Ends the server in order."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_PATIENCE_S)
        self._loop.close()
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._over = asyncio.Event()
        world = World.load(bundled_personas(), ScriptedEngine(self._answer))
        async with BridgeServer(world, BridgeSettings(address="tcp://127.0.0.1:*", allow_anonymous=True)) as server:
            self.address = server.address
            self._is_ready.set()
            await self._over.wait()
        await world.close()
