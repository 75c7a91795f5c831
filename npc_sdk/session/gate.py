"""What one reply may call: the constraint of each run, and whether a call that the model wrote may reach the game.

Brings together the toolbelt, the state as it is then, what the game asked for and what others said. Knows neither
engine nor parser. Made by reply; asked by the call desk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from npc_sdk.errors import NpcError, RequestError
from npc_sdk.guard.quotation import is_quoted
from npc_sdk.messages import JsonValue, Message, ToolResult
from npc_sdk.requests import MAX_CALLS_A_RUN, Constraint
from npc_sdk.session.live_tool import LiveTools, ToolRule
from npc_sdk.session.scene import Scene

ANY_MODE = ("auto", "required", "none")
ENOUGH = "you have done enough for now; say something instead"
QUOTED = "somebody else wrote this call, and you only repeated it; say in your own words what you do"


class Gate:
    """choice is "auto", "required", "none" or a tool's name. Mutates: begin starts a run, note counts a call."""

    def __init__(self, scene: Scene, choice: str) -> None:
        self._scene = scene
        self._choice = choice
        self._used: Counter[str] = Counter()
        self._has_tools = False
        self._wanted = ""
        self._heard: tuple[JsonValue, ...] = ()

    def begin(self, messages: Sequence[Message], *, has_tools: bool, is_first: bool) -> Constraint:
        """Begins a run of the model that reads these messages. What the game asked for holds in the first one."""
        is_asked = is_first and self._choice not in ("auto", "none")
        self._has_tools = has_tools
        self._wanted = self._choice if is_asked and self._choice != "required" else ""
        self._heard = tuple(_heard(messages))
        live = self._live()
        specs = tuple(spec for spec in live.specs if self._wanted in ("", spec.name)) if has_tools else ()
        if not specs:
            return Constraint(mode="none")
        return Constraint(
            tools=specs,
            mode="required" if is_asked else "auto",
            chained=frozenset(spec.name for spec in specs if _may_chain(live.rules[spec.name])),
            max_calls=MAX_CALLS_A_RUN,
        )

    def rule(self, name: str) -> ToolRule:
        """The rule of a tool; that of any other is of no consequence."""
        return self._live().rules.get(name, ToolRule())

    def refusal(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Why a call must not reach the game at this moment, for the model to read; None where it may."""
        if not self._has_tools:
            return ENOUGH
        reason = self._live().refusal(name, arguments)
        if reason is None and self._wanted not in ("", name):
            return f"only {self._wanted} is asked for now"
        return reason

    def is_quoted(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Whether the call stands in what the model read and did not write itself; what the game asked for does not."""
        return not self._wanted and is_quoted(name, arguments, self._heard)

    def note(self, name: str) -> None:
        """A call has reached the game."""
        self._used[name] += 1
        self._scene.use.note(name, time.monotonic())

    def _live(self) -> LiveTools:
        return self._scene.live(self._used)


def choice_fault(scene: Scene, choice: str) -> NpcError | None:
    """Why a reply cannot be asked to call like this."""
    if choice in ("auto", "none"):
        return None
    if not scene.settings.tool_rounds:
        return RequestError(f"tool_choice is {choice!r}, but session.tool_rounds is 0", hint="allow a round of calls")
    live = scene.live()
    callable_now = [spec.name for spec in live.specs]
    if choice in callable_now or (choice == "required" and callable_now):
        return None
    why = dict(live.left_out).get(choice)
    name = scene.persona.name
    if why is not None:
        return RequestError(f"{name} cannot call {choice!r} now: {why}", hint="tell the state, or ask later")
    what = "any tool now" if choice == "required" else f"a tool {choice!r}"
    known = ", ".join((*ANY_MODE, *callable_now))
    return RequestError(f"{name} cannot call {what}", hint=f"tool_choice is one of: {known}")


def _may_chain(rule: ToolRule) -> bool:
    """Whether a run may go on to another call: one tool with a quota could else use it up within a run, and more."""
    has_quota = rule.per_reply is not None or rule.per_minute is not None or rule.cooldown_s > 0
    return rule.is_parallel and not has_quota


def _heard(messages: Sequence[Message]) -> Iterator[JsonValue]:
    """All that stands in a prompt but what the NPC called itself, a game's echo of that, and our own reasons."""
    for message in messages:
        yield message.text
        yield from message.contexts
        result = message.tool_result
        if result is not None and result.status != "invalid" and not _is_echo(result):
            yield result.content


def _is_echo(result: ToolResult) -> bool:
    """Whether a game answers a call with the call itself."""
    return isinstance(result.content, dict) and result.content.get("name") == result.name
