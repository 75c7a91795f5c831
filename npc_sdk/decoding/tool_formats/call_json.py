"""Calls written as JSON objects, read strictly as to values and leniently as to how small models wrap them.

Shared by the dialects whose body is JSON. A body is understood as a whole or not at all: acting on half of what a
model wrote could do something that it did not mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from npc_sdk.decoding.tool_formats.interface import MalformedCall, ParsedCall

MAX_DEPTH = 12  # a bridge message nests 16 deep at the most, with the call inside it
_INTEGERS = range(-(2**63), 2**63)  # what every client language and msgpack can hold
_ARGUMENT_KEYS = ("arguments", "parameters")


class _NotACallError(ValueError):
    """Why a body is no call, in words for the model."""


def parse_calls(body: str, *, ignored: frozenset[str] = frozenset()) -> tuple[ParsedCall, ...] | MalformedCall:
    """One object, a list of objects or several with a separator; stray closing brackets at the end are ignored.

    ignored are keys that a dialect writes beside a call's name and arguments, and that mean nothing.
    """
    return _parsed(body, lambda: tuple(_call(value, ignored) for value in _values(body)))


def parse_arguments(name: str, text: str, *, raw: str) -> tuple[ParsedCall, ...] | MalformedCall:
    """A call whose name stands before the JSON object of its arguments; raw is all of it."""
    return _parsed(raw, lambda: (_call({"name": name, "arguments": _only(_values(text))}, frozenset()),))


def _parsed(raw: str, read: Callable[[], tuple[ParsedCall, ...]]) -> tuple[ParsedCall, ...] | MalformedCall:
    try:
        return read()
    except _NotACallError as exc:
        return MalformedCall(raw.strip(), str(exc))
    except RecursionError:
        return MalformedCall(raw.strip(), "the call is nested too deeply")
    except ValueError as exc:
        return MalformedCall(raw.strip(), f"the call is not valid JSON: {exc}")


def _only(values: list[Any]) -> Any:
    """Raises: _NotACallError for more than one."""
    if len(values) > 1:
        raise _NotACallError("the call has more than one object of arguments")
    return values[0]


def _values(body: str) -> list[Any]:
    """The top-level values, lists unfolded. Raises: _NotACallError where there is none, ValueError."""
    out: list[Any] = []
    at = _skip(body, 0, " \t\r\n")
    while at < len(body) and body[at:].strip(" \t\r\n;,]}"):
        value, at = _DECODER.raw_decode(body, at)
        _check(value, MAX_DEPTH)
        out += value if isinstance(value, list) else [value]
        at = _skip(body, at, " \t\r\n;,")
    if not out:
        raise _NotACallError("there is no call between the markers")
    return out


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _call(value: Any, ignored: frozenset[str]) -> ParsedCall:
    """Raises: _NotACallError."""
    if not isinstance(value, dict):
        raise _NotACallError('a call is an object {"name": …, "arguments": {…}}')
    unknown = [key for key in value if key not in ("name", *_ARGUMENT_KEYS) and key not in ignored]
    if unknown:
        raise _NotACallError(f"a call has only a name and arguments, not {unknown[0][:40]!r}")
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _NotACallError("the call has no name")
    return ParsedCall(name.strip(), _arguments(value))


def _arguments(value: dict[str, Any]) -> dict[str, Any]:
    """The arguments under either key, an object or the JSON text of one; a tool without any may leave them out.

    Raises: _NotACallError.
    """
    given = [value[key] for key in _ARGUMENT_KEYS if key in value]
    if len(given) > 1:
        raise _NotACallError('the call has both "arguments" and "parameters"')
    arguments = given[0] if given else None
    if isinstance(arguments, str) and arguments.strip():
        arguments = _DECODER.decode(arguments)
        _check(arguments, MAX_DEPTH)
    if arguments is None or arguments == "":
        return {}
    if not isinstance(arguments, dict):
        raise _NotACallError("the arguments are not an object")
    return arguments


def _check(value: Any, left: int) -> None:
    """Raises: _NotACallError for depth, and for text that could not be written out as UTF-8."""
    if not left:
        raise _NotACallError("the call is nested too deeply")
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise _NotACallError("a text holds half a character")
    children = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check(child, left - 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises: _NotACallError for a key given twice."""
    out = dict(pairs)
    if len(out) < len(pairs):
        raise _NotACallError("a key is given twice")
    return out


def _refuse_constant(name: str) -> NoReturn:
    raise _NotACallError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotACallError("a number is too large")
    return number


def _integer(text: str) -> int:
    if len(text) > 20 or (number := int(text)) not in _INTEGERS:
        raise _NotACallError("a number is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
)
