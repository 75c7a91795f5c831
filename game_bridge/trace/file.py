"""The file of a trace: a header, then a record a message, all msgpack, written as they come. Knows no message.

A record is ``[seconds, connection, kind, frames]``. A picture that was left out stands there as its size, a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TypeAlias, get_args

import msgpack

from npc_sdk.errors import ContentError, SettingsError

Kind: TypeAlias = Literal["open", "client", "server", "close"]
VERSION = 1
_FORMAT = "npc-bridge trace"
_KINDS = frozenset(get_args(Kind))
_MAX_RECORD_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """One message, or that a connection opened or closed. Units: seconds since the recording began."""

    at_s: float
    connection: int
    kind: Kind
    frames: tuple[bytes | int, ...] = ()


class TraceWriter:
    """``with TraceWriter(path) as trace: trace.add(record)``. Every record is in the file before the next one comes.

    Nothing is made or replaced before the block begins. Raises: SettingsError where the file cannot be written, or is
    there already and may not be replaced.
    """

    def __init__(self, path: Path, *, has_pictures: bool = True, replaces: bool = False) -> None:
        self._path = path
        self._has_pictures = has_pictures
        self._replaces = replaces
        self._pack = msgpack.Packer().pack
        self._file: BinaryIO | None = None

    def add(self, record: Record) -> None:
        """One more record."""
        frames: list[bytes | int] = list(record.frames)
        if not self._has_pictures:
            frames[1:] = [len(frame) if isinstance(frame, bytes) else frame for frame in frames[1:]]
        self._write([record.at_s, record.connection, record.kind, frames])

    def __enter__(self) -> Self:
        self._file = _open(self._path, self._replaces)
        self._write({"format": _FORMAT, "version": VERSION, "has_pictures": self._has_pictures})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, value: object) -> None:
        assert self._file is not None, "open within the block"
        self._file.write(self._pack(value))
        self._file.flush()


def read_trace(path: Path) -> Iterator[Record]:
    """The records of a file, as they are read. Raises: ContentError with the place, SettingsError for no such file."""
    try:
        file = path.open("rb")
    except OSError as exc:
        raise SettingsError(f"cannot read the trace {str(path)!r}: {exc}", hint="name another file") from exc
    with file:
        values = _values(path, file)
        _check_header(path, next(values, (0, None))[1])
        for number, (at, value) in enumerate(values, 1):
            yield _record(path, number, at, value)


def _values(path: Path, file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Each value with the byte where it begins. Raises: ContentError where the file ends within one, or is none."""
    unpacker = msgpack.Unpacker(file, max_buffer_size=_MAX_RECORD_BYTES, raw=False)
    number = 0
    while True:
        at = unpacker.tell()
        try:
            value = unpacker.unpack()
        except msgpack.OutOfData:
            if at < path.stat().st_size:
                _refuse(path, number, at, "the file ends in the middle of it", "the recording was cut off")
            return
        except (ValueError, TypeError) as exc:
            _refuse(path, number, at, f"it is no msgpack: {exc}", "was the file made by npc-bridge trace record?")
        yield at, value
        number += 1


def _check_header(path: Path, header: object) -> None:
    """Raises: ContentError."""
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise ContentError("is no trace", path=path, hint="npc-bridge trace record makes one")
    if header.get("version") != VERSION:
        message = f"is a trace of version {header.get('version')!r}"
        raise ContentError(message, path=path, hint=f"this program reads version {VERSION}")


def _record(path: Path, number: int, at: int, value: object) -> Record:
    """Raises: ContentError for one that does not have the shape."""
    match value:
        case [int() | float() as at_s, int() as connection, str() as kind, [*frames]] if kind in _KINDS:
            if all(isinstance(frame, bytes | int) for frame in frames):
                return Record(float(at_s), connection, kind, tuple(frames))  # type: ignore[arg-type]
    _refuse(path, number, at, f"{str(value)[:80]!r} is no record", "the file is damaged")
    raise AssertionError("refused above")


def _refuse(path: Path, number: int, at: int, what: str, hint: str) -> None:
    place = f"record {number}, byte {at}" if number else f"header, byte {at}"
    raise ContentError(what, path=path, field=place, hint=hint)


def _open(path: Path, replaces: bool) -> BinaryIO:
    try:
        return path.open("wb" if replaces else "xb")
    except OSError as exc:
        is_trace = isinstance(exc, FileExistsError) and path.is_file()
        hint = "name another file, or replace it with --force" if is_trace else "name another file"
        raise SettingsError(f"cannot write the trace {str(path)!r}: {exc}", hint=hint) from exc
