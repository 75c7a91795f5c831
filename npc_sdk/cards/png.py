"""PNG files that carry a card: the text chunks read within bounds, a card's text put into a picture.

Pillow is not asked for text: it would read all of it. Source: PNG specification (ISO/IEC 15948), sections 5 and 11.3.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from npc_sdk.cards.json_reader import MAX_BYTES
from npc_sdk.errors import ContentError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CARD_KEYWORDS = ("ccv3", "chara")  # the first that is there is read
ASSET_PREFIX = "chara-ext-asset_"

MAX_CHUNKS = 20_000
MAX_TEXT_BYTES = 16_000_000  # of one text chunk, also when unpacked
_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
_PICTURE_KINDS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


@dataclass(frozen=True, slots=True)
class CardPicture:
    """What a PNG carries: the card's JSON, the picture without any text, and what else was there."""

    card: bytes
    picture: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    body: memoryview
    crc: int
    start: int


def read_card_picture(data: bytes, path: Path) -> CardPicture:
    """Raises: ContentError where the file is broken, or carries no card."""
    texts: dict[str, bytes] = {}
    notes: list[str] = []
    picture = [SIGNATURE]
    assets = 0
    for chunk in _chunks(data, path):
        if chunk.kind in _PICTURE_KINDS:
            picture.append(_packed(chunk.kind, chunk.body))
        if chunk.kind not in _TEXT_KINDS:
            continue
        keyword, rest = _keyword(chunk)
        assets += keyword.startswith(ASSET_PREFIX)
        if keyword in CARD_KEYWORDS and keyword in texts:
            notes.append(f"a second text {keyword!r}; the first one is read")
        elif keyword in CARD_KEYWORDS:
            texts[keyword] = _text(chunk, rest, path)
    if assets:
        notes.append(f"{assets:,} assets in text chunks; only the picture itself is taken")
    chosen = next((keyword for keyword in CARD_KEYWORDS if keyword in texts), None)
    if chosen is None:
        told = "the picture carries no card"
        raise ContentError(told, path=path, hint="a card's PNG has a text named 'ccv3' or 'chara'")
    if len(texts) > 1:
        notes.append("both a 'ccv3' and a 'chara' text; 'ccv3' is read")
    return CardPicture(_decoded(texts[chosen], chosen, path), b"".join(picture), tuple(notes))


def picture_with_card(picture: bytes, card: bytes, keyword: str) -> bytes:
    """The picture, a PNG, with the card's JSON under the keyword and no other text."""
    path = Path("portrait.png")
    coded = base64.b64encode(card)
    out = [SIGNATURE]
    for chunk in _chunks(picture, path):
        if chunk.kind == b"IEND":
            out.append(_packed(b"tEXt", keyword.encode() + b"\0" + coded))
        if chunk.kind in _PICTURE_KINDS:
            out.append(_packed(chunk.kind, chunk.body))
    return b"".join(out)


def _chunks(data: bytes, path: Path) -> Iterator[_Chunk]:
    """Raises: ContentError where a chunk reaches beyond the file."""
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            raise ContentError(f"the picture ends in the middle, at byte {len(data):,}", path=path)
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            told = f"a part of the picture says that it has {length:,} bytes, at byte {at:,}, and the file is shorter"
            raise ContentError(told, path=path, field=_kind_name(kind))
        yield _Chunk(kind, view[at + 8 : end], struct.unpack_from(">I", data, end)[0], at)
        if kind == b"IEND":
            return
        at = end + 4
    raise ContentError(f"the picture has more than {MAX_CHUNKS:,} parts", path=path)


def _keyword(chunk: _Chunk) -> tuple[str, bytes]:
    """The name of a text, and what follows it; a name has at most 79 characters, an asset's may be a path."""
    head = bytes(chunk.body[:400])
    name, found, _ = head.partition(b"\0")
    return (name.decode("latin-1"), bytes(chunk.body[len(name) + 1 :])) if found else ("", b"")


def _text(chunk: _Chunk, rest: bytes, path: Path) -> bytes:
    name = _kind_name(chunk.kind)
    if len(rest) > MAX_TEXT_BYTES:
        raise ContentError(
            f"the text has {len(rest):,} bytes", path=path, field=name, hint=f"at most {MAX_TEXT_BYTES:,}"
        )
    if zlib.crc32(chunk.body, zlib.crc32(chunk.kind)) != chunk.crc:
        told = f"the checksum of the text at byte {chunk.start:,} is wrong"
        raise ContentError(told, path=path, field=name, hint="the file was damaged; fetch it again")
    if chunk.kind == b"tEXt":
        return rest
    if chunk.kind == b"zTXt":
        return _unpacked(rest[1:], path, name)
    body = rest[2:].split(b"\0", 2)[-1]  # after two flags, the language and the translated keyword
    return _unpacked(body, path, name) if rest[:1] == b"\x01" else body


def _unpacked(packed: bytes, path: Path, name: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        out = unpacker.decompress(packed, MAX_TEXT_BYTES + 1)
    except zlib.error as exc:
        raise ContentError("the packed text cannot be unpacked", path=path, field=name) from exc
    if len(out) > MAX_TEXT_BYTES:
        raise ContentError(f"the text unpacks to more than {MAX_TEXT_BYTES:,} bytes", path=path, field=name)
    return out


def _decoded(text: bytes, keyword: str, path: Path) -> bytes:
    """The JSON inside; some programs write it as it is."""
    text = text.strip()
    if text.startswith(b"{"):
        return text
    try:
        card = base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ContentError("the card's text is not base64", path=path, field=keyword) from exc
    if len(card) > MAX_BYTES:
        told = f"the card's JSON has {len(card):,} bytes"
        raise ContentError(told, path=path, field=keyword, hint=f"at most {MAX_BYTES:,}")
    return card


def _packed(kind: bytes, body: bytes | memoryview) -> bytes:
    crc = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + bytes(body) + struct.pack(">I", crc)


def _kind_name(kind: bytes) -> str:
    return kind.decode("latin-1").encode("ascii", "backslashreplace").decode()
