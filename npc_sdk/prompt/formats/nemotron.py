"""The chat format of Nemotron-Mini-4B-Instruct and its relatives, byte for byte as its template renders it.

Source: the chat template in nvidia/Nemotron-Mini-4B-Instruct's tokenizer_config.json. The template has no place for a
turn's own passages: they go in front of the words of the user's turn, in the same <context> form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.prompt.formats.interface import call_json, result_json, tool_declaration
from npc_sdk.requests import Segment

_ROLES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


@dataclass(frozen=True, slots=True)
class NemotronFormat:
    """is_wrapped: tools are declared in OpenAI's wrapper instead of bare; a model may be trained on either."""

    is_wrapped: bool = False
    name: str = "nemotron"
    stop: tuple[str, ...] = ("<extra_id_1>",)

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out = [_marker("<extra_id_0>System\n"), _said(message.text)]
        if tools or message.contexts:
            out.append(_marker("\n"))
        for tool in tools:
            declared = json.dumps(tool_declaration(tool, is_wrapped=self.is_wrapped), ensure_ascii=False)
            out += [_marker("\n<tool> "), _said(declared), _marker(" </tool>")]
        if tools and message.contexts:
            out.append(_marker("\n"))
        for passage in message.contexts:
            out += [_marker("\n<context> "), _said(passage), _marker(" </context>")]
        return [*out, _marker("\n\n")]

    def turn(self, message: Message) -> list[Segment]:
        return [_marker(f"<extra_id_1>{_ROLES[message.role]}\n"), *self._content(message), _marker("\n")]

    def opening(self) -> list[Segment]:
        return [_marker("<extra_id_1>Assistant\n")]

    def _content(self, message: Message) -> list[Segment]:
        out: list[Segment] = []
        if message.tool_result is not None:
            return [_said(json.dumps(result_json(message.tool_result), ensure_ascii=False))]
        for passage in message.contexts:
            out += [_marker("<context> "), _said(passage), _marker(" </context>\n")]
        if message.contexts:
            out.append(_marker("\n"))
        out += [_marker("<image>\n")] * len(message.images)
        if message.text.strip():
            out.append(_said(message.text))
        for call in message.tool_calls:
            lead = "\n" if out else ""
            written = json.dumps(call_json(call), ensure_ascii=False)
            out += [_marker(f"{lead}<toolcall> "), _said(written), _marker(" </toolcall>")]
        return out


def _marker(text: str) -> Segment:
    return Segment(text, is_trusted=True)


def _said(text: str) -> Segment:
    return Segment(neutralize(text.strip()))
