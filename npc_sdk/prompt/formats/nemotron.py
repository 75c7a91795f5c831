"""The chat format of Nemotron-Mini-4B-Instruct and its relatives, byte for byte as its template renders it.

Source: the chat template in nvidia/Nemotron-Mini-4B-Instruct's tokenizer_config.json. The template has no place for a
turn's own passages: they go in front of the words of the user's turn, in the same <context> form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.messages import Message, ToolSpec
from npc_sdk.prompt.formats.interface import tool_declaration
from npc_sdk.prompt.formats.segment import Tags, dumped, known, marker, said
from npc_sdk.requests import Segment

_ROLES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}

_TAGS = Tags(call=tool_format("nemotron").frame, result=("", ""))


@dataclass(frozen=True, slots=True)
class NemotronFormat:
    """is_wrapped: tools are declared in OpenAI's wrapper instead of bare; a model may be trained on either."""

    is_wrapped: bool = False
    name: str = "nemotron"
    stop: tuple[str, ...] = ("<extra_id_1>",)

    def system(self, message: Message, tools: Sequence[ToolSpec]) -> list[Segment]:
        out = [marker("<extra_id_0>System\n"), said(message.text)]
        if tools or message.contexts:
            out.append(marker("\n"))
        for tool in tools:
            declared = dumped(tool_declaration(tool, is_wrapped=self.is_wrapped))
            out += [marker("\n<tool> "), declared, marker(" </tool>")]
        if tools and message.contexts:
            out.append(marker("\n"))
        return [*out, *known(message.contexts), marker("\n\n")]

    def turn(self, message: Message) -> list[Segment]:
        return [marker(f"<extra_id_1>{_ROLES[message.role]}\n"), *_TAGS.content(message), marker("\n")]

    def opening(self) -> list[Segment]:
        return [marker("<extra_id_1>Assistant\n")]
