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
TALK, FETCH, PAY, BREAK = "Tell me of the river.", "Fetch me an oar.", "Take me across.", "Fall silent."
_WORD_S, _WAIT_S = 0.002, 1.0
_CALL = 'Wait. <toolcall> {"name": "fetch", "arguments": {"item": "oar"}} </toolcall>'
_CHARGE = '*holds out a hand* <toolcall> {"name": "charge", "arguments": {"coins": 2}} </toolcall>'


def make_world(delay_s: float = _WORD_S, wait_s: float = _WAIT_S) -> World:
    """A ferryman who fetches things, and is paid if the player agrees. Units: delay_s passes before each word; game
    and player have wait_s to answer.
    """
    properties = {"item": {"type": "string"}}
    fetch = Tool(
        name="fetch", description="Brings an item.", parameters=Parameters(properties=properties, required=["item"])
    )
    charge = Tool(name="charge", description="Asks to be paid.", params={"coins": "integer"}, confirm=True)
    ferryman = Persona(
        name="Osk",
        role="the ferryman of Reed Landing",
        voice=Voice(style="calm"),
        tools=("fetch", "charge"),
        greeting="Aye?",
    )
    content = WorldContent(WorldFile(name="Reed Landing", tools=(fetch, charge)), {NPC_ID: ferryman}, (), Path())
    waits = SessionSettings(tool_timeout_s=wait_s, confirm_timeout_s=wait_s)
    return World(content, ScriptedEngine(_answer, delay_s=delay_s), waits)


def _answer(request: GenerateRequest) -> str:
    heard = heard_text(request.messages)
    if FETCH in heard:
        return _CALL
    if PAY in heard:
        return _CHARGE
    if BREAK in heard:
        raise EngineCrashed("The script broke on purpose", hint="part of the soak")
    return "The river is wide. It was wider once. Mind the reeds, and mind the heron more."
