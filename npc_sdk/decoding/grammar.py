"""What a run may write, as a Lark grammar over text: speech without markers or JSON, then valid calls.

Knows the dialect's frame and JSON Schema, neither tokens nor a model; token_mask.py turns the grammar into masks.
Called by the local engine for every request with a Constraint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from npc_sdk.decoding.tool_formats.interface import CallFrame
from npc_sdk.messages import ToolSpec
from npc_sdk.requests import Constraint

# What an author leaves open is closed here, so that a call always ends: a model that never closes a text would fill
# its window with it.
MAX_TEXT_CHARS = 256
MAX_LIST_ITEMS = 8
MAX_OBJECT_KEYS = 8
MAX_NUMBER = 2**53 - 1  # what every client language holds exactly
FREE_KEY = "^[A-Za-z_][A-Za-z0-9_ -]{0,31}$"
MAX_LEAD_CHARS = 80  # of speech before a call that is required
_SPACING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_SCALARS = [{"type": name} for name in ("string", "integer", "number", "boolean", "null")]
# Keywords that llguidance does not know, or that leave a text without an end; the check of a call knows them.
_UNGUIDED = frozenset(
    ("not", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames", "dependentRequired",
     "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems", "uniqueItems", "format")
)  # fmt: skip
_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "$comment")
_SUBSCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")


def constraint_grammar(constraint: Constraint, frame: CallFrame, stop_texts: Sequence[str] = ()) -> str:
    """The grammar of a run. stop_texts may end its speech, where the vocabulary has no token that does."""
    if constraint.json_schema is not None:
        return f"start: {_json(constraint.json_schema)}"
    stops = " | ".join(_literal(text) for text in stop_texts)
    return "\n".join(_run_rules(constraint, frame, f" ({stops})?" if stops else ""))


def _run_rules(constraint: Constraint, frame: CallFrame, stop: str) -> list[str]:
    """Speech and calls; nothing ends a run's calls but their own end."""
    piece = _speech(frame)
    speech = f"SPEECH: /{piece}+/"
    if constraint.mode == "none" or not constraint.tools:
        return [f"start: SPEECH?{stop}", speech]
    after = f" (SPEECH{stop})?" if constraint.speaks_after else ""
    calls = _call_rules(constraint, frame)
    if constraint.mode == "auto":
        return [f"start: SPEECH?{stop} | SPEECH? calls{after}", speech, *calls]
    lead = f"LEAD: /{piece}{{1,{MAX_LEAD_CHARS}}}/"
    return [f"start: LEAD? calls{after}", lead, *([speech] if after else []), *calls]


def _call_rules(constraint: Constraint, frame: CallFrame) -> list[str]:
    """Calls of chained tools, of which only the last may be of another.

    What stands between calls may also follow the last, for models write it before they end their turn.
    """
    chained = [tool for tool in constraint.tools if tool.name in constraint.chained]
    others = [tool for tool in constraint.tools if tool.name not in constraint.chained]
    between, more = _literal(frame.between), constraint.max_calls - 1
    ends = [f"chained {'' if frame.tail else f'({between})?'}"] if chained else []
    last = " | ".join([*ends, *(["other"] if others else [])])
    before = f"(chained {between}){{0,{more}}}" if chained and more > 0 else ""
    rules = [f"calls: {_literal(frame.lead)} {before} ({last}) {_literal(frame.tail)}"]
    for name, tools in (("chained", chained), ("other", others)):
        if tools:
            rules.append(f"{name}: {_literal(frame.before)} {name}_call {_literal(frame.after)}")
            rules.append(f"{name}_call: {_json({'anyOf': [_call_schema(tool, frame) for tool in tools]})}")
    return rules


def _speech(frame: CallFrame) -> str:
    """One piece of speech: no angle brackets and no braces, and square ones only around a word or two: [softly].

    Where the dialect's own marker begins with a square bracket, none at all.
    """
    has_tags = not (frame.lead + frame.before).startswith("[")
    return r"([^<{}\[\]]|\[[\p{L} ]{1,24}\])" if has_tags else r"[^<{}\[\]]"


def _call_schema(tool: ToolSpec, frame: CallFrame) -> dict[str, Any]:
    """The JSON object that is a call of one tool."""
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, frame.arguments_key: dict(tool.parameters)},
        "required": ["name", frame.arguments_key],
        "additionalProperties": False,
    }


def _json(schema: Mapping[str, Any]) -> str:
    """A Lark term for a value of the schema, written as templates write it and always of bounded length."""
    return f"%json {json.dumps({**bounded(schema), 'x-guidance': _SPACING})}"


def bounded(schema: Mapping[str, Any], *, is_whole: bool = True) -> dict[str, Any]:
    """The schema with an end to every text, list, map and number that has none, of what can be kept to while writing.

    is_whole: nothing beside it says more about the same value. What is only a part of that is neither closed nor given
    a type, for the other parts may want what it does not name. What cannot be kept to is left to the check afterwards.
    """
    out = {key: value for key, value in schema.items() if key not in _UNGUIDED}
    if "oneOf" in out:
        out["anyOf"] = [*out.get("anyOf", ()), *out.pop("oneOf")]
    is_joined = "allOf" in out or ("anyOf" in out and not out.keys() <= {"anyOf", *_ANNOTATIONS})
    for key in ("anyOf", "allOf"):
        if key in out:
            out[key] = [_bounded_part(part, is_whole=is_whole and not is_joined) for part in out[key]]
    for key in _SUBSCHEMA_MAPS:
        if key in out:
            out[key] = {name: _bounded_part(part, is_whole=is_whole) for name, part in out[key].items()}
    if "enum" in out or "const" in out or "$ref" in out:
        return out
    is_whole = is_whole and not is_joined
    kinds = out.get("type", _kind_by_keyword(out))
    if kinds is None:
        is_open = is_whole and "anyOf" not in out
        return {**out, "anyOf": [bounded(scalar) for scalar in _SCALARS]} if is_open else out
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        _bound_kind(out, kind, is_whole=is_whole)
    return out


def _bounded_part(part: Any, *, is_whole: bool) -> Any:
    return bounded(part, is_whole=is_whole) if isinstance(part, Mapping) else part


def _kind_by_keyword(schema: Mapping[str, Any]) -> str | None:
    """The type that a schema means without naming it."""
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else None


def _bound_kind(out: dict[str, Any], kind: str, *, is_whole: bool) -> None:
    """Mutates: out, a schema of values of this type."""
    if kind == "string" and "pattern" not in out:
        # No "<": nothing inside a call may look like its end. Lengths beside the pattern cost ten times the mask.
        least = out.pop("minLength", 0)
        out["pattern"] = f"^[^<]{{{least},{out.pop('maxLength', max(MAX_TEXT_CHARS, least))}}}$"
    elif kind in ("integer", "number"):
        if "exclusiveMinimum" not in out:
            out["minimum"] = max(out.get("minimum", -MAX_NUMBER), -MAX_NUMBER)
        if "exclusiveMaximum" not in out:
            out["maximum"] = min(out.get("maximum", MAX_NUMBER), MAX_NUMBER)
    elif kind == "array":
        out.setdefault("maxItems", max(MAX_LIST_ITEMS, out.get("minItems", 0)))
        out["items"] = _bounded_part(out.get("items", {}), is_whole=True)
    elif kind == "object" and is_whole:
        _bound_object(out)


def _bound_object(out: dict[str, Any]) -> None:
    """Mutates: out. Keys that nobody declared are allowed only where the schema is a free map."""
    declared = out.get("properties", {})
    others = out.get("additionalProperties", not declared and "patternProperties" not in out)
    is_closed = others is False or False in declared.values()
    if declared:
        out["properties"] = {name: part for name, part in declared.items() if part is not False}
    if is_closed:
        out["additionalProperties"] = False
        return
    value = bounded(others if isinstance(others, Mapping) else {})
    out["patternProperties"] = {**out.get("patternProperties", {}), FREE_KEY: value}
    out["additionalProperties"] = False
    if not declared:
        out.setdefault("maxProperties", MAX_OBJECT_KEYS)


def _literal(text: str) -> str:
    """A Lark string; empty for none."""
    return json.dumps(text, ensure_ascii=False) if text else ""
