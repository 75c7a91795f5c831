"""Mistral's dialect: ``[TOOL_CALLS] [{"name": …, "arguments": {…}}]``, and what its newer models write instead.

That is ``[TOOL_CALLS]name[ARGS]{…}``, with ``[CALL_ID]…`` after the name in some.
Source: the chat template in mistralai/Mistral-7B-Instruct-v0.3's tokenizer_config.json; for the newer form the
tokenizers of mistralai/mistral-common, versions 11 and 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from npc_sdk.decoding.marker import MarkerFinder
from npc_sdk.decoding.tool_formats.call_json import parse_arguments, parse_calls
from npc_sdk.decoding.tool_formats.interface import CallFrame, MalformedCall, ParsedCall, unmarked
from npc_sdk.decoding.tool_formats.reader import CallReader, JsonReader

_MARKERS = MarkerFinder("[TOOL_CALLS]", "[/TOOL_CALLS]")
_FRAME = CallFrame(lead="[TOOL_CALLS] [", between=", ", tail="]")
_IGNORED = frozenset({"id"})  # calls get their ids from the session
_NAMED = re.compile(r"\s*([^\s\[\]{}][^\[\]{}]*)(?:\[CALL_ID\][^\[\]{}]*)?(?:\[ARGS\])?\s*(?=\{)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MistralTools:
    name: str = "mistral"
    frame: CallFrame = _FRAME
    markers: MarkerFinder = _MARKERS

    def reader(self) -> CallReader:
        return JsonReader(self.markers)

    def parse(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        named = _NAMED.match(body)
        if named is None:
            return parse_calls(body, ignored=_IGNORED)
        return parse_arguments(named[1].strip(), body[named.end() :], raw=body.strip())

    def parse_bare(self, body: str) -> tuple[ParsedCall, ...] | MalformedCall:
        return unmarked(body)
