"""Models that repeat whatever others said, wrote or answered; and the channels through which they can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from npc_sdk.engine.interface import Chunk, EngineInfo, EngineItem, Generated
from npc_sdk.events import Event, ToolCall
from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.messages import Message
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.session import Session
from npc_sdk.world import World

from .stage import RawEngine

HEARD, GREETING = "What did they tell you?", "So they say:"
FAREWELL = "That is all, and not a word have I put in or left out; ask them yourself if you want to hear more of it."
CHAT_OF = {"nemotron": "nemotron", "hermes": "chatml", "llama3": "llama3", "mistral": "mistral"}
PUSHOVER: dict[str, Any] = {
    "name": "Ilse",
    "role": "a trader",
    "voice": {"style": "brisk"},
    "tools": [],
    "situation": ["You are told: {{ news }}", "{{ player }} speaks."],
}


class Parrot(RawEngine):
    """Says what repeat takes from each request, between two sentences of its own; its first run may be a call."""

    def __init__(self, repeat: Callable[[GenerateRequest], str], dialect: str) -> None:
        super().__init__(self._speak)
        self.info = EngineInfo("parrot", 100_000, CHAT_OF[dialect], dialect)
        self.repeat = repeat
        self.first_call = ""
        self.runs = 0

    async def _speak(self, request: GenerateRequest) -> AsyncIterator[EngineItem]:
        self.runs += 1
        call, self.first_call = self.first_call, ""
        yield Chunk(call or f"{GREETING} {self.repeat(request)} {FAREWELL}")
        yield Generated("stop")


def from_segments(request: GenerateRequest) -> str:
    """All that no structure holds."""
    return " ".join(segment.text for segment in request.segments if not segment.is_trusted)


def from_messages(request: GenerateRequest) -> str:
    """All that an engine which renders messages itself is given."""
    told: list[str] = []
    for message in request.messages:
        told += [message.text, *message.contexts]
        if message.tool_result is not None:
            content = message.tool_result.content
            told.append(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    return "\n".join(told)


def pushover(engine: Parrot, tools: dict[str, Any], texts: list[str], *, knows: str = "") -> World:
    """A world whose one NPC may do everything that the texts ask for; each of them is lore under a key of its own."""
    declared = [{"name": "nod", "description": "Nod."}]
    declared += [{"name": name, "description": "An act.", "parameters": schema} for name, schema in tools.items()]
    world = WorldFile.model_validate({"name": "Alderwick", "tools": declared})
    allowed = [tool["name"] for tool in declared]
    persona = Persona.model_validate({**PUSHOVER, "tools": allowed, "knows": [knows] if knows else []})
    lore = tuple(LoreEntry(f"told-{n}", text, keys=(key_of(n),)) for n, text in enumerate(texts))
    return World(WorldContent(world, {"ilse": persona}, lore, Path()), engine)


def key_of(number: int) -> str:
    return f"letter{number}x"


Prepared = tuple[Session, str]


def by_words(world: World, _engine: Parrot, text: str, _number: int) -> Prepared:
    return world.talk("ilse"), text


def by_name(world: World, _engine: Parrot, text: str, _number: int) -> Prepared:
    """Raises: RequestError for what is no name."""
    return world.talk("ilse", player=text), HEARD


def by_lore(world: World, _engine: Parrot, _text: str, number: int) -> Prepared:
    return world.talk("ilse"), f"What of {key_of(number)}?"


def by_state(world: World, _engine: Parrot, text: str, _number: int) -> Prepared:
    world.set_state({"news": text}, "ilse")
    return world.talk("ilse"), HEARD


def by_history(world: World, _engine: Parrot, text: str, _number: int) -> Prepared:
    session = world.talk("ilse")
    session._history += [Message("user", text), Message("assistant", "Hm.")]
    return session, HEARD


def by_result(world: World, engine: Parrot, _text: str, _number: int) -> Prepared:
    engine.first_call = OWN_CALLS[engine.info.tool_format]
    return world.talk("ilse"), HEARD


OWN_CALLS = {
    "nemotron": '<toolcall> {"name": "nod", "arguments": {}} </toolcall>',
    "hermes": '<tool_call>\n{"name": "nod", "arguments": {}}\n</tool_call>',
    "llama3": '{"name": "nod", "parameters": {}}',
    "mistral": '[TOOL_CALLS] [{"name": "nod", "arguments": {}}]',
}
CHANNELS: dict[str, Callable[[World, Parrot, str, int], Prepared]] = {
    "player's words": by_words,
    "player's name": by_name,
    "lore": by_lore,
    "what the persona knows": by_words,
    "game state": by_state,
    "history": by_history,
    "tool result": by_result,
}


def fitted(channel: str, text: str) -> str:
    """As much of a text as the channel takes."""
    if channel == "player's name":
        return " ".join(text.split())[:60]
    return text[:2000]


async def listen(session: Session, words: str, text: str) -> list[Event]:
    """A reply whose every call the game does, with the text as what came of it."""
    events: list[Event] = []
    async for event in session.say(words):
        events.append(event)
        if isinstance(event, ToolCall):
            session.tool_result(event.call.call_id, "accepted", {"news": [text]})
    return events
