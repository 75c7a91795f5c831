"""The calls of one reply: which reach the game, how the game answers, and that each is settled exactly once.

Knows no engine and no prompt. The reply brings what the parser found, the session brings the game's answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.errors import RequestError, UnknownRequest
from npc_sdk.messages import CallStatus, FunctionCall, JsonValue, ToolResult
from npc_sdk.session.json_value import copied_json
from npc_sdk.session.toolbelt import Toolbelt

MAX_CALLS_A_ROUND = 8
MAX_CONTENT_CHARS = 4096
UNREADABLE = "(unreadable)"  # stands for the tool's name where the call could not be read; no tool can be called so
_MAX_NAME_CHARS = 64


@dataclass(slots=True)
class Case:
    """One call and how it ended. call is None where what the model wrote was not a call.

    Units: asked_s on the loop's clock. Mutates: result is set once; is_told, once the game has heard of it.
    """

    call_id: str
    name: str
    call: FunctionCall | None
    result: ToolResult | None = None
    is_told: bool = False
    asked_s: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_reached_game(self) -> bool:
        """Whether the game was asked at all."""
        return self.call is not None and (self.result is None or self.result.status != "invalid")

    def settle(self, status: CallStatus, content: JsonValue) -> None:
        """Gives the case its one result and wakes whoever waits for it."""
        assert self.result is None, "a case is settled once"
        self.result = ToolResult(self.call_id, self.name, status, content)
        self.settled.set()


class CallDesk:
    """call_ids gives ids that are unique in the session."""

    def __init__(self, belt: Toolbelt, call_ids: Iterator[str]) -> None:
        self._belt = belt
        self._call_ids = call_ids
        self._cases: dict[str, Case] = {}

    def open(self, item: ParsedCall | MalformedCall, *, place: int, has_tools: bool) -> Case:
        """A new case; an invalid call comes back settled. place counts the round's calls from 0."""
        if isinstance(item, MalformedCall):
            case = Case(next(self._call_ids), UNREADABLE, None)
            reason: str | None = item.reason
        else:
            call_id = next(self._call_ids)
            call = FunctionCall(call_id, item.name, item.arguments)
            case = Case(call_id, item.name[:_MAX_NAME_CHARS], call)
            reason = self._refusal(item, place, has_tools=has_tools)
        if reason is not None:
            case.settle("invalid", reason)
        self._cases[case.call_id] = case
        return case

    def answer(self, call_id: str, status: Literal["accepted", "refused"], content: JsonValue) -> None:
        """The game's answer. Raises: UnknownRequest for a call that is not open, RequestError for a wrong answer."""
        if status not in ("accepted", "refused"):
            raise RequestError(f"{status!r} is no answer to a call", hint="answer accepted or refused")
        case = self._cases.get(call_id)
        if case is None or case.result is not None:
            raise UnknownRequest(f"no call {call_id!r} is open", hint="it was never made, or is settled already")
        case.settle(status, copied_json(content, "the tool result", max_chars=MAX_CONTENT_CHARS))

    def abandon(self, reason: str) -> None:
        """Settles every open case as timed out."""
        for case in self._cases.values():
            if case.result is None:
                case.settle("timeout", reason)

    def untold(self) -> list[Case]:
        """Settled cases of which the game has not heard."""
        return [case for case in self._cases.values() if case.result is not None and not case.is_told]

    def _refusal(self, item: ParsedCall, place: int, *, has_tools: bool) -> str | None:
        if not has_tools:
            return "you have done enough for now; say something instead"
        if place >= MAX_CALLS_A_ROUND:
            return f"at most {MAX_CALLS_A_ROUND} calls at once"
        fault = self._belt.refusal(item.name, item.arguments)
        return fault or (f"you have called {item.name} like this already" if self._is_repeated(item) else None)

    def _is_repeated(self, item: ParsedCall) -> bool:
        """Whether the same was asked in this reply and not refused: a small model may otherwise go round in circles."""
        asked = _key(item.name, item.arguments)
        return any(
            case.call is not None
            and _key(case.call.name, case.call.arguments) == asked
            and (case.result is None or case.result.status in ("accepted", "timeout"))
            for case in self._cases.values()
        )


def _key(name: str, arguments: object) -> tuple[str, str]:
    return name, json.dumps(arguments, sort_keys=True)
