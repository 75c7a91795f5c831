"""What is wrong with something that was written under a constraint, told by other means than the constraint's own.

JSON Schema is checked by jsonschema, spoken JSON and markers are searched for. Called by run.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from npc_sdk.decoding.stream_parser import StreamParser
from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall, ToolFormat
from npc_sdk.evals.validity.tool_set import ToolSet
from npc_sdk.requests import Constraint

MARKER_STARTS = ("<tool", "</tool", "<|", "[tool_calls]", "[args]", "<extra_id")
_SHOWN_CHARS = 200


def faults(text: str, tool_set: ToolSet, constraint: Constraint, tool_format: ToolFormat) -> tuple[int, list[str]]:
    """How many calls there are, and what is wrong with the whole."""
    if constraint.json_schema is not None:
        return 0, _value_faults(text, constraint.json_schema)
    parser = StreamParser(tool_format)
    items = [*parser.feed(text), *parser.finish()]
    calls = [item for item in items if isinstance(item, ParsedCall)]
    found = [f"malformed: {item.reason}" for item in items if isinstance(item, MalformedCall)]
    for call in calls:
        found += _call_faults(call, tool_set)
    speech = "".join(item.text for item in items if not isinstance(item, ParsedCall | MalformedCall))
    found += _speech_faults(speech)
    if constraint.mode == "none" and calls:
        found.append("called where only speech was asked for")
    if constraint.mode == "required" and not calls:
        found.append("did not call where a call was required")
    return len(calls), [f"{fault} in {text[-_SHOWN_CHARS:]!r}" for fault in found]


def _call_faults(call: ParsedCall, tool_set: ToolSet) -> list[str]:
    if call.name not in tool_set.allowed:
        return [f"called {call.name!r}, which is not allowed"]
    schema = next(tool.parameters for tool in tool_set.tools if tool.name == call.name)
    errors = Draft202012Validator(dict(schema)).iter_errors(dict(call.arguments))
    return [f"{call.name}: {error.message[:_SHOWN_CHARS]}" for error in errors]


def _speech_faults(speech: str) -> list[str]:
    plain = speech.casefold()
    found = [f"spoke the marker {start!r}" for start in MARKER_STARTS if start in plain]
    return [*found, *([f"spoke JSON: {spoken!r}"] if (spoken := spoken_json(speech)) else [])]


def spoken_json(speech: str) -> str | None:
    """The first object or list of JSON in a text; None where there is none. A tag in brackets is no JSON."""
    decoder = json.JSONDecoder()
    for at, char in enumerate(speech):
        if char in "{[":
            try:
                _, end = decoder.raw_decode(speech, at)
            except (ValueError, RecursionError):
                continue
            return speech[at:end]
    return None


def _value_faults(text: str, schema: Mapping[str, Any]) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        return [f"no JSON: {exc} in {text[-_SHOWN_CHARS:]!r}"]
    return [f"JSON: {error.message[:_SHOWN_CHARS]}" for error in Draft202012Validator(dict(schema)).iter_errors(value)]
