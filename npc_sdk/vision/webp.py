"""WebP files: their chunks walked, and the file rebuilt from those that pixels are made of.

Source: RFC 9649 (WebP container), RFC 6386 section 9.1 (VP8 frame header).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from npc_sdk.vision.picture import check_size
from npc_sdk.vision.plain_file import PlainFile, broken, not_taken

MAX_PIXELS = 2_560 * 1_600  # the decoder holds each pixel four times, and all other threads up while it decodes
MAX_CHUNKS = 64
_ALPHA = 0x10
_PIXELS = (b"VP8 ", b"VP8L")


def read_webp(data: bytes) -> PlainFile:
    """Raises: RequestError."""
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    if riff_bytes + 8 > len(data):
        raise broken(f"it says {riff_bytes + 8} bytes and has {len(data)}")
    chunks = list(_chunks(data[: riff_bytes + 8]))
    kinds = [kind for kind, _ in chunks]
    if sum(kinds.count(kind) for kind in _PIXELS) != 1:
        raise broken("it must hold one picture")
    size = _size(*next(chunk for chunk in chunks if chunk[0] in _PIXELS))
    for kind, body in chunks:
        if kind == b"VP8X" and _canvas(body) != size:
            raise broken(f"a picture of {size[0]} × {size[1]} on a canvas of another size")
    return PlainFile(*size, _rebuilt(size, dict(chunks)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Raises: RequestError."""
    at = 12
    for _ in range(MAX_CHUNKS):
        if at >= len(data):
            return
        if at + 8 > len(data):
            raise broken("it ends inside a chunk")
        kind = data[at : at + 4]
        if kind in (b"ANIM", b"ANMF"):
            raise not_taken("an animated WebP", "send one frame of it")
        (length,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length
        if end > len(data):
            raise broken(f"chunk {kind!r} says {length} bytes, more than there are")
        yield kind, data[at + 8 : end]
        at = end + length % 2
    raise broken(f"more than {MAX_CHUNKS} chunks")


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Raises: RequestError."""
    if kind == b"VP8L":
        if len(body) < 5 or body[0] != 0x2F:
            raise broken("a lossless picture without its signature")
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a" or body[0] & 1:
            raise broken("a picture without its start code")
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    check_size(width, height, MAX_PIXELS)
    return width, height


def _canvas(body: bytes) -> tuple[int, int]:
    """Raises: RequestError."""
    if len(body) != 10:
        raise broken(f"VP8X has {len(body)} bytes")
    return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1


def _rebuilt(size: tuple[int, int], chunks: dict[bytes, bytes]) -> bytes:
    """The picture and its alpha, without profiles and camera data."""
    kept = [(kind, chunks[kind]) for kind in (b"ALPH", *_PIXELS) if kind in chunks]
    if b"ALPH" in chunks:
        sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
        kept.insert(0, (b"VP8X", bytes((_ALPHA, 0, 0, 0)) + sides))
    packed = b"".join(kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for kind, body in kept)
    return b"RIFF" + struct.pack("<I", len(packed) + 4) + b"WEBP" + packed
