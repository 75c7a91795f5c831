"""Sound messages that would cost a server more than their sender: what they hold is small, and long to look into.

Each came of a finding: letters that are many when written out or are marks that Unicode does not call so, schemas and
states made of very many parts, and short hints that have a whole conversation looked at again. Called by
message_seed.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

Body = dict[Any, Any]

_UNITS = (
    "\ufdfa", "<\ufdfa", "[\u2487", "<s>\ufdfa ", "{\u337f", "<|\u33af", "a\u0301\u0316", "\u0301\u0316", "<\u200b",
    "{'", "Где мельница? ", "鍛冶屋", "why do you ", "it's ", "…", "\u0f73\uff9e",
    "a" + "\u0f73" * 1_900 + "\uff9e" * 4_190,
)  # fmt: skip
_CHARS = (100, 444, 2_000, 7_990)
_MOST_SCHEMA_CHARS = 7_800


def costly(rng: random.Random, session_ids: Sequence[str]) -> Body:
    """A message in one of the open sessions."""
    return rng.choice(_KINDS)(rng, rng.choice(session_ids))


def _words(rng: random.Random) -> str:
    unit, chars = rng.choice(_UNITS), rng.choice(_CHARS)
    return f"{rng.randrange(1_000)} {unit * (chars // len(unit))}"[:chars]


def _said(rng: random.Random, session_id: str) -> Body:
    return {"type": "say", "request_id": _id(rng), "session_id": session_id, "text": _words(rng)}


def _typed(rng: random.Random, session_id: str) -> Body:
    text = rng.choice(("a b ", f"a {rng.randrange(99)} b", _words(rng)))
    return {"type": "typing", "session_id": session_id, "text": text}


def _approached(_rng: random.Random, session_id: str) -> Body:
    return {"type": "approach", "session_id": session_id}


def _asked_for(rng: random.Random, session_id: str) -> Body:
    """A value, of a schema that is sound for as long as it may be: wide, wide in one word each, a tree, or an aside."""
    part: Any = rng.choice(({}, True, {"type": "string"}, {"minLength": 1, "maxLength": 9}))
    many = rng.choice((20, 60, 64, 65, 300, 1_900))
    schema = rng.choice((_listed, _named, _nested, _aside))(part, min(many, _MOST_SCHEMA_CHARS // (len(str(part)) + 9)))
    words = {"type": "say", "request_id": _id(rng), "session_id": session_id, "text": "Write it down."}
    return {**words, "json_schema": schema}


def _listed(part: Any, many: int) -> Body:
    return {"anyOf": [part] * many}


def _named(part: Any, many: int) -> Body:
    return {"type": "object", "properties": {f"{at}": part for at in range(many)}}


def _nested(part: Any, many: int) -> Body:
    return {"allOf": [{"anyOf": [part] * 8}] * (many // 8)}


def _aside(part: Any, many: int) -> Body:
    """In a word that no value is held against, but that the schema of schemas looks into."""
    return {"type": "string", "contentSchema": _listed(part, many)}


def _state(rng: random.Random, _session_id: str) -> Body:
    """Wide or deep: as many values as a message may hold, in as many variables."""
    variables = rng.choice((1, 100, 128, 250))
    value: Any = list(range(rng.choice((1, 19_000 // variables))))
    return {"type": "state", "values": {f"v{at}": rng.choice((value, [value], None)) for at in range(variables)}}


def _id(rng: random.Random) -> str:
    return f"c-{rng.randrange(10**9)}"


_KINDS: tuple[Callable[[random.Random, str], Body], ...] = (
    _said, _said, _typed, _typed, _approached, _approached, _asked_for, _state,
)  # fmt: skip
