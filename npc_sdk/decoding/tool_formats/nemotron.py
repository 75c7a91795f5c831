"""Nemotron-Mini's dialect: ``<toolcall> {"name": …, "arguments": {…}} </toolcall>``.

Source: the model card and chat template of nvidia/Nemotron-Mini-4B-Instruct.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.decoding.tool_formats.call_json import parse_calls
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall


@dataclass(frozen=True, slots=True)
class NemotronTools:
    name: str = "nemotron"
    opening: str = "<toolcall>"
    closing: str = "</toolcall>"

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return parse_calls(body)
