"""The Hermes dialect, which Qwen2.5 writes too: a ``<tool_call>`` block, usually one object on a line of its own.

Source: the tool section of the chat template in Qwen/Qwen2.5-7B-Instruct's tokenizer_config.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.decoding.tool_formats.call_json import parse_calls
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall


@dataclass(frozen=True, slots=True)
class HermesTools:
    name: str = "hermes"
    opening: str = "<tool_call>"
    closing: str = "</tool_call>"

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return parse_calls(body)
