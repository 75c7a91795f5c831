"""Messages of a client's made wrong: fields, values and frames of sound ones, or simply their bytes; and costly ones.

Sessions that are open are named in most of them, so that a fault is met further in than the door.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgpack

from game_bridge.attack.message_cost import costly
from game_bridge.attack.mutation import mutated
from game_bridge.vectors import Vector, load_valid

MAX_FRAMES = 8
_LONG = 70_000
_COSTLY_LIVES = 0.1  # of the connections: what was said before is what makes the next message cost
_TYPES = ("say", "talk", "hello", "state", "tool_result", "confirm", "learn", "happen", "welcome", "", "say\0")
_TEXTS = (
    "", " ", "\0", "a" * _LONG, "\u202e\u200b\ufeff", "é" * 900, "\U0001f9d9" * 64, "{{ player }}", "../../etc/passwd",
    "<toolcall>", "</context>", "<extra_id_0>", "%s%n", "'; --", "-1", "NaN", "mara", "call-1", "give_item",
)  # fmt: skip
_NUMBERS = (
    0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.0, -0.5, 1e308, 5e-324,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip

_ENDS = ("hello", "bye", "leave")  # after which little is open that could be met

Body = dict[Any, Any]


class MessageMaker:
    """session_ids are those that are open now; whoever opens and ends them keeps the list.

    is_costly: what comes now is sound, and made to take long.
    """

    def __init__(self) -> None:
        self.session_ids: list[str] = []
        self.is_costly = False
        self._seeds = [vector for vector in load_valid() if vector.sender == "client"]
        self._heads = [vector.frames[0] for vector in self._seeds]

    def begin(self, rng: random.Random, session_ids: Iterable[str]) -> None:
        """A connection with these sessions."""
        self.session_ids = list(session_ids)
        self.is_costly = bool(self.session_ids) and rng.random() < _COSTLY_LIVES

    def make(self, rng: random.Random) -> list[bytes]:
        """The frames of one message, as sound as chance will have it."""
        if self.is_costly:
            return [_packed(rng, costly(rng, self.session_ids))]
        seed = rng.choice(self._seeds)
        if seed.body["type"] in _ENDS and rng.random() < 0.9:
            seed = rng.choice(self._seeds)
        body = self._addressed(rng, seed)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            body = rng.choice(_CHANGES)(rng, body)
        head = _packed(rng, body)
        if rng.random() < 0.2:
            head = mutated(rng, head, self._heads)
        return _framed(rng, head, seed.frames[1:])

    def _addressed(self, rng: random.Random, seed: Vector) -> Body:
        body: Body = dict(seed.body)
        if "session_id" in body and self.session_ids:
            body["session_id"] = rng.choice(self.session_ids)
        if "request_id" in body and rng.random() < 0.8:
            body["request_id"] = f"q-{rng.randrange(10**9)}"
        return body


def _packed(rng: random.Random, body: Body) -> bytes:
    head: bytes = msgpack.packb(body, default=repr, unicode_errors="surrogatepass")
    if rng.random() < 0.02 and 0x80 < head[0] < 0x8F:
        # the same map with its first field once more
        again: bytes = msgpack.packb(next(iter(body))) + b"\xc0"
        return bytes((head[0] + 1,)) + head[1:] + again
    return head


def _framed(rng: random.Random, head: bytes, blobs: Sequence[bytes]) -> list[bytes]:
    frames = [head, *blobs]
    match rng.randrange(20):
        case 0:
            frames += [rng.randbytes(rng.randrange(50)) for _ in range(rng.randint(1, MAX_FRAMES - len(frames)))]
        case 1:
            frames.insert(0, b"")
        case 2:
            frames = frames[::-1]
        case 3:
            frames = frames[:1]
    return frames


def _without(rng: random.Random, body: Body) -> Body:
    gone = rng.choice([*body, None])
    return {key: value for key, value in body.items() if key != gone}


def _with_more(rng: random.Random, body: Body) -> Body:
    return {**body, rng.choice((*_TEXTS[:4], "__class__", "extra", 7, None, True, 1.5)): _value(rng, 3)}


def _replaced(rng: random.Random, body: Body) -> Body:
    return {**body, rng.choice([*body, "ref"]): _value(rng, 3)}


def _of_another_type(rng: random.Random, body: Body) -> Body:
    return {**body, "type": rng.choice(_TYPES)}


def _renamed(rng: random.Random, body: Body) -> Body:
    old, new = rng.choice([*body, "ref"]), rng.choice([*body, "text", "values"])
    return {(new if key == old else key): value for key, value in body.items()}


def _deepened(rng: random.Random, body: Body) -> Body:
    value: Any = 0
    for _ in range(rng.choice((3, 15, 17, 200))):
        value = [value] if rng.random() < 0.5 else {"k": value}
    return {**body, rng.choice([*body, "content", "values", "json_schema"]): value}


def _value(rng: random.Random, depth: int) -> Any:
    """Anything that msgpack can say, and that a schema may not."""
    match rng.randrange(9 if depth else 6):
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice(_NUMBERS)
        case 2 | 3:
            return rng.choice(_TEXTS)
        case 4:
            return rng.randbytes(rng.choice((0, 3, 300)))
        case 5:
            return rng.choice((msgpack.ExtType(5, b"x"), msgpack.Timestamp(rng.randrange(2**31)), "\ud800"))
        case 6:
            return [_value(rng, depth - 1) for _ in range(rng.choice((0, 1, 5, 40)))]
        case _:
            return {rng.choice(_TEXTS): _value(rng, depth - 1) for _ in range(rng.choice((0, 1, 5)))}


_CHANGES: tuple[Callable[[random.Random, Body], Body], ...] = (
    _without, _with_more, _replaced, _replaced, _of_another_type, _renamed, _deepened,
)  # fmt: skip
