"""PNG files: checked chunk by chunk, and rebuilt from those that pixels are made of.

Text, profiles, camera data and animation never reach a decoder, so nothing of them can be large once unpacked.
Source: PNG specification (ISO/IEC 15948), sections 5 and 11.2.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from npc_sdk.vision.picture import check_size
from npc_sdk.vision.plain_file import PlainFile, broken, not_taken

MAX_PIXELS = 4_096 * 2_176  # a 4K screen; unpacking twice as many takes longer than a refusal may
MAX_CHUNKS = 20_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_UNPACKED = 1_032  # bytes that one byte of deflate can stand for
_MAX_ROW_BYTES = 4  # a pixel, on average


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview
    whole: memoryview


def read_png(data: bytes) -> PlainFile:
    """Raises: RequestError."""
    kept = [_SIGNATURE]
    packed_bytes = 0
    head: tuple[int, int, int] | None = None
    for chunk in _chunks(data):
        if chunk.kind == b"acTL":
            raise not_taken("an animated PNG", "send one frame of it")
        if chunk.kind not in _KEPT:
            continue
        if (head is None) != (chunk.kind == b"IHDR"):
            raise broken("IHDR must come first, and once")
        head = head or _read_head(chunk.body)
        packed_bytes += len(chunk.body) if chunk.kind == b"IDAT" else 0
        kept.append(bytes(chunk.whole))
    if head is None or kept[-1][4:8] != b"IEND":
        raise broken("it ends before IEND")
    width, height, unpacked_bytes = head
    if packed_bytes * _MOST_UNPACKED < unpacked_bytes:
        raise broken(f"{packed_bytes} bytes of pixels cannot be {width} × {height}")
    return PlainFile(width, height, b"".join(kept))


def _read_head(body: memoryview) -> tuple[int, int, int]:
    """Width, height and the bytes of all rows once unpacked. Raises: RequestError."""
    if len(body) != 13:
        raise broken(f"IHDR has {len(body)} bytes")
    width, height, depth, colour, packing, filtering, lacing = struct.unpack(">IIBBBBB", body)
    check_size(width, height, MAX_PIXELS)
    if depth not in _DEPTHS.get(colour, ()) or (packing, filtering) != (0, 0) or lacing > 1:
        raise broken(f"IHDR says depth {depth}, colour {colour}, {packing}, {filtering}, {lacing}")
    unpacked_bytes = height * (1 + (width * _CHANNELS[colour] * depth + 7) // 8)
    if unpacked_bytes > MAX_PIXELS * _MAX_ROW_BYTES + height:
        raise not_taken(f"a PNG of {unpacked_bytes} bytes of pixels", "send 8 bits a channel, or fewer pixels")
    return width, height, unpacked_bytes


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Up to and with IEND; what stands behind it is no part of the picture. Raises: RequestError."""
    view, at = memoryview(data), len(_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at == len(data):
            return
        if at + 12 > len(data):
            raise broken("it ends inside a chunk")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise broken(f"chunk {kind!r} says {length} bytes, more than there are")
        if kind in _KEPT and zlib.crc32(view[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise broken(f"the checksum of chunk {kind!r} is wrong")
        yield _Chunk(kind, view[at + 8 : end - 4], view[at:end])
        if kind == b"IEND":
            return
        at = end
    raise broken(f"more than {MAX_CHUNKS} chunks")
