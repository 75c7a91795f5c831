"""The pixels of a PNG file, unpacked piece by piece to see that they are whole, and thrown away.

Unpacking is the cheaper half of decoding: a file that is cut or wrong at its very end is refused for that price.
Knows no chunks. Called by png.py. Source: PNG specification (ISO/IEC 15948), sections 7, 8 and 9; RFC 1950.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from npc_sdk.vision.plain_file import broken

_PIECE, _BLOCK = 2**16, 2**20  # bytes fed and bytes got at once
_MOST_PACKED = 2  # times what it unpacks to; encoders stay near 1 with noise, where blocks of nothing have no end
_MOST_AHEAD = 2 * _PIECE
_LAST_FILTER = 4
# of a laced picture: the first column and row of each pass, and the steps to the next ones
_LACES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Rows(NamedTuple):
    """Rows of one length. Units: row_bytes with the one in front that names the row's filter."""

    row_bytes: int
    row_count: int


def rows_of(width: int, height: int, pixel_bits: int, *, is_laced: bool) -> list[Rows]:
    """What the pixels of a picture are unpacked to, in its order."""
    found = []
    for left, top, right_by, down_by in _LACES if is_laced else ((0, 0, 1, 1),):
        columns, row_count = -((left - width) // right_by), -((top - height) // down_by)
        if columns > 0 and row_count > 0:
            found.append(Rows(1 + (columns * pixel_bits + 7) // 8, row_count))
    return found


def check_pixels(packed: Iterable[memoryview], rows: Iterable[Rows]) -> None:
    """Mutates: nothing. Raises: RequestError for pixels that are more or fewer than the rows take, or are none."""
    runs, end = [], 0
    for row_bytes, row_count in rows:
        start, end = end, end + row_bytes * row_count
        runs.append(range(start, end, row_bytes))
    at = 0
    for block in _unpacked(packed):
        if at + len(block) > end:
            raise broken(f"its pixels are more than the {end} bytes that its size takes")
        if any(max(_every(run, block, at), default=0) > _LAST_FILTER for run in runs):
            raise broken("its pixels have a filter that is none")
        at += len(block)
    if at < end:
        raise broken(f"its pixels end after {at} of {end} bytes")


def _every(run: range, block: bytes, at: int) -> bytes:
    """The bytes of a block, which begins at a place in the whole, that stand in the places of a run."""
    first = run.start + max(0, -((run.start - at) // run.step)) * run.step - at
    return block[first : max(first, run.stop - at) : run.step]


def _unpacked(packed: Iterable[memoryview]) -> Iterator[bytes]:
    """Raises: RequestError."""
    unpacker, fed, got = zlib.decompressobj(), 0, 0
    for piece in (body[start : start + _PIECE] for body in packed for start in range(0, len(body), _PIECE)):
        for block in _blocks(unpacker, piece):
            got += len(block)
            yield block
        fed += len(piece)
        if unpacker.eof:
            return
        if fed > _MOST_PACKED * got + _MOST_AHEAD:
            raise broken(f"{fed} bytes of packed pixels unpack to {got}")
    raise broken("its pixels end too early")


def _blocks(unpacker: zlib._Decompress, piece: bytes | memoryview) -> Iterator[bytes]:
    """What one piece unpacks to. Raises: RequestError."""
    is_more = True
    while is_more and not unpacker.eof:
        try:
            block = unpacker.decompress(piece, _BLOCK)
        except zlib.error as exc:
            raise broken(f"its pixels cannot be unpacked: {exc}") from exc
        piece = unpacker.unconsumed_tail
        is_more = bool(piece) or len(block) == _BLOCK
        yield block
