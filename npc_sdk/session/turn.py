"""One reply as messages: what each run of the model said and asked for, for the next prompt and for the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from npc_sdk.messages import Message
from npc_sdk.session.call_desk import Case


@dataclass(slots=True)
class Round:
    """One run of the model. has_tools: whether calls are still taken; the last round of a reply may only speak."""

    has_tools: bool
    text: str = ""
    cases: list[Case] = field(default_factory=list)
    is_cut: bool = False

    def messages(self, *, is_for_history: bool = False) -> list[Message]:
        """What was said and called, then the answers.

        The model sees its invalid calls until the reply ends; the history leaves them out, for nothing came of them
        and a model repeats its own mistakes.
        """
        cases = [case for case in self.cases if case.has_reached_game or not is_for_history]
        calls = tuple(case.call for case in cases if case.call is not None)
        text = self.text.strip()
        spoken = [Message("assistant", text, tool_calls=calls)] if text or calls else []
        return spoken + [Message("tool", "", tool_result=case.result) for case in cases]


def exchange(words: Message, rounds: Iterable[Round]) -> tuple[Message, ...]:
    """What the history keeps of a turn: nothing where the NPC neither said nor did anything."""
    answer = [message for a_round in rounds for message in a_round.messages(is_for_history=True)]
    return (dataclasses.replace(words, images=()), *answer) if answer else ()
