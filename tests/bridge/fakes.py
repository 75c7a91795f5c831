"""A world whose NPCs do what the player's words say: the host that the bridge is tested against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from npc_sdk.engine.interface import Engine, EngineInfo
from npc_sdk.engine.stats import CacheStats, EngineStats, RequestStats
from npc_sdk.errors import EngineCrashed, RequestError, UnknownNpc, UnknownRequest, UnknownSession
from npc_sdk.events import (
    Emote,
    Event,
    ReplyFailed,
    ReplyFinished,
    Sentence,
    Structured,
    TextDelta,
    Timings,
    ToolCall,
    ToolSettled,
    Usage,
)
from npc_sdk.messages import FunctionCall, ImagePart, JsonValue, ToolResult
from npc_sdk.persona.temper import Temper
from npc_sdk.requests import Priority

TALE_WORDS = 60


@dataclass(frozen=True)
class FakePersona:
    name: str
    greeting: str


class FakeEngine:
    def __init__(self, has_vision: bool) -> None:
        self.info = EngineInfo("fake", 4096, "plain", "plain", has_vision=has_vision)
        self.ended_ids: list[str] = []

    def stats(self) -> EngineStats:
        timings = Timings(0.25, 0.5, 1.0, 2.0, 3.0)
        ended = tuple(RequestStats(one, "stop", 30, 20, 5, timings, 0.4, 0.7) for one in self.ended_ids)
        return EngineStats(running=1, cache=CacheStats(evictions=3), steps=4, batch_sizes={2: 1, 1: 3}, requests=ended)


@dataclass
class FakeSession:
    """The words choose the behaviour: slow, deaf, crash, silent, tale, tool, pay, emote …; everything else is echoed.

    Asked for a structured reply, it hands back the schema.
    """

    session_id: str
    npc_id: str
    greeting: str
    heard: list[tuple[str, tuple[ImagePart, ...], Priority]] = field(default_factory=list)
    answers: dict[str, asyncio.Future[ToolResult]] = field(default_factory=dict)
    running: dict[str, asyncio.Event] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)
    approaches: int = 0
    start_by_s: float | None = None
    tool_choice: str = ""
    confirmed: list[tuple[str, bool, str]] = field(default_factory=list)

    def approach(self) -> None:
        self.approaches += 1

    def typing(self, text: str) -> None:
        self.typed.append(text)

    async def say(
        self,
        text: str,
        *,
        images: tuple[ImagePart, ...] = (),
        request_id: str | None = None,
        priority: Priority = Priority.PLAYER,
        timeout_s: float | None = None,
        start_by_s: float | None = None,
        tool_choice: str = "auto",
        json_schema: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Event]:
        assert request_id is not None
        self.start_by_s, self.tool_choice = start_by_s, tool_choice
        if json_schema is not None:
            yield Structured(request_id, dict(json_schema))
            yield ReplyFinished(request_id, "", "stop")
            return
        assert timeout_s is not None
        self.heard.append((text, images, priority))
        if self.running:
            yield ReplyFailed(request_id, RequestError("The session is busy"))
            return
        cancelled = self.running[request_id] = asyncio.Event()
        try:
            async for event in self._act(text, request_id, cancelled):
                yield event
        finally:
            del self.running[request_id]

    async def _act(self, text: str, request_id: str, cancelled: asyncio.Event) -> AsyncIterator[Event]:
        yield TextDelta(request_id, text)
        finished = ReplyFinished(request_id, text, "stop", Usage(3, 2, 1), Timings(total_s=0.5))
        events: dict[str, list[Event]] = {
            "emote": [Emote(request_id, "smiles", "action"), Emote(request_id, "happy", "emotion"), finished],
            "engine": [ReplyFailed(request_id, EngineCrashed("The model fell over"), text)],
            "huge": [TextDelta(request_id, "x" * 100_000), finished],
            "huge-end": [ReplyFinished(request_id, "x" * 100_000, "stop")],
            "twice": [finished, TextDelta(request_id, "late"), finished],
            "silent": [],
            "flood": [TextDelta(request_id, "x" * 2_000)] * 20_000,
        }
        if text == "slow":
            await cancelled.wait()
            yield ReplyFinished(request_id, text, "cancelled")
        elif text == "tale":
            async for event in self._tell_tale(request_id):
                yield event
        elif text == "deaf":
            await asyncio.sleep(60)
        elif text == "crash":
            raise ValueError("the fake broke")
        elif text in ("tool", "pay"):
            async for event in self._use_tool(request_id, needs_confirmation=text == "pay"):
                yield event
        else:
            for event in events.get(text, [Sentence(request_id, 0, text), finished]):
                yield event
                await asyncio.sleep(0)

    async def _tell_tale(self, request_id: str) -> AsyncIterator[Event]:
        words = [f" {number}" for number in range(TALE_WORDS)]
        for word in words:
            yield TextDelta(request_id, word)
            await asyncio.sleep(0.01)
        yield ReplyFinished(request_id, "tale" + "".join(words), "stop")

    async def _use_tool(self, request_id: str, *, needs_confirmation: bool) -> AsyncIterator[Event]:
        call = FunctionCall(f"call-{len(self.heard)}", "give_item", {"item": "rope", "count": 2})
        self.answers[call.call_id] = asyncio.get_running_loop().create_future()
        yield ToolCall(request_id, call, needs_confirmation)
        result = await self.answers[call.call_id]
        yield ToolSettled(request_id, result)
        yield ReplyFinished(request_id, str(result.content), "stop")

    def tool_result(self, call_id: str, status: str = "accepted", content: JsonValue = None) -> None:
        if call_id not in self.answers or self.answers[call_id].done():
            raise UnknownRequest(f"call_id {call_id!r} is not open")
        self.answers[call_id].set_result(ToolResult(call_id, "give_item", status, content))  # type: ignore[arg-type]

    def confirm(self, call_id: str, is_agreed: bool, reason: str = "") -> None:
        if call_id not in self.answers or self.answers[call_id].done():
            raise UnknownRequest(f"call_id {call_id!r} is not open")
        self.confirmed.append((call_id, is_agreed, reason))
        if not is_agreed:
            self.tool_result(call_id, "refused", reason or "declined")

    def cancel(self, request_id: str) -> None:
        if request_id not in self.running:
            raise UnknownRequest(f"request_id {request_id!r} is not open")
        self.running[request_id].set()


class FakeWorld:
    def __init__(self, *, has_vision: bool = False) -> None:
        self.cast: Mapping[str, FakePersona] = {
            "mara": FakePersona("Mara", "Welcome to the Lantern."),
            "brom": FakePersona("Brom", ""),
        }
        self.fake_engine = FakeEngine(has_vision)
        self.engine: Engine = self.fake_engine  # type: ignore[assignment]
        self.sessions: dict[str, FakeSession] = {}
        self.all_sessions: list[FakeSession] = []
        self.state: dict[str | None, dict[str, JsonValue]] = {}
        self.approached: list[tuple[str, str]] = []
        self.guests: list[str] = []
        self.departed: list[str] = []
        self.frames_s: list[float] = []
        self.learned: list[tuple[str, str, str, tuple[str, ...]]] = []

    def approach(
        self, npc_id: str, *, player: str = "Traveller", among: Collection[str] | None = None, guest: str = ""
    ) -> None:
        if npc_id not in self.cast:
            raise UnknownNpc(f"npc_id {npc_id!r} is not in the cast", hint="mara, brom")
        assert among is not None, "the bridge knows whose sessions are whose"
        self.approached.append((npc_id, player))
        self.guests.append(guest)

    def depart(self, guest: str) -> None:
        self.departed.append(guest)

    def note_frame(self, frame_s: float) -> None:
        self.frames_s.append(frame_s)

    @property
    def pronunciations(self) -> Mapping[str, str]:
        return {"Ysolde": "ih-ZOLE-duh"}

    def learn(self, npc_id: str, text: str = "", *, entry_id: str = "", source: str, keys: Sequence[str] = ()) -> str:
        self.learned.append((npc_id, text or entry_id, source, tuple(keys)))
        return entry_id or f"{npc_id}.learned.{len(self.learned)}"

    def forget(self, npc_id: str, entry_id: str) -> None:
        if not any(entry_id in (known, f"{npc_id}.learned.{n}") for n, (_, known, *_) in enumerate(self.learned, 1)):
            raise RequestError(f"{npc_id!r} has not learned {entry_id!r}")

    def happen(self, event: str, npc_id: str, *, player: str = "Traveller") -> Temper:  # noqa: ARG002 (the seam's)
        if event != "insulted":
            raise RequestError(f"there is no event {event!r}")
        return Temper("angry", 0, {"player": -len(player)})

    def talk(self, npc_id: str, *, player: str = "Traveller", guest: str = "") -> FakeSession:
        if npc_id == "cursed":
            raise ZeroDivisionError("a bug in the world")
        if npc_id not in self.cast:
            raise UnknownNpc(f"npc_id {npc_id!r} is not in the cast", hint="mara, brom")
        session = FakeSession(f"{npc_id}-{len(self.all_sessions)}-{player}", npc_id, self.cast[npc_id].greeting)
        self.sessions[session.session_id] = session
        self.all_sessions.append(session)
        self.guests.append(guest)
        return session

    def end(self, session_id: str) -> None:
        if self.sessions.pop(session_id, None) is None:
            raise UnknownSession(f"session_id {session_id!r} is not open")

    def set_state(self, values: Mapping[str, JsonValue], npc_id: str | None = None) -> None:
        if "forbidden" in values:
            raise RequestError("forbidden: no such variable", hint="declare it first")
        self.state.setdefault(npc_id, {}).update(values)
