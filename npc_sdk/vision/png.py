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
from npc_sdk.vision.png_pixels import Rows, check_pixels, rows_of

MAX_PIXELS = 4_096 * 2_176  # a 4K screen; unpacking twice as many takes longer than a refusal may
MAX_CHUNKS = 20_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # in their order; only IDAT may come more than once
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PALETTE = 3
_KEY_BYTES = {0: 2, 2: 6}  # of tRNS by colour type, where it is the one colour that can be seen through
_MOST_COLOURS = 256
_MOST_UNPACKED = 1_032  # bytes that one byte of deflate can stand for
_MAX_ROW_BYTES = 4  # a pixel, on average


class _Chunk(NamedTuple):
    kind: bytes
    body: memoryview
    whole: memoryview


class _Head(NamedTuple):
    width: int
    height: int
    colour: int
    rows: list[Rows]


def read_png(data: bytes) -> PlainFile:
    """Raises: RequestError."""
    chunks = _kept_chunks(data)
    if not chunks or chunks[-1].kind != b"IEND":
        raise broken("it ends before IEND")
    head = _read_head(chunks[0].body)
    _check_colours(head.colour, {chunk.kind: len(chunk.body) for chunk in chunks})
    packed = [chunk.body for chunk in chunks if chunk.kind == b"IDAT"]
    packed_bytes = sum(map(len, packed))
    if packed_bytes * _MOST_UNPACKED < sum(rows.row_bytes * rows.row_count for rows in head.rows):
        raise broken(f"{packed_bytes} bytes of pixels cannot be {head.width} × {head.height}")
    check_pixels(packed, head.rows)
    return PlainFile(head.width, head.height, b"".join([_SIGNATURE, *(chunk.whole for chunk in chunks)]))


def _kept_chunks(data: bytes) -> list[_Chunk]:
    """Those that pixels are made of, in the order they must have. Raises: RequestError."""
    kept: list[_Chunk] = []
    for chunk in _chunks(data):
        if chunk.kind == b"acTL":
            raise not_taken("an animated PNG", "send one frame of it")
        if chunk.kind not in _KEPT:
            continue
        if (not kept) != (chunk.kind == b"IHDR"):
            raise broken("IHDR must come first, and once")
        if kept and chunk.kind != b"IDAT" and _KEPT.index(chunk.kind) <= _KEPT.index(kept[-1].kind):
            raise broken(f"chunk {chunk.kind!r} stands behind {kept[-1].kind!r}")
        kept.append(chunk)
    return kept


def _read_head(body: memoryview) -> _Head:
    """Raises: RequestError."""
    if len(body) != 13:
        raise broken(f"IHDR has {len(body)} bytes")
    width, height, depth, colour, packing, filtering, lacing = struct.unpack(">IIBBBBB", body)
    check_size(width, height, MAX_PIXELS)
    if depth not in _DEPTHS.get(colour, ()) or (packing, filtering) != (0, 0) or lacing > 1:
        raise broken(f"IHDR says depth {depth}, colour {colour}, {packing}, {filtering}, {lacing}")
    pixel_bits = _CHANNELS[colour] * depth
    unpacked_bytes = height * (1 + (width * pixel_bits + 7) // 8)
    if unpacked_bytes > MAX_PIXELS * _MAX_ROW_BYTES + height:
        raise not_taken(f"a PNG of {unpacked_bytes} bytes of pixels", "send 8 bits a channel, or fewer pixels")
    return _Head(width, height, colour, rows_of(width, height, pixel_bits, is_laced=bool(lacing)))


def _check_colours(colour: int, lengths: dict[bytes, int]) -> None:
    """lengths are those of the chunks. Raises: RequestError for a palette or transparency that cannot be."""
    palette_bytes, key_bytes = lengths.get(b"PLTE"), lengths.get(b"tRNS")
    if palette_bytes is None and colour == _PALETTE:
        raise broken("its palette is missing")
    if palette_bytes is not None and (palette_bytes % 3 or not 3 <= palette_bytes <= 3 * _MOST_COLOURS):
        raise broken(f"a palette of {palette_bytes} bytes")
    if key_bytes is None:
        return
    colours = (palette_bytes or 0) // 3
    fits = 1 <= key_bytes <= colours if colour == _PALETTE else key_bytes == _KEY_BYTES.get(colour)
    if not fits:
        of = f"{colours} colours" if colour == _PALETTE else f"colour {colour}"
        raise broken(f"tRNS has {key_bytes} bytes for {of}")


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
