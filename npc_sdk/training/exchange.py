"""One exchange of a generated dialogue: the player's words, the passages found for them, and all that follows.

The makers of exchanges are in chatter.py and deal.py; mix.py draws among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from npc_sdk.messages import CallStatus, FunctionCall, Message, ToolResult, ToolSpec
from npc_sdk.training import vocabulary as words
from npc_sdk.training.scene import Scene
from npc_sdk.training.style import frame
from npc_sdk.training.vocabulary import PHRASES


@dataclass(slots=True)
class Exchange:
    """answer holds the character's turns and the tool results between them.

    kind names what an evaluation learns from it, must_say what a right reply holds whatever its manner.
    """

    kind: str
    player_words: str
    answer: list[Message] = field(default_factory=list)
    passages: list[str] = field(default_factory=list)
    must_say: tuple[str, ...] = ()


Maker = Callable[[Scene, Random], Exchange | None]


def said(text: str) -> Message:
    return Message("assistant", text)


def acted(
    rng: Random,
    scene: Scene,
    speech: str,
    tool: ToolSpec,
    values: list[Any],
    status: CallStatus,
    content: Any,
    after: str,
) -> list[Message]:
    """Speech with a call, the game's answer to it, and what the character says then."""
    arguments = dict(zip(tool.parameters["required"], values, strict=True))
    call = FunctionCall("c", tool.name, arguments)
    before = frame(rng, scene.style, speech) if rng.random() < 0.85 else ""
    return [
        Message("assistant", before, tool_calls=(call,)),
        Message("tool", "", tool_result=ToolResult("c", tool.name, status, content)),
        said(after),
    ]


def refusal(rng: Random, scene: Scene, *reasons: str) -> tuple[str, str]:
    """A reason of the game's and what the character says to it; the reason is not always of the expected kind."""
    reason = rng.choice(reasons) if rng.random() < 0.7 else rng.choice(PHRASES["reasons"])
    things = (*scene.holds, *scene.player_holds, *scene.doors, words.item(rng))
    thing = rng.choice(things)
    reason = reason.format(
        i=thing, a=words.article(thing), n=rng.randint(1, 40), p=words.place(rng), w=words.person(rng)
    )
    return reason, frame(rng, scene.style, turned(reason))


_TURNS = (
    ("The player does not", "You do not"), ("The player has", "You have"), ("The player holds", "You hold"),
    ("The player must", "You must"), (" the player", " you"),
)  # fmt: skip


def turned(reason: str) -> str:
    """What was told to the character ("You do not hold it"), as the character tells it ("I do not hold it")."""
    if reason.startswith("The player"):
        for told, tells in _TURNS:
            reason = reason.replace(told, tells)
        return reason.replace("offered you", "offered me")
    reason = reason.replace("You are", "I am").replace("You ", "I ").replace(" you ", " I ")
    return reason.replace(" the player", " you")
