"""The scripted world of the conformance script: two NPCs whose words follow from what was said to them.

Real sessions on an engine without a model. Called by server.py only.
"""

from __future__ import annotations

from pathlib import Path

from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Parameters, Persona, Tool, Voice, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

STORY_WORDS = 400
_WORD_S = 0.02
_TOOL_S = 1.0
_STORY = " ".join(f"Word{number}" for number in range(1, STORY_WORDS)) + " end."
_AFTER_CALL = {"accepted": "Here you are.", "refused": "Then not.", "timeout": "Well then."}
_SAID = {
    "hello": "Good day to you. Come in.",
    "sword": 'Wait. <toolcall> {"name": "give_item", "arguments": {"item": "sword"}} </toolcall>',
    "lamp": 'Wait. <toolcall> {"name": "give_item", "arguments": {"item": "lamp"}} </toolcall>',
    "story": _STORY,
}


def make_world() -> World:
    """Mara gives things away; Pip only speaks."""
    item = Parameters(properties={"item": {"type": "string"}}, required=["item"])
    give = Tool(name="give_item", description="Gives the player an item.", parameters=item)
    mara = Persona(
        name="Mara", role="the smith", voice=Voice(style="calm"), tools=("give_item",), greeting="What do you want?"
    )
    pip = Persona(name="Pip", role="a child", voice=Voice(style="quick"), greeting="Psst!")
    content = WorldContent(WorldFile(name="Conformance", tools=(give,)), {"mara": mara, "pip": pip}, (), Path())
    waits = SessionSettings(tool_timeout_s=_TOOL_S, reply_tokens=4 * STORY_WORDS)
    return World(content, ScriptedEngine(_answer, delay_s=_WORD_S, context_tokens=16_384), waits)


def _answer(request: GenerateRequest) -> str:
    """What mara says; pip, who has no tools, knows one sentence and the story."""
    result = request.messages[-1].tool_result
    if result is not None:
        return _AFTER_CALL[result.status]
    heard = heard_text(request.messages).casefold()
    if request.npc_id == "pip":
        return _STORY if "story" in heard else "Pip speaks."
    return next((reply for part, reply in _SAID.items() if part in heard), "Mara speaks.")
