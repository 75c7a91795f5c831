"""A market with every kind of tool, and how a test's game answers its calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npc_sdk.engine.interface import Engine
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.events import Event, TextDelta, ToolCall, ToolSettled
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.session import Session
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

MARKET = WorldFile.model_validate(
    {
        "name": "Alderwick",
        "tools": [
            {"name": "take_item", "description": "Take an item.", "params": {"item": "string"}},
            {"name": "give_item", "description": "Hand over.", "params": {"item": {"from": "state.holds"}}},
            {"name": "wave", "description": "Wave.", "params": {"to": "string"}, "parallel": True},
            {"name": "bark", "description": "Bark.", "params": {"how": "string"}, "parallel": True, "per_reply": 1},
            {"name": "nap", "description": "Sleep a little.", "cooldown_s": 3600},
            {"name": "dawdle", "description": "Take long.", "timeout_s": 0.02},
            {"name": "take_coins", "description": "Be paid.", "params": {"coins": "integer"}, "confirm": True},
            {"name": "fly", "description": "Nobody here does."},
        ],
    }
)
TOOLS = ("take_item", "give_item", "wave", "bark", "nap", "dawdle", "take_coins")
VENDOR = Persona.model_validate(
    {"name": "Ilse", "role": "a trader", "voice": {"style": "brisk"}, "tools": list(TOOLS), "greeting": "Well?"}
)
HOLDS = ["rope", "lamp"]


def make_market(engine: Engine, **settings: Any) -> World:
    """A world whose trader holds a rope and a lamp."""
    world = World(WorldContent(MARKET, {"ilse": VENDOR}, (), Path()), engine, SessionSettings(**settings))
    world.set_state({"holds": HOLDS}, "ilse")
    return world


def meet(script: Any, **settings: Any) -> tuple[Session, ScriptedEngine]:
    engine = ScriptedEngine(script)
    return make_market(engine, **settings).talk("ilse", player="Robin"), engine


def shape(events: Sequence[Event]) -> list[str]:
    """The events in their order: calls and how they ended by name, speech as one."""
    out: list[str] = []
    for event in events:
        if isinstance(event, ToolCall):
            out.append(f"{event.call.name}?")
        elif isinstance(event, ToolSettled):
            out.append(f"{event.result.name} {event.result.status}")
        elif not isinstance(event, TextDelta):
            out.append(type(event).__name__)
        elif out[-1:] != ["speech"]:
            out.append("speech")
    return out
