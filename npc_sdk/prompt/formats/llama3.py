"""Llama 3.1's chat format, byte for byte as its template renders it with the tools in the system turn.

Source: the chat template in meta-llama/Llama-3.1-8B-Instruct's tokenizer_config.json, with tools_in_user_message off
and its own date. It takes one call a turn and no words beside it: further calls and words are framed as the dialect
has them. Passages have no place of their own there; they stand in <context>.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.prompt.formats.interface import tool_declaration
from npc_sdk.prompt.formats.segment import Tags, dumped, known, marker, said
from npc_sdk.requests import Segment

_TOOL_MODE = "Environment: ipython\n"
_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
_TOOLS_BEFORE = (
    "You have access to the following functions. To call a function, please respond with JSON for a function call."
    'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.'
    "Do not use variables.\n\n"
)
_ROLES = {"tool": "ipython"}
_END = "<|eot_id|>"

_TAGS = Tags(call=tool_format("llama3").frame, result=("", ""))


@dataclass(frozen=True, slots=True)
class Llama3Format:
    name: str = "llama3"
    stop: tuple[str, ...] = (_END, "<|eom_id|>")

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out = [_header("system", _TOOL_MODE + _DATES + _TOOLS_BEFORE if tools else _DATES)]
        for tool in tools:
            out += [dumped(tool_declaration(tool, is_wrapped=True), indent=4), marker("\n\n")]
        return [*out, said(message.text), *known(message.contexts), marker(_END)]

    def turn(self, message: Message) -> list[Segment]:
        return [_header(_ROLES.get(message.role, message.role)), *_TAGS.content(message), marker(_END)]

    def opening(self) -> list[Segment]:
        return [_header("assistant")]


def _header(role: str, text: str = "") -> Segment:
    return marker(f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}")
