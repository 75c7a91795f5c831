"""T1: what a model writes is not believed. Broken calls through real sessions; whatever reaches the game is judged.

The judge knows the tools a second time, by hand and with a validator of its own, so that a fault of the gate's cannot
hide in what both share.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from game_bridge.attack.call_seed import ITEMS, CallMaker
from game_bridge.attack.verdict import Figure, Verdict
from npc_sdk.engine.scripted import ScriptedEngine
from npc_sdk.errors import EngineCrashed
from npc_sdk.events import Event, ReplyFailed, ReplyFinished, ToolCall, ToolSettled
from npc_sdk.lore.content import WorldContent
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.requests import GenerateRequest
from npc_sdk.session import Session
from npc_sdk.settings import SessionSettings
from npc_sdk.world import World

WHOLE, SHORT = 10_000, 1_000
_A_SESSION = 20  # replies, then the next one begins
_TELL_EVERY = 1_000
_WINDOW, _REPLY = 16_384, 4_096  # words
_WORLD = {
    "name": "Market",
    "tools": [
        {"name": "give_item", "description": "Hand over.", "params": {"item": {"from": "state.holds"}}},
        {
            "name": "take_coins",
            "description": "Be paid.",
            "parameters": {
                "properties": {"coins": {"type": "integer", "minimum": 1, "maximum": 50}},
                "required": ["coins"],
            },
            "confirm": True,
        },
        {
            "name": "set_price",
            "description": "Ask for a price.",
            "parameters": {
                "properties": {
                    "item": {"type": "string", "enum": ["rope", "lamp"]},
                    "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 99.5},
                },
                "required": ["item", "price"],
            },
        },
        {
            "name": "wave",
            "description": "Wave.",
            "parameters": {
                "properties": {
                    "to": {"type": "string", "maxLength": 20},
                    "moods": {"type": "array", "items": {"enum": ["glad", "shy"]}, "maxItems": 2},
                },
                "required": ["to"],
            },
            "parallel": True,
        },
        {"name": "fly", "description": "Nobody here does."},
        {"name": "arrest", "description": "Take away.", "params": {"who": "string"}},
    ],
}
_OWN = ("give_item", "take_coins", "set_price", "wave")


@dataclass(slots=True)
class Tally:
    """Mutates: grows. calls counts what reached the game; outside tells what of it never may."""

    replies: int = 0
    calls: int = 0
    settled_invalid: int = 0
    outside: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)  # replies without exactly one end, which is their last
    crashes: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def run(is_whole: bool, say: Callable[[str], None]) -> Verdict:
    """So many replies, each with a block or two."""
    count = WHOLE if is_whole else SHORT
    maker = CallMaker()
    tally = asyncio.run(attack(count, 1, say, maker))
    figures = (
        Figure("replies with a block", tally.replies, least=count),
        Figure("of them written soundly", maker.sound, least=1),
        Figure("calls that reached the game", tally.calls, least=maker.sound / 2),
        Figure("calls refused", tally.settled_invalid, least=1),
        Figure("calls outside the allow-list or a range", len(tally.outside), limit=0),
        Figure("replies without exactly one end", len(tally.ends), limit=0),
        Figure("crashes", len(tally.crashes), limit=0),
        Figure("longest reply", tally.longest_s * 1_000, "ms"),
    )
    notes = (*tally.outside[:3], *tally.ends[:3], *tally.crashes[:3])
    return Verdict("T1", "fuzzed <toolcall> blocks", figures, notes)


async def attack(count: int, seed: int, say: Callable[[str], None], maker: CallMaker) -> Tally:
    """The same seed gives the same blocks. What the NPC holds changes from session to session."""
    rng, tally, script = random.Random(seed), Tally(), Script()
    world = make_world(script)
    session = world.talk("ilse")
    for index in range(count):
        if index % _A_SESSION == 0:
            maker.holds = tuple(rng.sample(ITEMS, rng.randint(1, 4)))
            world.set_state({"holds": list(maker.holds)}, "ilse")
            world.end(session.session_id)
            session = world.talk("ilse")
        script.block = maker.make(rng)
        await _listen(session, maker.holds, tally, script.block)
        if index % _TELL_EVERY == _TELL_EVERY - 1:
            say(f"{index + 1} replies, {tally.calls} calls, {len(tally.outside)} of them outside")
    await world.close()
    return tally


class Script:
    """Writes the block once, and is content with whatever comes of it."""

    def __init__(self) -> None:
        self.block = ""

    def __call__(self, request: GenerateRequest) -> str:
        return self.block if request.messages[-1].role == "user" else "Done."


def make_world(script: Callable[[GenerateRequest], str]) -> World:
    """A trader with four tools, beside a guard who has the others."""
    voice = {"style": "brisk"}
    ilse = Persona.model_validate({"name": "Ilse", "role": "a trader", "voice": voice, "tools": list(_OWN)})
    brom = Persona.model_validate({"name": "Brom", "role": "a guard", "voice": voice, "tools": ["arrest", "fly"]})
    content = WorldContent(WorldFile.model_validate(_WORLD), {"ilse": ilse, "brom": brom}, (), Path())
    return World(content, ScriptedEngine(script, context_tokens=_WINDOW), SessionSettings(reply_tokens=_REPLY))


def fault_of(name: str, arguments: Any, holds: tuple[str, ...]) -> str:
    """Why the game should never have been asked for this; empty where it may be."""
    schemas: dict[str, dict[str, Any]] = {
        "give_item": {"item": {"enum": list(holds)}},
        "take_coins": {"coins": {"type": "integer", "minimum": 1, "maximum": 50}},
        "set_price": {
            "item": {"enum": ["rope", "lamp"]},
            "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 99.5},
        },
        "wave": {
            "to": {"type": "string", "maxLength": 20},
            "moods": {"type": "array", "maxItems": 2, "items": {"enum": ["glad", "shy"]}},
        },
    }
    if name not in schemas:
        return f"{name!r} is not on the list"
    required = [parameter for parameter in schemas[name] if parameter != "moods"]
    schema = {"type": "object", "properties": schemas[name], "required": required, "additionalProperties": False}
    fault = next(iter(Draft202012Validator(schema).iter_errors(arguments)), None)
    return f"{name}: {fault.message[:200]}" if fault else ""


async def _listen(session: Session, holds: tuple[str, ...], tally: Tally, block: str) -> None:
    """One reply, as a game hears it that does all it is asked for. Mutates: tally."""
    started_s, events = time.perf_counter(), list[Event]()
    async for event in session.say("Hello there."):
        events.append(event)
        if isinstance(event, ToolCall):
            _judge(event, holds, tally)
            if event.needs_confirmation:
                session.confirm(event.call.call_id, True)
            session.tool_result(event.call.call_id, "accepted", "done")
    tally.replies += 1
    tally.longest_s = max(tally.longest_s, time.perf_counter() - started_s)
    tally.settled_invalid += sum(isinstance(one, ToolSettled) and one.result.status == "invalid" for one in events)
    ends = [event for event in events if isinstance(event, ReplyFinished | ReplyFailed)]
    if ends != events[-1:]:
        tally.ends.append(f"{len(ends)} ends after {block[:200]!r}")
    failed = [end for end in ends if isinstance(end, ReplyFailed) and isinstance(end.error, EngineCrashed)]
    tally.crashes += [f"{end.error} after {block[:200]!r}" for end in failed]


def _judge(event: ToolCall, holds: tuple[str, ...], tally: Tally) -> None:
    """Mutates: tally."""
    tally.calls += 1
    fault = fault_of(event.call.name, dict(event.call.arguments), holds)
    if not fault and event.needs_confirmation != (event.call.name == "take_coins"):
        fault = f"{event.call.name}: the player must be asked about coins, and about nothing else"
    if fault:
        tally.outside.append(fault)
