"""One msgpack map as bytes, and back, with everything refused that another language could read differently.

Owns byte and nesting limits; knows no message type. Called by protocol.py only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgpack

from npc_sdk.errors import ProtocolError, TooLarge

MAX_DEPTH = 16
MAX_VALUES = 20_000  # a fault in each of them is still told within a frame's time of a game
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
_SHOWN_CHARS = 80


class _Place(NamedTuple):
    """Where a value stands, as a step from what holds it."""

    parent: _Place | None
    step: str | int


def clip(value: object) -> str:
    """The repr of a value, cut to a length that fits an error message."""
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"


def pack_map(body: Mapping[str, Any], *, max_bytes: int) -> bytes:
    """Encode one map.

    Raises: ProtocolError for a value that the wire cannot carry, TooLarge over max_bytes.
    """
    check_plain(body)
    try:
        data: bytes = msgpack.packb(body, use_bin_type=True)
    except (ValueError, TypeError, OverflowError) as exc:
        raise ProtocolError(f"The message cannot be packed: {exc}", hint="text must be valid Unicode") from exc
    _check_size(data, max_bytes)
    return data


def unpack_map(data: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Decode exactly one map. Every call takes a fresh unpacker, since one that failed is in no defined state.

    Raises: ProtocolError, TooLarge.
    """
    _check_size(data, max_bytes)
    try:
        body = msgpack.unpackb(
            data, raw=False, object_pairs_hook=_read_pairs, ext_hook=_refuse_ext, max_ext_len=0, max_bin_len=0
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as exc:
        raise ProtocolError(f"The first frame is no msgpack map: {exc}", hint=f"{len(data)} bytes were read") from exc
    if not isinstance(body, dict):
        raise ProtocolError(f"The first frame must be a msgpack map, got {clip(body)}")
    check_plain(body)
    return body


def check_plain(value: object) -> None:
    """Refuse what JSON cannot say: bytes, NaN, infinities, integers beyond 64 bits, keys that are no strings.

    Raises: ProtocolError; TooLarge when nested deeper than MAX_DEPTH or of more than MAX_VALUES values.
    """
    _check(value, None, 0, [1])


def _check(value: object, place: _Place | None, depth: int, seen: list[int]) -> None:
    """Mutates: seen, which is one number. Most values are plain at a glance, and only the others have a place."""
    if depth > MAX_DEPTH:
        raise TooLarge(f"{_spelled(place)}: nested deeper than {MAX_DEPTH}", hint="flatten the value")
    if isinstance(value, Mapping):
        _count(len(value), seen)
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError(f"{_spelled(place)}: key {clip(key)} is no string")
            if depth == MAX_DEPTH or not _is_plain(item):
                _check(item, _Place(place, key), depth + 1, seen)
    elif isinstance(value, list | tuple):
        _count(len(value), seen)
        for index, item in enumerate(value):
            if depth == MAX_DEPTH or not _is_plain(item):
                _check(item, _Place(place, index), depth + 1, seen)
    else:
        _check_scalar(value, place)


def _count(more: int, seen: list[int]) -> None:
    seen[0] += more
    if seen[0] > MAX_VALUES:
        raise TooLarge(f"The message has more than {MAX_VALUES} values", hint="send less at once")


def _is_plain(value: object) -> bool:
    kind = type(value)
    return kind is str or value is None or kind is bool or (kind is int and INT_MIN <= value <= INT_MAX)  # type: ignore[operator]


def _check_scalar(value: object, place: _Place | None) -> None:
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int) and INT_MIN <= value <= INT_MAX:
        return
    if isinstance(value, float) and math.isfinite(value):
        return
    raise ProtocolError(
        f"{_spelled(place)}: {clip(value)} cannot go over the wire",
        hint="nil, booleans, 64-bit integers, finite floats, strings, arrays and maps can",
    )


def _spelled(place: _Place | None) -> str:
    """A place as an error names it: ``values.holds[2]``. Only errors pay for it, as keys may be very long."""
    steps: list[str] = []
    while place is not None:
        step = place.step
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:_SHOWN_CHARS]}")
        place = place.parent
    return "".join(reversed(steps)).removeprefix(".") or "message"


def _check_size(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise TooLarge(
            f"The message has {len(data)} bytes; {max_bytes} are allowed", hint="send pictures as extra frames"
        )


def _read_pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise ProtocolError(f"Key {clip(key)} is no string")
        if key in body:
            raise ProtocolError(f"Key {clip(key)} appears twice in one map")
        body[key] = value
    return body


def _refuse_ext(code: int, data: bytes) -> None:
    raise ProtocolError(f"msgpack extension type {code} ({len(data)} bytes) is not part of the protocol")
