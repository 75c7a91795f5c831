"""A reply that is one JSON value and no speech: a journal entry, a shop's list. Asked for with a JSON Schema.

A constrained engine writes nothing else; any other is told what is wrong and may try again, a few times. Knows runs and
prompts, no conversation: nobody hears the value, so no history keeps it. Driven by reply.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NoReturn

import yaml
from jsonschema import Draft202012Validator

from npc_sdk.errors import EngineError, NpcError, RequestError
from npc_sdk.events import Event, Structured
from npc_sdk.messages import JsonValue
from npc_sdk.persona.json_schema import holds_more, schemas_in
from npc_sdk.persona.parameter import FROM, schema_faults
from npc_sdk.requests import Constraint
from npc_sdk.session.json_value import copied_json
from npc_sdk.session.past import Past
from npc_sdk.session.run import Ask, Runs
from npc_sdk.session.scene import Scene

MAX_SCHEMAS = 64  # in one: each is held against the schema of schemas, on the loop, and later against what was written
MAX_VALUE_CHARS = 16_384  # more than any reply's tokens make
_MAX_DEPTH = 24
_MAX_REASON_CHARS = 300


class _NotWantedError(Exception):
    """Why a text is not the value that was asked for, in words for the model."""


async def write(
    scene: Scene, ask: Ask, runs: Runs, schema: Mapping[str, Any], past: Past
) -> AsyncGenerator[Event, None]:
    """The value, unless the reply is cancelled. Raises: EngineError where no try gives one, and whatever runs raise."""
    reason = ""
    for _ in range(1 + scene.settings.repair_rounds):
        draft = scene.draft(ask.words, player=ask.player, past=past, directive=directive(schema, reason))
        prompt = scene.compile(draft, reply_tokens=ask.sampling.max_new_tokens)
        written = ""
        async with aclosing(runs.text(prompt, Constraint(json_schema=schema), has_tools=False)) as pieces:
            async for piece in pieces:
                written += piece
        if runs.is_cancelled:
            return
        try:
            value = read_value(written, schema)
        except _NotWantedError as exc:
            reason = str(exc)[:_MAX_REASON_CHARS]
        else:
            yield Structured(ask.request_id, value)
            return
    raise EngineError(f"the model wrote no value of the schema: {reason}", hint="allow more tokens, or less to write")


def directive(schema: Mapping[str, Any], reason: str = "") -> str:
    """What a model that nobody constrains must be told; reason is what was wrong with its last try.

    The schema stands there as YAML, for JSON in a passage is disarmed: somebody may have written a call in it.
    """
    wanted = yaml.safe_dump(dict(schema), sort_keys=False, allow_unicode=True)
    again = f"\nWhat you wrote before is no good: {reason}." if reason else ""
    return f"Do not speak. Write one JSON value that this schema describes, and nothing else.\n{wanted}{again}"


def schema_fault(schema: object) -> NpcError | None:
    """Why a schema cannot be asked for: what would be costly to check, or fetched from somewhere, is not taken."""
    hint = "give a JSON Schema, as a map"
    if not isinstance(schema, Mapping):
        return RequestError(f"json_schema is a {type(schema).__name__}, not a map", hint=hint)
    try:
        copied = copied_json(dict(schema), "json_schema", max_chars=MAX_VALUE_CHARS, max_depth=_MAX_DEPTH)
    except RequestError as exc:
        return exc
    assert isinstance(copied, dict), "a map stays one"
    if holds_more(copied, MAX_SCHEMAS):
        few = "ask for less in one value, or list what is allowed with 'enum'"
        return RequestError(f"json_schema: more than {MAX_SCHEMAS} schemas stand in one", hint=few)
    if any(FROM in part for _, part in schemas_in(copied)):
        return RequestError(f"json_schema: {FROM!r} is of no meaning here", hint="only a tool's arguments have it")
    fault = next(schema_faults(copied), None)
    return None if fault is None else RequestError(f"json_schema: {fault}", hint=hint)


def read_value(written: str, schema: Mapping[str, Any]) -> JsonValue:
    """The value that a text holds, a fence around it left out. Raises: _NotWantedError."""
    text = written.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.removesuffix("```").partition("\n")[2]
    try:
        value = copied_json(json.loads(text, parse_constant=_refuse), "it", max_chars=MAX_VALUE_CHARS)
    except (ValueError, RecursionError) as exc:
        raise _NotWantedError(f"it is not JSON: {exc}") from exc
    except RequestError as exc:
        raise _NotWantedError(exc.message) from exc
    fault = next(Draft202012Validator(dict(schema)).iter_errors(value), None)
    if fault is not None:
        place = ".".join(str(part) for part in fault.absolute_path)
        raise _NotWantedError(f"{place}: {fault.message}" if place else fault.message)
    return value


def _refuse(name: str) -> NoReturn:
    raise _NotWantedError(f"{name} is no number")
