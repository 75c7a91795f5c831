"""The chat format of Mistral-7B-Instruct-v0.3: turns, calls and results byte for byte as its template renders them.

Source: the chat template in mistralai/Mistral-7B-Instruct-v0.3's tokenizer_config.json. It moves system text and tools
in front of the newest question, so that no prompt would begin as the one before it did. Here they stand first, the
system text as an instruction of its own. Passages have no place of their own there; they stand in <context>.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.messages import FunctionCall, Message, ToolResult, ToolSpec
from npc_sdk.prompt.formats.interface import call_json, result_json, tool_declaration
from npc_sdk.prompt.formats.segment import called, dumped, heard, known, marker, said
from npc_sdk.requests import Segment

_FRAME = tool_format("mistral").frame
_END = "</s>"
_ID_CHARS = 9  # letters and digits, no more and no fewer


@dataclass(frozen=True, slots=True)
class MistralFormat:
    name: str = "mistral"
    stop: tuple[str, ...] = (_END,)

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out: list[Segment] = []
        if message.text.strip() or message.contexts:
            out += [marker("[INST] "), said(message.text), *known(message.contexts), marker("[/INST]")]
        for index, tool in enumerate(tools):
            out += [marker(", " if index else "[AVAILABLE_TOOLS] ["), dumped(tool_declaration(tool, is_wrapped=True))]
        return [*out, marker("][/AVAILABLE_TOOLS]")] if tools else out

    def turn(self, message: Message) -> list[Segment]:
        if message.tool_result is not None:
            return _result(message.tool_result)
        words = heard(message)
        if message.role == "user":
            return [marker("[INST] "), *words, marker("[/INST]")]
        calls = called(message.tool_calls, _FRAME, _written, gap="")
        return [*([marker(" "), *words] if words else []), *calls, marker(_END)]

    def opening(self) -> list[Segment]:
        """Nothing: the assistant's turn begins where the instruction ends."""
        return []


def _written(call: FunctionCall) -> Mapping[str, Any]:
    return {**call_json(call), "id": _short_id(call.call_id)}


def _result(result: ToolResult) -> list[Segment]:
    after = f', "call_id": "{_short_id(result.call_id)}"}}[/TOOL_RESULTS]'
    return [marker('[TOOL_RESULTS] {"content": '), dumped(result_json(result)), marker(after)]


def _short_id(call_id: str) -> str:
    """The id in the one form that the model knows."""
    return "".join(char for char in call_id if char.isascii() and char.isalnum())[-_ID_CHARS:].zfill(_ID_CHARS)
