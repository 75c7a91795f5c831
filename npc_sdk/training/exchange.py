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
from npc_sdk.training.style import frame, talk
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


@dataclass(frozen=True, slots=True)
class Act:
    """What the character does about a line: its words before the call, the tool and the arguments in their order."""

    kind: str
    line: str
    speech: str
    tool: ToolSpec
    values: tuple[Any, ...] = ()


def spoken(scene: Scene, rng: Random, kind: str, line: str, body: str, *must_say: str) -> Exchange:
    """Only words, in the character's manner."""
    return Exchange(kind, line, [Message("assistant", frame(rng, scene.style, body))], must_say=must_say)


def cannot(scene: Scene, rng: Random, line: str) -> Exchange:
    """No tool for that."""
    return Exchange("no_tool", line, [Message("assistant", talk(rng, scene.style, "cannot"))])


def accepted(scene: Scene, rng: Random, act: Act, content: Any, *afters: str) -> Exchange:
    """The game agrees. content None stands for a bare yes."""
    return _acted(scene, rng, act, "accepted", content, frame(rng, scene.style, rng.choice(afters)))


def refused(scene: Scene, rng: Random, act: Act, *reasons: str) -> Exchange:
    """The game says no, with one of these reasons or one that nobody would expect."""
    if rng.random() < 0.06:
        status: CallStatus = "invalid" if rng.random() < 0.6 else "timeout"
        return _acted(scene, rng, act, status, rng.choice(PHRASES["faults"]), talk(rng, scene.style, "cannot"))
    reason = rng.choice(reasons) if rng.random() < 0.7 else _any_reason(scene, rng)
    return _acted(scene, rng, act, "refused", reason, frame(rng, scene.style, turned(reason)))


def _acted(scene: Scene, rng: Random, act: Act, status: CallStatus, content: Any, after: str) -> Exchange:
    call = FunctionCall("c", act.tool.name, dict(zip(act.tool.parameters["required"], act.values, strict=True)))
    answer = [
        Message("assistant", frame(rng, scene.style, act.speech), tool_calls=(call,)),
        Message("tool", "", tool_result=ToolResult("c", act.tool.name, status, content)),
        Message("assistant", after),
    ]
    return Exchange(act.kind, act.line, answer)


def _any_reason(scene: Scene, rng: Random) -> str:
    thing = rng.choice((*scene.holds, *scene.player_holds, *scene.doors, words.item(rng)))
    return rng.choice(PHRASES["reasons"]).format(
        i=thing, a=words.article(thing), n=rng.randint(1, 40), p=words.place(rng), w=words.person(rng)
    )


_TURNS = (
    ("The player does not", "You do not"),
    ("The player has", "You have"),
    ("The player holds", "You hold"),
    ("The player must", "You must"),
    (" the player", " you"),
    ("offered you", "offered me"),
)


def turned(reason: str) -> str:
    """What was told to the character ("You do not hold it"), as the character tells it ("I do not hold it")."""
    if reason.startswith("The player"):
        for told, tells in _TURNS:
            reason = reason.replace(told, tells)
        return reason
    reason = reason.replace("You are", "I am").replace("You ", "I ").replace(" you ", " I ")
    return reason.replace(" the player", " you")
