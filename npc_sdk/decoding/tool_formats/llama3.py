"""Llama 3's JSON dialect: a call is an object ``{"name": …, "parameters": {…}}`` with nothing around it.

``<|python_tag|>`` may stand before it. Llama's Python and ``<function=…>`` forms are not calls here.
Source: the chat template in meta-llama/Llama-3.1-8B-Instruct's tokenizer_config.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.decoding.tool_formats.call_json import parse_calls
from npc_sdk.decoding.tool_formats.interface import CallFrame, MalformedCall, ParsedCall
from npc_sdk.decoding.tool_formats.reader import CallReader, JsonReader

_MARKERS = MarkerFinder("<|python_tag|>")
_FRAME = CallFrame(between="; ", arguments_key="parameters")
_IGNORED = frozenset({"type"})  # copied from the declarations, which the model has before it


@dataclass(frozen=True, slots=True)
class Llama3Tools:
    name: str = "llama3"
    frame: CallFrame = _FRAME
    markers: MarkerFinder = _MARKERS

    def reader(self) -> CallReader:
        return JsonReader(self.markers)

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return parse_calls(body, ignored=_IGNORED)

    def parse_bare(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return self.parse(body)
