"""ChatML as Qwen2.5-Instruct and NVLM use it, with Hermes-style tools.

Source: the chat template in Qwen/Qwen2.5-7B-Instruct's tokenizer_config.json, from which the wording around the tools
is taken because the model was trained on it. Passages have no place of their own there; they stand in <context>.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.prompt.formats.interface import call_json, result_json, tool_declaration
from npc_sdk.requests import Segment

_TOOLS_BEFORE = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
_TOOLS_AFTER = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)


@dataclass(frozen=True, slots=True)
class ChatMLFormat:
    name: str = "chatml"
    stop: tuple[str, ...] = ("<|im_end|>",)

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out = [_marker("<|im_start|>system\n"), _said(message.text)]
        for passage in message.contexts:
            out += [_marker("\n<context> "), _said(passage), _marker(" </context>")]
        if tools:
            out.append(_marker(_TOOLS_BEFORE))
            for tool in tools:
                declared = json.dumps(tool_declaration(tool, is_wrapped=True), ensure_ascii=False)
                out += [_marker("\n"), _said(declared)]
            out.append(_marker(_TOOLS_AFTER))
        return [*out, _marker("<|im_end|>\n")]

    def turn(self, message: Message) -> list[Segment]:
        role = "user" if message.role == "tool" else message.role
        return [_marker(f"<|im_start|>{role}\n"), *self._content(message), _marker("<|im_end|>\n")]

    def opening(self) -> list[Segment]:
        return [_marker("<|im_start|>assistant\n")]

    def _content(self, message: Message) -> list[Segment]:
        out: list[Segment] = []
        if message.tool_result is not None:
            answer = json.dumps(result_json(message.tool_result), ensure_ascii=False)
            return [_marker("<tool_response>\n"), _said(answer), _marker("\n</tool_response>")]
        for passage in message.contexts:
            out += [_marker("<context> "), _said(passage), _marker(" </context>\n")]
        out += [_marker("<image>\n")] * len(message.images)
        if message.text.strip():
            out.append(_said(message.text))
        for call in message.tool_calls:
            lead = "\n" if out else ""
            written = json.dumps(call_json(call), ensure_ascii=False)
            out += [_marker(f"{lead}<tool_call>\n"), _said(written), _marker("\n</tool_call>")]
        return out


def _marker(text: str) -> Segment:
    return Segment(text, is_trusted=True)


def _said(text: str) -> Segment:
    return Segment(neutralize(text.strip()))
