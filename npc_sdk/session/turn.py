"""One reply as messages: what each run of the model said and asked for, for the next prompt and for the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from npc_sdk.decoding.stream_parser import Emote
from npc_sdk.messages import Message
from npc_sdk.session.call_desk import Case

_CLOSING = (*".,;:!?…", " ", "\n")  # stands right behind what came before


@dataclass(slots=True)
class Round:
    """One run of the model. has_tools: whether calls are still taken; the last round of a reply may only speak.

    text is what was heard of it; written holds the emotes as well.
    """

    has_tools: bool
    text: str = ""
    written: str = ""
    cases: list[Case] = field(default_factory=list)
    is_cut: bool = False
    _ends_in_emote: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether the model wanted to act and none of its calls could reach the game."""
        return bool(self.cases) and not any(case.is_put for case in self.cases)

    def say(self, text: str) -> None:
        """Adds what is heard."""
        self.text += text
        self.written += text if text[:1] in _CLOSING else _gap(self.written) * self._ends_in_emote + text
        self._ends_in_emote = False

    def show(self, emote: Emote) -> None:
        """Adds what is seen, in the form that the parser took apart."""
        form = f"*{emote.text}*" if emote.kind == "action" else f"[{emote.text}]"
        self.written += _gap(self.written) + form
        self._ends_in_emote = True

    def messages(self, *, is_for_history: bool = False) -> list[Message]:
        """What was written and called, then the answers.

        Emotes stay where the model wrote them: it goes on from its own words, and one who only nodded has answered.
        The model sees its invalid calls until the reply ends; the history leaves them out, for nothing came of them
        and a model repeats its own mistakes.
        """
        cases = [case for case in self.cases if case.is_put or not is_for_history]
        calls = tuple(case.call for case in cases if case.call is not None)
        text = self.written.strip()
        spoken = [Message("assistant", text, tool_calls=calls)] if text or calls else []
        return spoken + [Message("tool", "", tool_result=case.result) for case in cases]


def _gap(before: str) -> str:
    """The blank that sets off what comes next."""
    return " " if before and not before[-1].isspace() else ""


def exchange(words: Message, rounds: Iterable[Round]) -> tuple[Message, ...]:
    """What the history keeps of a turn: nothing where the NPC neither said nor did anything."""
    answer = [message for a_round in rounds for message in a_round.messages(is_for_history=True)]
    return (dataclasses.replace(words, images=()), *answer) if answer else ()
