"""A server of our own with the real hearth in a process of its own, to be killed and broken, and a client beside it.

The server runs on a thread, the model in its child, the client where the attack is. Used by kill.py and fault.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.attack import faulty_model
from game_bridge.attack.faulty_model import Fault
from game_bridge.credential import USER
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from npc_sdk.engine.process.engine import ProcessEngine
from npc_sdk.engine.process.supervisor import Backoff
from npc_sdk.errors import ConnectionLost, EngineError
from npc_sdk.lore.content import load_world
from npc_sdk.settings import SessionSettings, bundled_personas
from npc_sdk.world import World

PAUSE_S = 0.5  # before each start anew: it does not grow here, since who attacks wants the next one soon
STEP_S = 0.01  # a model that is less quick than hearth, so that there is a middle of a reply to strike at
NPC_ID = "mara"
_START_S = 300.0
_PATIENCE_S = 180.0
_RETRY_S = 0.1
_LOOK_S = 0.01
_DRAIN_S = 0.5


class HearthServer:
    """``with HearthServer() as server``. hang_s is as ProcessEngine takes it.

    Raises: EngineError where it does not start.
    """

    def __init__(self, hang_s: float | None = None) -> None:
        self._hang_s = hang_s
        self.address = self.token = ""
        self._folder = tempfile.TemporaryDirectory(prefix="npc-attack-")
        self._fault_file = Path(self._folder.name, "fault")
        self.fronts = Path(self._folder.name, "fronts")
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._engine: ProcessEngine | None = None
        self._world: World | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_up.wait(_START_S) or not self.address:
            raise EngineError("the server under attack did not start", hint="see what it printed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._folder.cleanup()

    @property
    def engine(self) -> ProcessEngine:
        """The parent's side of the model; only what can be read from another thread may be asked of it."""
        assert self._engine is not None, "only while the server is up"
        return self._engine

    def kill_model(self) -> float:
        """Ends the child as the system does that runs out of memory; when, by time.perf_counter."""
        while (process_id := self.engine.process_id) is None:  # it was given up as hung, and has no successor yet
            time.sleep(_LOOK_S)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, 9)
        return time.perf_counter()

    @contextlib.contextmanager
    def fault(self, kind: Fault) -> Iterator[None]:
        """The model's steps go wrong for as long as the block runs."""
        partial = self._fault_file.with_name("partial")
        partial.write_text(kind, encoding="ascii")
        partial.replace(self._fault_file)
        try:
            yield
        finally:
            self._fault_file.unlink()

    def warm_up(self) -> None:
        """Has the NPC's front computed and written. Raises: NpcError."""
        assert self._world is not None
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._world.warmup(NPC_ID), self._loop).result(_PATIENCE_S)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = await ProcessEngine.start(
            "hearth",
            made_by=faulty_model.NAME,
            hang_s=self._hang_s,
            backoff=Backoff(first_s=PAUSE_S, most_s=PAUSE_S),
            fault_file=str(self._fault_file),
            step_s=STEP_S,
        )
        settings = SessionSettings(reads_ahead=False, fronts_dir=self.fronts)
        self._world = World(load_world(bundled_personas()), self._engine, settings)
        try:
            bridge = BridgeSettings(address="tcp://127.0.0.1:*")
            async with BridgeServer(self._world, bridge) as server:
                self.address, self.token = server.address, server.token
                self._is_up.set()
                await self._stop.wait()
        finally:
            await self._world.close()


@dataclass(frozen=True, slots=True)
class Heard:
    """How a reply ended, after how much text, and when by time.perf_counter; first_s is when its first text came."""

    end: wire.Finished | wire.Failed
    texts: int
    first_s: float
    end_s: float


class Caller:
    """``with Caller(server) as caller``: a client with one session, who counts every end of every request."""

    def __init__(self, server: HearthServer) -> None:
        self.ends: Counter[str] = Counter()
        self._server = server
        self._context = zmq.Context()
        self._socket: zmq.Socket[Any] = self._context.socket(zmq.DEALER)
        self._numbers = itertools.count(1)
        self._session_id = ""

    def __enter__(self) -> Self:
        self._socket.linger = 0
        self._socket.rcvtimeo = round(_PATIENCE_S * 1_000)
        self._socket.plain_username, self._socket.plain_password = USER.encode(), self._server.token.encode()
        self._socket.connect(self._server.address)
        self._send(wire.Hello(ref=1, protocol=wire.PROTOCOL, client="attack"))
        self._send(wire.Talk(ref=2, npc_id=NPC_ID))
        while not isinstance(message := self._receive(), wire.Talking):
            pass
        self._session_id = message.session_id
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._context.term()

    def begin(self, text: str = "Tell me about the village and everybody who lives in it.") -> str:
        """Says something; the request's id."""
        request_id = f"q-{next(self._numbers)}"
        self.ends[request_id] = 0
        say = wire.Say(
            request_id=request_id,
            session_id=self._session_id,
            text=text,
            tool_choice="none",  # nobody here would answer a call
            wants=("barks",),
        )
        self._send(say)
        return request_id

    def hear(self, request_id: str, *, until_texts: int | None = None) -> Heard | None:
        """Reads on until the request ends; None where so many texts came before that."""
        texts, first_s = 0, float("nan")
        while texts != until_texts:
            message = self._receive()
            if not isinstance(message, wire.Told) or message.request_id != request_id:
                continue
            if isinstance(message, wire.Finished | wire.Failed):
                return Heard(message, texts, first_s, time.perf_counter())
            if isinstance(message, wire.Text):
                first_s = first_s if texts else time.perf_counter()
                texts += 1
        return None

    def ask(self) -> Heard:
        """A whole reply."""
        heard = self.hear(self.begin("Hello."))
        assert heard is not None
        return heard

    def ask_until_served(self) -> Heard:
        """A reply that ends well, asked for again and again. Raises: ConnectionLost where none comes."""
        until_s = time.perf_counter() + _PATIENCE_S
        while isinstance((heard := self.ask()).end, wire.Failed):
            if time.perf_counter() > until_s:
                raise ConnectionLost(f"the model did not come back: {heard.end.message}", hint="see the log")
            time.sleep(_RETRY_S)
        return heard

    def wrong_ends(self) -> int:
        """Requests that did not end exactly once, after a last look for ends that come late."""
        self._socket.rcvtimeo = round(_DRAIN_S * 1_000)
        with contextlib.suppress(ConnectionLost):
            while True:
                self._receive()
        return sum(count != 1 for count in self.ends.values())

    def _send(self, message: wire.Asked) -> None:
        self._socket.send_multipart(protocol.encode(message))

    def _receive(self) -> wire.ServerMessage:
        """Raises: ConnectionLost where nothing comes, EngineError for a refusal."""
        try:
            message = protocol.decode_server(self._socket.recv_multipart())
        except zmq.Again:
            raise ConnectionLost("nothing came", hint="the server may be blocked") from None
        if isinstance(message, wire.Error):
            raise EngineError(f"the server refused the attack's client: {message.message}", hint=message.hint)
        if isinstance(message, wire.Finished | wire.Failed):
            self.ends[message.request_id] += 1
        return message
