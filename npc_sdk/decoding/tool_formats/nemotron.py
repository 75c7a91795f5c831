"""Nemotron-Mini's dialect: ``<toolcall> {"name": …, "arguments": {…}} </toolcall>``.

Source: the model card and chat template of nvidia/Nemotron-Mini-4B-Instruct.
"""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.decoding.tool_formats.call_json import parse_calls
from npc_sdk.decoding.tool_formats.interface import CallFrame, MalformedCall, ParsedCall, unmarked
from npc_sdk.decoding.tool_formats.reader import CallReader, PairReader

_MARKERS = MarkerFinder("<toolcall>", "</toolcall>")
_FRAME = CallFrame(before="<toolcall> ", after=" </toolcall>")


@dataclass(frozen=True, slots=True)
class NemotronTools:
    name: str = "nemotron"
    frame: CallFrame = _FRAME
    markers: MarkerFinder = _MARKERS

    def reader(self) -> CallReader:
        return PairReader(self.markers)

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return parse_calls(body)

    def parse_bare(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return unmarked(body)
