"""A picture as engines get it: plain RGB pixels, and the raw form in which pixels travel, with its limits.

Knows no file format and not Pillow. Source of the raw form: game_bridge/PROTOCOL.md, "Pictures".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from npc_sdk.errors import RequestError
from npc_sdk.messages import ImagePart

RGB, RGBA = "image/x-rgb8", "image/x-rgba8"
CHANNELS = {RGB: 3, RGBA: 4}
MAX_SIDE = 8_192
MAX_PIXELS = 4_096 * 4_096
_HEADER = struct.Struct(">III")


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes: pixels is (height, width, 3) bytes without gaps, the top row first."""

    width: int
    height: int
    pixels: bytes = field(repr=False)

    def part(self) -> ImagePart:
        """The same as a message carries it."""
        header = _HEADER.pack(self.width, self.height, 3 * self.width)
        return ImagePart(RGB, header + self.pixels)


@dataclass(frozen=True, slots=True)
class RawPixels:
    """Pixels with gaps behind their rows, not yet copied. Units: stride is bytes from one row to the next."""

    width: int
    height: int
    stride: int
    rows: memoryview


def read_raw(data: bytes, channels: int) -> RawPixels:
    """Raises: RequestError."""
    if len(data) < _HEADER.size:
        raise RequestError(
            f"{len(data)} bytes of raw pixels, less than their header",
            hint="three big-endian numbers of 4 bytes come first: width, height, stride",
        )
    width, height, stride = _HEADER.unpack_from(data)
    check_size(width, height)
    if stride < width * channels:
        raise RequestError(
            f"a stride of {stride} bytes for {width} pixels of {channels} bytes", hint="a row must fit in its stride"
        )
    expected = _HEADER.size + stride * height
    if len(data) != expected:
        raise RequestError(
            f"{len(data)} bytes of raw pixels where {height} rows of {stride} bytes take {expected}",
            hint="send every row in full, the padding of the last one too",
        )
    return RawPixels(width, height, stride, memoryview(data)[_HEADER.size :])


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Raises: RequestError for a size that no screenshot has."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise RequestError(f"{width} × {height} pixels", hint=f"a side has 1 to {MAX_SIDE} pixels")
    if width * height > max_pixels:
        raise RequestError(
            f"{width} × {height} pixels are more than {max_pixels}", hint="make the picture smaller before it is sent"
        )
