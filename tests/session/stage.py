"""A small world for session tests, and engines that misbehave in ways a scripted one does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from npc_sdk.engine.interface import Engine, EngineInfo, EngineItem
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.engine.stats import EngineStats
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, TextDelta, ToolCall, ToolSettled, Usage
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import Book, LoreEntry, Scope
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment
from npc_sdk.session import Session
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

WORLD = WorldFile.model_validate(
    {
        "name": "Alderwick",
        "premise": "A village.",
        "tools": [
            {
                "name": "give_item",
                "description": "Hand over an item.",
                "parameters": {"properties": {"item": {"type": "string"}}, "required": ["item"]},
            },
            {
                "name": "sell_item",
                "description": "Sell an item.",
                "parameters": {
                    "properties": {"item": {"type": "string"}, "price": {"type": "integer", "minimum": 1}},
                    "required": ["item", "price"],
                },
            },
            {"name": "stay_here", "description": "Wait here."},
        ],
    }
)
MARA = Persona.model_validate(
    {
        "name": "Mara",
        "role": "the smith",
        "voice": {"style": "gruff and short"},
        "tools": ["give_item", "sell_item"],
        "situation": ["You hold: {{ holds | join(', ') }}."],
        "greeting": "What do you want?",
    }
)
PIP = Persona.model_validate({"name": "Pip", "role": "a child", "voice": {"style": "cheeky"}, "tools": ["stay_here"]})
BOOK = Book("village", scan_depth=1)
LORE = (
    LoreEntry("mill", "The old mill burned down.", keys=("mill",), book=BOOK),
    LoreEntry("well", "The well beyond the gate is deep.", keys=("well",), book=BOOK),
    LoreEntry("debt", "Mara owes fifty coins.", keys=("debt",), scope=Scope(frozenset({"mara"})), book=BOOK),
)


def call(name: str = "give_item", **arguments: Any) -> str:
    return f"<toolcall> {json.dumps({'name': name, 'arguments': arguments})} </toolcall>"


GIVE = call(item="sword")


def make_world(engine: Engine, **settings: Any) -> World:
    content = WorldContent(WORLD, {"mara": MARA, "pip": PIP}, LORE, Path())
    return World(content, engine, SessionSettings(**settings))


def make_session(script: Any, *, npc_id: str = "mara", **settings: Any) -> tuple[Session, ScriptedEngine]:
    engine = ScriptedEngine(script)
    return make_world(engine, **settings).talk(npc_id, player="Robin"), engine


Answer = Callable[[Session, ToolCall], None]


def accept(session: Session, event: ToolCall) -> None:
    session.tool_result(event.call.call_id, "accepted", {"done": event.call.name})


def refuse(session: Session, event: ToolCall) -> None:
    session.tool_result(event.call.call_id, "refused", "You do not hold it.")


def ignore(_session: Session, _event: ToolCall) -> None:
    """The game that never answers."""


async def hear(session: Session, words: str = "Hello", answer: Answer = accept, **options: Any) -> list[Event]:
    """All events of a reply, checked for what holds for every reply."""
    events: list[Event] = []
    async for event in session.say(words, **options):
        events.append(event)
        if isinstance(event, ToolCall):
            answer(session, event)
    check_reply(events)
    return events


def check_reply(events: Sequence[Event]) -> None:
    """One terminal and it is last; its text is what was streamed; every call is settled once."""
    ends = [event for event in events if isinstance(event, ReplyFinished | ReplyFailed)]
    assert ends == [events[-1]]
    assert ends[0].text == "".join(event.text for event in events if isinstance(event, TextDelta))
    asked = [event.call.call_id for event in events if isinstance(event, ToolCall)]
    told = [event.result.call_id for event in events if isinstance(event, ToolSettled)]
    assert len(set(told)) == len(told)
    assert set(asked) <= set(told)
    assert len({event.request_id for event in events}) == 1


def end_of(events: Sequence[Event]) -> ReplyFinished:
    assert isinstance(events[-1], ReplyFinished), events[-1]
    return events[-1]


def failure_of(events: Sequence[Event]) -> ReplyFailed:
    assert isinstance(events[-1], ReplyFailed), events[-1]
    return events[-1]


def settled(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.result.name, event.result.status) for event in events if isinstance(event, ToolSettled)]


def prompt_of(request: GenerateRequest) -> str:
    return "".join(segment.text for segment in request.segments)


class RawEngine:
    """Streams whatever items yields, broken rules included; remembers which runs were closed and cancelled."""

    def __init__(self, items: Callable[[GenerateRequest], AsyncIterator[EngineItem]]) -> None:
        self._items = items
        self.info = EngineInfo("raw", 4096, "nemotron", "nemotron")
        self.open_runs = 0
        self.cancelled: list[str] = []

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        return sum(len(segment.text.split()) for segment in segments)

    async def stream(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        self.open_runs += 1
        try:
            async for item in self._items(request):
                yield item
        finally:
            self.open_runs -= 1

    async def prefill(self, request: PrefillRequest) -> Usage:  # noqa: ARG002 (the seam's)
        return Usage()

    def note_frame(self, frame_s: float) -> None:
        raise AssertionError(f"nobody tells of frames here, and yet one took {frame_s} s")

    def stats(self) -> EngineStats:
        return EngineStats()

    def forget(self, front: Sequence[Segment], kept: Sequence[Segment] = ()) -> None:
        raise AssertionError(f"nothing here is ever reloaded, and yet {front} past {kept}")

    def cancel(self, request_id: str) -> None:
        self.cancelled.append(request_id)

    async def close(self) -> None:
        await asyncio.sleep(0)
