"""The Hermes dialect, which Qwen2.5 writes too: a ``<tool_call>`` block, usually one object on a line of its own.

Source: the tool section of the chat template in Qwen/Qwen2.5-7B-Instruct's tokenizer_config.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.decoding.tool_formats.call_json import parse_calls
from npc_sdk.decoding.tool_formats.interface import CallFrame, MalformedCall, ParsedCall, unmarked
from npc_sdk.decoding.tool_formats.reader import CallReader, PairReader

_MARKERS = MarkerFinder("<tool_call>", "</tool_call>")
_FRAME = CallFrame(before="<tool_call>\n", after="\n</tool_call>")


@dataclass(frozen=True, slots=True)
class HermesTools:
    name: str = "hermes"
    frame: CallFrame = _FRAME
    markers: MarkerFinder = _MARKERS

    def reader(self) -> CallReader:
        return PairReader(self.markers)

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return parse_calls(body)

    def parse_bare(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return unmarked(body)
