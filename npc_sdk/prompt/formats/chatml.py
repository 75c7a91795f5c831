"""ChatML as Qwen2.5-Instruct and NVLM use it, with Hermes-style tools.

Source: the chat template in Qwen/Qwen2.5-7B-Instruct's tokenizer_config.json, from which the wording around the tools
is taken because the model was trained on it. Passages have no place of their own there; they stand in <context>.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.prompt.formats.interface import tool_declaration
from npc_sdk.prompt.formats.segment import Tags, dumped, known, marker, said
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

_TAGS = Tags(call=tool_format("hermes").frame, result=("<tool_response>\n", "\n</tool_response>"))


@dataclass(frozen=True, slots=True)
class ChatMLFormat:
    name: str = "chatml"
    stop: tuple[str, ...] = ("<|im_end|>",)

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out = [marker("<|im_start|>system\n"), said(message.text), *known(message.contexts)]
        if tools:
            out.append(marker(_TOOLS_BEFORE))
            for tool in tools:
                out += [marker("\n"), dumped(tool_declaration(tool, is_wrapped=True))]
            out.append(marker(_TOOLS_AFTER))
        return [*out, marker("<|im_end|>\n")]

    def turn(self, message: Message) -> list[Segment]:
        role = "user" if message.role == "tool" else message.role
        return [marker(f"<|im_start|>{role}\n"), *_TAGS.content(message), marker("<|im_end|>\n")]

    def opening(self) -> list[Segment]:
        return [marker("<|im_start|>assistant\n")]
