"""The calls of one reply: which reach the game and when, how the game answers, that each is settled exactly once.

Knows no engine and no prompt; the gate says what may pass. The reply brings what the parser found, the session brings
the game's answers and the player's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall
from npc_sdk.errors import RequestError, UnknownRequest
from npc_sdk.messages import CallStatus, FunctionCall, JsonValue, ToolResult
from npc_sdk.requests import MAX_CALLS_A_RUN
from npc_sdk.session.gate import QUOTED, Gate
from npc_sdk.session.json_value import copied_json
from npc_sdk.session.live_tool import ToolRule
from npc_sdk.settings import SessionSettings

MAX_CONTENT_CHARS = 4096
UNREADABLE = "(unreadable)"  # stands for the tool's name where the call could not be read; no tool can be called so
DECLINED = "the player declined"
STALE = "what you wanted to do before did not happen; ask again if you still want this"
_MAX_NAME_CHARS = 64


@dataclass(slots=True)
class Case:
    """One call and how it ended. call is None where what the model wrote was not a call.

    is_put: the game was asked; until then the case waits its turn. is_agreed: the player need not be asked, or said
    yes. Units: due_s on the loop's clock, when the answer is too late. Mutates: result is set once; is_told, once the
    game has heard of it; news is set whenever something of it changes.
    """

    call_id: str
    name: str
    call: FunctionCall | None
    rule: ToolRule
    result: ToolResult | None = None
    is_put: bool = False
    is_agreed: bool = True
    is_told: bool = False
    due_s: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def settle(self, status: CallStatus, content: JsonValue) -> None:
        """Gives the case its one result and wakes whoever waits for it."""
        assert self.result is None, "a case is settled once"
        self.result = ToolResult(self.call_id, self.name, status, content)
        self.news.set()

    def has_failed(self) -> bool:
        """Whether the game was asked and did not do it."""
        return self.is_put and self.result is not None and self.result.status != "accepted"


class CallDesk:
    """call_ids gives ids that are unique in the session."""

    def __init__(self, gate: Gate, call_ids: Iterator[str], settings: SessionSettings) -> None:
        self._gate = gate
        self._call_ids = call_ids
        self._settings = settings
        self._cases: dict[str, Case] = {}

    def open(self, item: ParsedCall | MalformedCall, *, place: int) -> Case:
        """A new case that waits its turn; an invalid call comes back settled. place counts the run's calls from 0."""
        call_id = next(self._call_ids)
        if isinstance(item, MalformedCall):
            case = Case(call_id, UNREADABLE, None, ToolRule())
            case.settle("invalid", item.reason)
        else:
            call = FunctionCall(call_id, item.name, item.arguments)
            case = Case(call_id, item.name[:_MAX_NAME_CHARS], call, self._gate.rule(item.name))
            reason = self._refusal(call, place)
            if reason is not None:
                case.settle("invalid", reason)
        self._cases[call_id] = case
        return case

    def put(self, cases: Sequence[Case]) -> Iterator[Case]:
        """Puts the cases of a run to the game whose turn has come, in their order. Yields each, put or settled by it.

        A parallel call goes at once, any other once the game knows how all before it ended, and not at all where it did
        not do one of them. The state may have changed meanwhile: what may no longer pass is settled instead.
        """
        for place, case in enumerate(cases):
            if case.result is not None or case.is_put or case.call is None:
                continue
            before = cases[:place]
            if not case.rule.is_parallel and not all(earlier.is_told for earlier in before):
                return
            is_stale = not case.rule.is_parallel and any(earlier.has_failed() for earlier in before)
            reason = STALE if is_stale else self._gate.refusal(case.call.name, case.call.arguments)
            if reason is not None:
                case.settle("invalid", reason)
            else:
                self._ask(case)
            yield case

    def answer(self, call_id: str, status: Literal["accepted", "refused"], content: JsonValue) -> None:
        """The game's answer; the same one once more changes nothing.

        Raises: UnknownRequest for a call that is not open, RequestError for a wrong answer or one before the player's.
        """
        if status not in ("accepted", "refused"):
            raise RequestError(f"{status!r} is no answer to a call", hint="answer accepted or refused")
        case = self._asked(call_id)
        content = copied_json(content, "the tool result", max_chars=MAX_CONTENT_CHARS)
        if case.result is None and status == "accepted" and not case.is_agreed:
            raise RequestError(f"call {call_id!r} waits for the player", hint="say with confirm whether they agree")
        if case.result is None:
            case.settle(status, content)
        elif (case.result.status, _text(case.result.content)) != (status, _text(content)):
            raise _not_open(call_id)

    def confirm(self, call_id: str, is_agreed: bool, reason: str) -> None:
        """The player's answer; the same one once more changes nothing. The game then has its own time for the call.

        Raises: UnknownRequest for a call that is not open, RequestError for one that nobody need agree to.
        """
        case = self._asked(call_id)
        if not case.rule.needs_confirmation:
            raise RequestError(f"call {call_id!r} needs no confirmation", hint="answer it with tool_result")
        if case.result is not None or case.is_agreed:
            if is_agreed != case.is_agreed or (case.result is not None and case.result.status == "timeout"):
                raise _not_open(call_id)
        elif is_agreed:
            case.is_agreed, case.due_s = True, self._answer_due_s(case)
            case.news.set()
        else:
            case.settle("refused", copied_json(reason or DECLINED, "the reason", max_chars=MAX_CONTENT_CHARS))

    def abandon(self, reason: str) -> None:
        """Settles every open case: as timed out, or as invalid where the game was never asked."""
        for case in self._cases.values():
            if case.result is None:
                case.settle("timeout" if case.is_put else "invalid", reason)

    def untold(self) -> list[Case]:
        """Settled cases of which the game has not heard."""
        return [case for case in self._cases.values() if case.result is not None and not case.is_told]

    def _ask(self, case: Case) -> None:
        """Mutates: the case has reached the game, and counts."""
        case.is_put = True
        case.is_agreed = not case.rule.needs_confirmation
        now_s = asyncio.get_running_loop().time()
        case.due_s = self._answer_due_s(case) if case.is_agreed else now_s + self._settings.confirm_timeout_s
        self._gate.note(case.name)

    def _answer_due_s(self, case: Case) -> float:
        chosen = case.rule.timeout_s
        allowed = self._settings.tool_timeout_s if chosen is None else chosen
        return asyncio.get_running_loop().time() + allowed

    def _asked(self, call_id: str) -> Case:
        """A call that the game was asked for. Raises: UnknownRequest."""
        case = self._cases.get(call_id)
        if case is None or not case.is_put:
            raise _not_open(call_id)
        return case

    def _refusal(self, call: FunctionCall, place: int) -> str | None:
        if place >= MAX_CALLS_A_RUN:
            return f"at most {MAX_CALLS_A_RUN} calls at once"
        reason = self._gate.refusal(call.name, call.arguments)
        if reason is None and self._gate.is_quoted(call.name, call.arguments):
            return QUOTED
        return reason or (f"you have called {call.name} like this already" if self._is_repeated(call) else None)

    def _is_repeated(self, call: FunctionCall) -> bool:
        """Whether the same was asked in this reply: a small model may otherwise go round in circles.

        What the game refused may be tried again, what the player declined may not.
        """
        asked = (call.name, _text(dict(call.arguments)))
        return any(
            case.call is not None
            and (case.call.name, _text(dict(case.call.arguments))) == asked
            and (case.result is None or case.result.status in ("accepted", "timeout") or not case.is_agreed)
            for case in self._cases.values()
        )


def _not_open(call_id: str) -> UnknownRequest:
    return UnknownRequest(f"no call {call_id!r} is open", hint="it was never made, or is settled already")


def _text(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)
