"""The scripted world of the conformance script: two NPCs whose words follow from what was said to them.

Real sessions on an engine without a model. Called by server.py only.
"""

from __future__ import annotations

from pathlib import Path

from npc_sdk.engine.scripted import ScriptedEngine, heard_text
from npc_sdk.errors import EngineCrashed
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.mood import Mood
from npc_sdk.persona.schema import Parameters, Persona, Tool, Voice, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

STORY_WORDS = 400
_WORD_S = 0.02
_TOOL_S = 4.0  # a client that was held up for a moment still answers
_CONFIRM_S = 30.0
_STORY = " ".join(f"Word{number}" for number in range(1, STORY_WORDS)) + " end."
_AFTER_CALL = {"accepted": "Here you are.", "refused": "Then not.", "timeout": "Well then.", "invalid": "No matter."}
_SAID = {
    "hello": "Good day to you. Come in.",
    "sword": 'Wait. <toolcall> {"name": "give_item", "arguments": {"item": "sword"}} </toolcall>',
    "lamp": 'Wait. <toolcall> {"name": "give_item", "arguments": {"item": "lamp"}} </toolcall>',
    "coin": 'Well. <toolcall> {"name": "charge", "arguments": {"coins": 2}} </toolcall>',
    "smile": "*smiles* There you go.",
    "note": '{"place": "the forge"}',  # asked with a schema
    "story": _STORY,
}
_FAINT = "faint"


def make_world() -> World:
    """Mara gives things away, is paid if the player agrees, and can be praised; Pip only speaks."""
    item = Parameters(properties={"item": {"type": "string"}}, required=["item"])
    give = Tool(name="give_item", description="Gives the player an item.", parameters=item)
    charge = Tool(name="charge", description="Asks to be paid.", params={"coins": "integer"}, confirm=True)
    mara = Persona(
        name="Mara",
        role="the smith",
        voice=Voice(style="calm"),
        mood=Mood(start="calm", moves={"praised": "glad"}),
        tools=("give_item", "charge"),
        greeting="What do you want?",
        barks=("Not now.",),
    )
    pip = Persona(name="Pip", role="a child", voice=Voice(style="quick"), greeting="Psst!")
    file = WorldFile(name="Conformance", tools=(give, charge), events=("praised",))
    content = WorldContent(file, {"mara": mara, "pip": pip}, (), Path())
    waits = SessionSettings(tool_timeout_s=_TOOL_S, confirm_timeout_s=_CONFIRM_S, reply_tokens=4 * STORY_WORDS)
    return World(content, ScriptedEngine(_answer, delay_s=_WORD_S, context_tokens=16_384), waits)


def _answer(request: GenerateRequest) -> str:
    """What mara says; pip, who has no tools, knows one sentence and the story. Raises: EngineCrashed."""
    result = request.messages[-1].tool_result
    if result is not None:
        return _AFTER_CALL[result.status]
    heard = heard_text(request.messages).casefold()
    if request.npc_id == "pip":
        return _STORY if "story" in heard else "Pip speaks."
    if _FAINT in heard:
        raise EngineCrashed("the script breaks here", hint="part of the conformance script")
    return next((reply for part, reply in _SAID.items() if part in heard), "Mara speaks.")
