"""Checks and copies values that a game hands in: state variables and tool results. Called by state and call_desk."""

from __future__ import annotations

import json
import math
from typing import Any

from npc_sdk.errors import RequestError
from npc_sdk.messages import JsonValue

MAX_DEPTH = 8
_INTEGERS = range(-(2**63), 2**64)  # what msgpack carries


def copied_json(value: object, place: str, *, max_chars: int, max_depth: int = MAX_DEPTH) -> JsonValue:
    """A copy that the game can no longer change, at most max_chars long as JSON.

    Raises: RequestError naming the place, where it is no JSON value or too large.
    """
    copied = _copy(value, place, max_depth)
    text = json.dumps(copied, ensure_ascii=False)
    if not _is_utf8(text):
        raise RequestError(f"{place} holds half a character", hint="send text that can be written as UTF-8")
    if len(text) > max_chars:
        raise RequestError(
            f"{place} takes {len(text)} characters as JSON, at most {max_chars} are taken", hint="send less of it"
        )
    return copied


def _copy(value: Any, place: str, depth: int) -> JsonValue:
    """Only what is not plain at a glance has its place spelled out, as there may be very many values."""
    if isinstance(value, dict | list) and not depth:
        raise RequestError(f"{place} is nested too deeply", hint="write it with fewer levels")
    if isinstance(value, dict):
        return {
            _key(key, place): inner if _is_plain(inner) else _copy(inner, f"{place}.{str(key)[:64]}", depth - 1)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            inner if _is_plain(inner) else _copy(inner, f"{place}[{index}]", depth - 1)
            for index, inner in enumerate(value)
        ]
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError(f"{place} is {value!r}, which JSON cannot hold", hint="send a finite number")
    if isinstance(value, int) and value not in _INTEGERS:
        raise RequestError(f"{place} is too large a number", hint="numbers have at most 64 bits")
    if value is None or isinstance(value, str | int | float):
        return value
    raise RequestError(
        f"{place} is a {type(value).__name__}, not a JSON value", hint="use null, true, numbers, text, lists and maps"
    )


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind is str or value is None or kind is bool or (kind is int and value in _INTEGERS)


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise RequestError(f"{place} has the key {key!r}, which is not text", hint="name every value with text")
    return key


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
