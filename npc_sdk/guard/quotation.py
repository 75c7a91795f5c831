"""Whether a call was quoted: the same name and arguments stand in what somebody else said, wrote or answered.

Every dialect writes a call as JSON, so JSON is looked for, however it is spaced, ordered or wrapped; an object
of the arguments right behind the tool's name counts too. Knows no dialect. Called by session, for parsed calls only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from npc_sdk.guard.neutralize import neutralize
from npc_sdk.messages import JsonValue

_ARGUMENT_KEYS = ("arguments", "parameters")
_NAME_WITHIN_CHARS = 40  # between a tool's name and its arguments, as in name[ARGS]{…} or <function=name>{…}
_MAX_BROKEN = 400  # openings of objects that are none: a text with more is made to be searched for ever
_DECODER = json.JSONDecoder(strict=False)


def is_quoted(name: str, arguments: Mapping[str, Any], heard: Iterable[JsonValue]) -> bool:
    """Whether a call of this tool with these arguments stands in any of the texts, or values, that were heard.

    Fails safe: what cannot be searched in time, or at all, is taken to hold the call.
    """
    call = (neutralize(name), _plain(dict(arguments)))
    try:
        return any(_holds(value, call) for value in heard)
    except RecursionError:
        return True


def _holds(value: JsonValue, call: tuple[str, str]) -> bool:
    if isinstance(value, str):
        return _text_holds(value, call)
    if isinstance(value, dict):
        return _is_call(value, call) or any(_holds(inner, call) for inner in (*value, *value.values()))
    return isinstance(value, list) and any(_holds(inner, call) for inner in value)


def _text_holds(text: str, call: tuple[str, str]) -> bool:
    name, arguments = call
    reach = len(name) + _NAME_WITHIN_CHARS
    for start, found in _objects(text):
        if found is None or _holds(found, call):
            return True
        if _plain(found) == arguments and name in neutralize(text[max(0, start - reach) : start]):
            return True
    return False


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Every outermost object with where it begins; None in place of the rest of a text of broken ones."""
    at, broken = text.find("{"), 0
    while at >= 0:
        end = at + 1
        try:
            found, end = _DECODER.raw_decode(text, at)
            yield at, found
        except (ValueError, RecursionError):
            broken += 1
            if broken > _MAX_BROKEN:
                yield at, None
                return
        at = text.find("{", end)


def _is_call(value: Mapping[str, Any], call: tuple[str, str]) -> bool:
    name = value.get("name")
    if not isinstance(name, str) or neutralize(name.strip()) != call[0]:
        return False
    given = [value[key] for key in _ARGUMENT_KEYS if key in value] or [{}]
    return any(_plain(_unwrapped(one)) == call[1] for one in given)


def _unwrapped(arguments: Any) -> Any:
    """Arguments are an object, the JSON text of one, or nothing."""
    if not isinstance(arguments, str) or not arguments.strip():
        return arguments or {}
    try:
        return json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return arguments


def _plain(value: Any) -> str:
    """A text that is the same for the same value; markers in it are disarmed, as in what the model was shown."""
    return neutralize(json.dumps(value, sort_keys=True, ensure_ascii=False))
