"""CHARX files: a zip with card.json and assets, opened within bounds and never unpacked to disk.

Source: Character Card V3 specification, "CHARX". Called by cards/source.py.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from npc_sdk.cards.json_reader import MAX_BYTES as MAX_CARD_BYTES
from npc_sdk.errors import ContentError

CARD_NAME = "card.json"
MAX_ASSET_BYTES = 50_000_000
MAX_ARCHIVE_BYTES = 200_000_000
MAX_FILES = 10_000
_MAX_DIRECTORY_BYTES = 4_000_000
_MAX_PICTURE_BYTES = 20_000_000
_END = struct.Struct("<4s4H2LH")  # the record at the end of a zip
_END_SIGN, _LARGE_SIGN = b"PK\x05\x06", b"PK\x06\x07"
_EMBEDDED = re.compile(r"^(?:embeded|embedded)://", re.IGNORECASE)  # the specification spells it so
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class CardArchive:
    """What a CHARX holds: the card's JSON, and the pictures that are asked for by name."""

    path: Path
    card: bytes
    names: tuple[str, ...]

    def picture(self, uri: str) -> bytes | None:
        """The bytes behind an ``embeded://`` address, or None where there is none that can be read."""
        if not _EMBEDDED.match(uri):
            return None
        name = _EMBEDDED.sub("", uri)
        if name not in self.names:
            return None
        with self.path.open("rb") as file:
            return _read(file, name, _MAX_PICTURE_BYTES, self.path)


def read_archive(path: Path) -> CardArchive:
    """Raises: ContentError for whatever is too large, unsafe or not a zip."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size > MAX_ARCHIVE_BYTES:
            raise ContentError(f"the archive has {size:,} bytes", path=path, hint=f"at most {MAX_ARCHIVE_BYTES:,}")
        _check_end(file, size, path)
        infos = _infos(file, path)
        card = _read(file, CARD_NAME, MAX_CARD_BYTES, path) if CARD_NAME in infos else None
    if card is None:
        raise ContentError(f"the archive holds no {CARD_NAME}", path=path, hint="a CHARX file has one at its root")
    return CardArchive(path, card, tuple(infos))


def _check_end(file: BinaryIO, size: int, path: Path) -> None:
    """Bounds the directory before the library reads it: a lying one could fill the memory."""
    start = max(0, size - _END.size - 0xFFFF - 20)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END_SIGN)
    if at < 0 or at + _END.size > len(tail):
        raise ContentError("not a zip file: its directory is missing", path=path, hint="the file may be cut off")
    _, _, _, _, count, directory_bytes, _, _ = _END.unpack_from(tail, at)
    if _LARGE_SIGN in tail[max(0, at - 20) : at]:
        raise ContentError("the archive is of the kind zip64", path=path, hint="pack it again without")
    if count > MAX_FILES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise ContentError(f"the archive lists {count:,} files", path=path, hint=f"at most {MAX_FILES:,}")


def _infos(file: BinaryIO, path: Path) -> Mapping[str, zipfile.ZipInfo]:
    with _opened(file, path) as archive:
        listed = archive.infolist()
    if len(listed) > MAX_FILES:
        raise ContentError(f"the archive holds {len(listed):,} files", path=path, hint=f"at most {MAX_FILES:,}")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in listed:
        _check_member(info, path)
        if info.filename in found:
            raise ContentError("the archive holds this name twice", path=path, field=_shown(info.filename))
        found[info.filename] = info
    total = sum(info.file_size for info in listed)
    if total > MAX_ARCHIVE_BYTES:
        told = f"the archive unpacks to {total:,} bytes"
        raise ContentError(told, path=path, hint=f"at most {MAX_ARCHIVE_BYTES:,}")
    return found


def _check_member(info: zipfile.ZipInfo, path: Path) -> None:
    name = info.filename
    limit = MAX_CARD_BYTES if name == CARD_NAME else MAX_ASSET_BYTES
    if _is_unsafe(name) or _is_unsafe(info.orig_filename):
        raise _member_error("this name leads out of the archive", info, path)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _member_error("this is a link", info, path, "pack the file that it leads to")
    if info.flag_bits & _ENCRYPTED:
        raise _member_error("this is encrypted", info, path, "pack it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _member_error("this is packed in an unusual way", info, path, "use deflate, the usual one")
    if info.file_size > limit:
        raise _member_error(f"this unpacks to {info.file_size:,} bytes", info, path, f"at most {limit:,}")


def _is_unsafe(name: str) -> bool:
    steps = name.replace("\\", "/").split("/")
    return name.startswith("/") or "\\" in name or "\0" in name or ".." in steps or ":" in steps[0]


def _read(file: BinaryIO, name: str, limit: int, path: Path) -> bytes:
    """At most limit bytes, whatever the directory says about the size."""
    try:
        with _opened(file, path) as archive, archive.open(name) as member:
            data = member.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as exc:
        raise ContentError("this cannot be unpacked", path=path, field=name, hint="the file was damaged") from exc
    if len(data) > limit:
        raise ContentError(f"this unpacks to more than {limit:,} bytes", path=path, field=name)
    return data


def _opened(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError, EOFError) as exc:
        raise ContentError(f"not a zip file that can be read: {exc}", path=path) from exc


def _member_error(told: str, info: zipfile.ZipInfo, path: Path, hint: str = "") -> ContentError:
    return ContentError(told, path=path, field=_shown(info.filename), hint=hint)


def _shown(name: str) -> str:
    """A name from a stranger, on one line and short."""
    return repr(name[:80])[1:-1]
