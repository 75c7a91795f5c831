"""A record as a line for people, or as JSON for programs. Knows types of messages only by their fields' names."""

from __future__ import annotations

import json
from typing import Any

import msgpack

from game_bridge.frame import clip
from game_bridge.trace.file import Record

_ARROWS = {"client": "->", "server": "<-"}
_IDS = ("ref", "request_id", "session_id", "npc_id", "call_id", "entry_id")
_TOLD = (
    "text",
    "name",
    "arguments",
    "status",
    "content",
    "finish_reason",
    "code",
    "message",
    "values",
    "player",
    "index",
)


def body_of(record: Record) -> dict[str, Any] | None:
    """The map of a message; None for bytes that are none, and for a record that is no message."""
    first = record.frames[0] if record.frames else None
    if not isinstance(first, bytes):
        return None
    try:
        body = msgpack.unpackb(first)
    except (ValueError, TypeError):
        return None
    return body if isinstance(body, dict) and all(isinstance(key, str) for key in body) else None


def line_of(record: Record) -> str:
    """Time, connection, direction, type, ids, and what was said, cut to a line."""
    head = f"{record.at_s:10.3f}  #{record.connection}"
    if record.kind in ("open", "close"):
        return f"{head} -- {record.kind}"
    head += f" {_ARROWS[record.kind]} "
    body = body_of(record)
    if body is None:
        return f"{head}{_size(record.frames[0])} that are no message" if record.frames else f"{head}nothing"
    ids = [str(body[name]) if name != "ref" else f"ref {body[name]}" for name in _IDS if name in body]
    told = [f"{name} {clip(body[name])}" for name in _TOLD if name in body]
    pictures = [f"picture of {_size(frame)}" for frame in record.frames[1:]]
    return head + "  ".join([f"{clip(body.get('type'))[1:-1]:<12}", *map(_plain, ids), *told, *pictures]).rstrip()


def json_of(record: Record) -> str:
    """The same without anything cut, on one line; pictures as their sizes, bytes that are no message as hex."""
    told: dict[str, Any] = {"at_s": record.at_s, "connection": record.connection, "kind": record.kind}
    body = body_of(record)
    if body is not None:
        told["body"] = body
        told["pictures"] = [frame if isinstance(frame, int) else len(frame) for frame in record.frames[1:]]
    elif record.frames:
        told["frames"] = [frame if isinstance(frame, int) else frame.hex() for frame in record.frames]
    return json.dumps(told, default=repr)


def _plain(text: str) -> str:
    """Without what a terminal would obey."""
    return text if text.isprintable() else clip(text)


def _size(frame: bytes | int) -> str:
    return f"{frame if isinstance(frame, int) else len(frame)} bytes"
