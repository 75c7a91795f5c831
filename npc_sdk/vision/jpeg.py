"""JPEG files: their segments walked up to the pixels, comments and camera data left out, costly kinds refused.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import struct

from npc_sdk.vision.picture import check_size
from npc_sdk.vision.plain_file import PlainFile, broken, not_taken

MAX_PROGRESSIVE_PIXELS = 2_560 * 1_600  # these take several times as long, and 6 bytes a pixel beside the picture
MAX_SCANS = 16  # encoders write about ten; each goes over the whole picture once more
MAX_SEGMENTS = 256
MAX_FILL_BYTES = 64  # before a marker; the standard allows any number, encoders write none
_SOI, _EOI, _SOS, _APP14 = 0xD8, 0xD9, 0xDA, 0xEE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = 0xC2
_TAKEN = (0xC0, 0xC1, _PROGRESSIVE)
_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a segment
# ADOBE tells how colours are coded; everything else that applications write is left out
_KEPT = {_APP14, 0xC4, 0xDB, 0xDD, *_TAKEN}


def read_jpeg(data: bytes) -> PlainFile:
    """Raises: RequestError."""
    kept: list[bytes] = [data[:2]]
    at, size = 2, None
    for _ in range(MAX_SEGMENTS):
        kind, at = _marker(data, at)
        if kind in _BARE:
            continue
        if kind in (_SOI, _EOI):
            raise broken("it ends before its pixels")
        end = _end(data, at, kind)
        if kind in _FRAMES:
            if size is not None:
                raise broken("two frames")
            size = _read_frame(kind, data[at + 2 : end])
        if kind == _SOS:
            break
        if kind in _KEPT:
            kept.append(data[at - 2 : end])
        at = end
    else:
        raise broken(f"more than {MAX_SEGMENTS} segments before its pixels")
    if size is None:
        raise broken("pixels without a frame")
    pixels = data[at - 2 :]
    _check_pixels(pixels)
    return PlainFile(*size, b"".join([*kept, pixels]))


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The next marker and where its segment begins. Raises: RequestError."""
    if data[at : at + 1] != b"\xff":
        raise broken("a marker is missing")
    fill = data[at : at + 1 + MAX_FILL_BYTES]
    at += len(fill) - len(fill.lstrip(b"\xff"))
    if data[at : at + 1] in (b"", b"\xff"):
        raise broken("a marker does not end")
    return data[at], at + 1


def _end(data: bytes, at: int, kind: int) -> int:
    """Raises: RequestError."""
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2 or at + length > len(data):
        raise broken(f"segment {kind:#x} says {length} bytes")
    return at + length


def _read_frame(kind: int, body: bytes) -> tuple[int, int]:
    """Width and height. Raises: RequestError."""
    if len(body) < 6:
        raise broken(f"a frame of {len(body)} bytes")
    depth, height, width, channels = struct.unpack_from(">BHHB", body)
    if kind not in _TAKEN:
        raise not_taken(f"a JPEG of kind {kind:#x}", "send a baseline or a progressive one")
    if depth != 8 or channels not in (1, 3):
        raise not_taken(f"a JPEG of {channels} channels of {depth} bits", "send grey or colour, 8 bits each")
    if kind == _PROGRESSIVE:
        check_size(width, height, MAX_PROGRESSIVE_PIXELS)
    else:
        check_size(width, height)
    return width, height


def _check_pixels(pixels: bytes) -> None:
    """Inside pixels a zero follows every ff, so that these are markers and nothing else. Raises: RequestError."""
    if bytes((0xFF, _EOI)) not in pixels:
        raise broken("it ends inside its pixels")
    scans = pixels.count(bytes((0xFF, _SOS)))
    if scans > MAX_SCANS:
        raise not_taken(f"a JPEG of {scans} scans", f"send a baseline one, or one of at most {MAX_SCANS}")
