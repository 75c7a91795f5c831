"""What chat formats are put together from: trusted structure, and words that lose whatever force they pretend to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.decoding.tool_formats.interface import CallFrame
from npc_sdk.guard.neutralize import neutralize, neutralize_json
from npc_sdk.messages import FunctionCall, Message
from npc_sdk.prompt.formats.interface import call_json, result_json
from npc_sdk.requests import Segment


def marker(text: str) -> Segment:
    """Structure, which may become control tokens."""
    return Segment(text, is_trusted=True)


def said(text: str) -> Segment:
    """What anybody said or wrote."""
    return Segment(neutralize(text.strip()))


def dumped(value: Mapping[str, Any], *, indent: int | None = None) -> Segment:
    """JSON of ours that holds what others wrote."""
    return Segment(neutralize_json(value, indent=indent))


def known(contexts: Sequence[str]) -> list[Segment]:
    """The passages that are always known, after the system text."""
    return [part for text in contexts for part in (marker("\n<context> "), said(text), marker(" </context>"))]


def heard(message: Message) -> list[Segment]:
    """What a turn says: its own passages and pictures, then the words, so that they stand last."""
    out: list[Segment] = []
    for passage in message.contexts:
        out += [marker("<context> "), said(passage), marker(" </context>\n")]
    if message.contexts:
        out.append(marker("\n"))
    out += [marker("<image>\n")] * len(message.images)
    if message.text.strip():
        out.append(said(message.text))
    return out


def called(
    calls: Sequence[FunctionCall], frame: CallFrame, write: Callable[[FunctionCall], Mapping[str, Any]], *, gap: str
) -> list[Segment]:
    """Calls as the dialect frames them; gap stands between the words before them and the first."""
    out: list[Segment] = []
    for index, call in enumerate(calls):
        lead = frame.between if index else gap + frame.lead
        out += [marker(lead + frame.before), dumped(write(call)), marker(frame.after)]
    if calls:
        out.append(marker(frame.tail))
    return [segment for segment in out if segment.text]


@dataclass(frozen=True, slots=True)
class Tags:
    """How a format writes calls, and what stands before and after the game's answer."""

    call: CallFrame
    result: tuple[str, str]

    def content(self, message: Message) -> list[Segment]:
        """A turn's inside: passages, pictures, words and calls, or the answer to a call."""
        if message.tool_result is not None:
            parts = (marker(self.result[0]), dumped(result_json(message.tool_result)), marker(self.result[1]))
            return [part for part in parts if part.text]
        words = heard(message)
        return words + called(message.tool_calls, self.call, self._written, gap="\n" if words else "")

    def _written(self, call: FunctionCall) -> Mapping[str, Any]:
        return call_json(call, self.call.arguments_key)
