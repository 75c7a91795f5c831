"""What chat formats are put together from: trusted structure, and words that lose whatever force they pretend to."""

from __future__ import annotations

import json
from dataclasses import dataclass

from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import Message
from npc_sdk.prompt.formats.interface import call_json, result_json
from npc_sdk.requests import Segment


def marker(text: str) -> Segment:
    """Structure, which may become control tokens."""
    return Segment(text, is_trusted=True)


def said(text: str) -> Segment:
    """What anybody said or wrote."""
    return Segment(neutralize(text.strip()))


@dataclass(frozen=True, slots=True)
class Tags:
    """What stands before and after a call, and before and after the game's answer."""

    call: tuple[str, str]
    result: tuple[str, str]

    def content(self, message: Message) -> list[Segment]:
        """A turn's inside: passages, pictures, words and calls, or the answer to a call."""
        if message.tool_result is not None:
            answer = json.dumps(result_json(message.tool_result), ensure_ascii=False)
            parts = (marker(self.result[0]), said(answer), marker(self.result[1]))
            return [part for part in parts if part.text]
        out: list[Segment] = []
        for passage in message.contexts:
            out += [marker("<context> "), said(passage), marker(" </context>\n")]
        if message.contexts:
            out.append(marker("\n"))
        out += [marker("<image>\n")] * len(message.images)
        if message.text.strip():
            out.append(said(message.text))
        for call in message.tool_calls:
            lead = "\n" if out else ""
            written = json.dumps(call_json(call), ensure_ascii=False)
            out += [marker(lead + self.call[0]), said(written), marker(self.call[1])]
        return out
