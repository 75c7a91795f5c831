"""The world of the soak: real sessions on a scripted engine, whose one NPC does what the player's words say."""

from __future__ import annotations

from pathlib import Path

from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.errors import EngineCrashed
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Parameters, Persona, Tool, Voice, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

NPC_ID = "ferryman"
TALK, FETCH, BREAK = "Tell me of the river.", "Fetch me an oar.", "Fall silent."
_WORD_S = 0.002
_CALL = 'Wait. <toolcall> {"name": "fetch", "arguments": {"item": "oar"}} </toolcall>'


def make_world() -> World:
    """A ferryman with one tool."""
    properties = {"item": {"type": "string"}}
    fetch = Tool(
        name="fetch", description="Brings an item.", parameters=Parameters(properties=properties, required=["item"])
    )
    ferryman = Persona(
        name="Osk", role="the ferryman of Reed Landing", voice=Voice(style="calm"), tools=("fetch",), greeting="Aye?"
    )
    content = WorldContent(WorldFile(name="Reed Landing", tools=(fetch,)), {NPC_ID: ferryman}, (), Path())
    return World(content, ScriptedEngine(_answer, delay_s=_WORD_S), SessionSettings(tool_timeout_s=1.0))


def _answer(request: GenerateRequest) -> str:
    heard = heard_text(request.messages)
    if FETCH in heard:
        return _CALL
    if BREAK in heard:
        raise EngineCrashed("The script broke on purpose", hint="part of the soak")
    return "The river is wide. It was wider once. Mind the reeds, and mind the heron more."
