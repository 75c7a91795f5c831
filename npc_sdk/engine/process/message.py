"""What the two processes say to each other, and its bytes: a length, then one msgpack array of a name and fields.

The child is ours, so this guards against accidents (a broken pipe, a print that got in between), not against malice;
even so nothing is ever unpickled. Knows no pipes. Called by both sides.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, get_args

import msgpack
from pydantic import TypeAdapter, ValidationError

from npc_sdk import errors
from npc_sdk.engine.interface import EngineInfo, Generated
from npc_sdk.engine.stats import EngineStats, LifeStats
from npc_sdk.errors import EngineCrashed, EngineError, NpcError, RequestError
from npc_sdk.events import Usage
from npc_sdk.requests import GenerateRequest, PrefillRequest, Segment

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # the largest request: a window of text and a few pictures as they were encoded
HEADER = struct.Struct("!I")
_BIG_INT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """The first message: what the engine is made from."""

    arguments: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """Begin a reply; number is unique among all runs of the parent's life."""

    number: int
    request: GenerateRequest


@dataclasses.dataclass(frozen=True, slots=True)
class Prefill:
    """Compute a front."""

    number: int
    request: PrefillRequest


@dataclasses.dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the engine to end a run, which then says how it ended."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Drop:
    """Nobody listens to a run any more."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Forget:
    """Throw away what is kept of a front."""

    front: tuple[Segment, ...]
    kept: tuple[Segment, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """The game took so long for a frame."""

    frame_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """An error on its way: the name of its class, and what it says."""

    kind: str
    message: str
    hint: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the model is loaded."""

    done: int
    total: int
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded."""

    info: EngineInfo


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The model cannot be loaded, or not be used any longer; the child ends after this."""

    fault: Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Text of a run, whole code points."""

    number: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """A reply's last item."""

    number: int
    end: Generated


@dataclasses.dataclass(frozen=True, slots=True)
class Filled:
    """A front is computed."""

    number: int
    usage: Usage


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A run ended with an error."""

    number: int
    fault: Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Beat:
    """A life sign: how far the model is, whether a step is due, and whether it has anything. stats where they changed.

    Units: at_s is the child's own clock, so that what delays a message counts for no step; effort_s is as Effort's.
    """

    at_s: float
    effort_s: float
    life: LifeStats
    is_busy: bool
    has_work: bool
    stats: EngineStats | None = None


ToChild: TypeAlias = Load | Stream | Prefill | Cancel | Drop | Forget | Frame
ToParent: TypeAlias = Progress | Ready | Refused | Said | Ended | Filled | Failed | Beat
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*get_args(ToChild), *get_args(ToParent))}
_ERRORS: dict[str, type[NpcError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, NpcError) and kind is not errors.ContentError
}


def encode(message: ToChild | ToParent) -> bytes:
    """A message with its length in front. Raises: RequestError for what cannot be sent."""
    fields = [getattr(message, field.name) for field in dataclasses.fields(message)]
    try:
        body = msgpack.packb([type(message).__name__, *fields], default=_plain)
    except UnicodeEncodeError as exc:
        raise RequestError("the prompt holds half a character", hint="give text that is valid Unicode") from exc
    except (TypeError, ValueError, OverflowError) as exc:
        raise RequestError(f"the request cannot be handed on: {exc}", hint="give plain values") from exc
    if len(body) > MAX_MESSAGE_BYTES:
        hint = f"at most {MAX_MESSAGE_BYTES} are taken: send fewer or smaller pictures"
        raise RequestError(f"the request takes {len(body)} bytes", hint=hint)
    return HEADER.pack(len(body)) + bytes(body)


def body_length(header: bytes) -> int:
    """How many bytes follow. Raises: EngineCrashed for more than any message has."""
    (length,) = HEADER.unpack(header)
    if length > MAX_MESSAGE_BYTES:
        raise _garbled(f"a message of {length} bytes was announced")
    return int(length)


def decode(body: bytes) -> Any:
    """The message that a body holds; callers match on its kind. Raises: EngineCrashed for anything else."""
    try:
        name, *values = msgpack.unpackb(body, ext_hook=_extension, strict_map_key=False)
        names = [field.name for field in dataclasses.fields(_KINDS[name])]
        return _reader(name).validate_python(dict(zip(names, values, strict=True)))
    except (ValueError, TypeError, KeyError, RecursionError, msgpack.UnpackException) as exc:
        raise _garbled(_first_words(exc)) from exc


def fault_of(error: Exception) -> Fault:
    """An error as a message; a foreign one as EngineCrashed."""
    if isinstance(error, NpcError) and type(error).__name__ in _ERRORS:
        return Fault(type(error).__name__, error.message, error.hint)
    kind = EngineError if isinstance(error, NpcError) else EngineCrashed
    return Fault(kind.__name__, f"{type(error).__name__}: {error}", "see the log of the model's process")


def error_of(fault: Fault) -> NpcError:
    """The error that a message stands for."""
    return _ERRORS.get(fault.kind, EngineError)(fault.message, hint=fault.hint)


@cache
def _reader(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[name])


def _plain(value: object) -> object:
    """What msgpack cannot pack, as what it can. Raises: TypeError."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, int):  # beyond 64 bits
        return msgpack.ExtType(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    raise TypeError(f"a {type(value).__name__} is no plain value")


def _extension(code: int, data: bytes) -> int:
    if code != _BIG_INT:
        raise ValueError(f"no value has the code {code}")
    return int.from_bytes(data, "big", signed=True)


def _garbled(what: str) -> EngineCrashed:
    return EngineCrashed(f"the model's process and this one do not understand each other: {what}", hint="ask again")


def _first_words(exc: Exception) -> str:
    if isinstance(exc, ValidationError):
        error = exc.errors()[0]
        return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
    return f"{type(exc).__name__}: {exc}"[:200]
