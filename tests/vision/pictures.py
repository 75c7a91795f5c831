"""Small pictures in every form: four corners of four colours, so that rows and channels cannot be mixed up unseen."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

from npc_sdk.messages import ImagePart
from npc_sdk.vision.picture import Picture

RED, GREEN, BLUE, WHITE = (250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 240)
CORNERS = (RED, GREEN, BLUE, WHITE)


def corners(width: int = 200, height: int = 100, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (width, height))
    for index, colour in enumerate(CORNERS):
        left, top = index % 2 * (width // 2), index // 2 * (height // 2)
        image.paste(colour, (left, top, left + width // 2 + 1, top + height // 2 + 1))
    return image.quantize(8) if mode == "P" else image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def part(kind: str, image: Image.Image | None = None, **options: Any) -> ImagePart:
    return ImagePart(f"image/{kind.lower()}", encoded(image or corners(), kind, **options))


def raw(image: Image.Image, padding: int = 0) -> ImagePart:
    """padding is the bytes behind each row."""
    channels = len(image.mode)
    rows, stride = image.tobytes(), image.width * channels
    padded = b"".join(rows[at : at + stride] + b"\xee" * padding for at in range(0, len(rows), stride))
    media_type = {3: "image/x-rgb8", 4: "image/x-rgba8"}[channels]
    return ImagePart(media_type, struct.pack(">III", image.width, image.height, stride + padding) + padded)


def corner_pixels(picture: Picture) -> list[tuple[int, ...]]:
    last = 3 * (picture.width - 1)
    rows = (0, 3 * picture.width * (picture.height - 1))
    return [tuple(picture.pixels[row + at : row + at + 3]) for row in rows for at in (0, last)]


def is_near(found: tuple[int, ...], wanted: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_head(width: int, height: int, depth: int = 8, colour: int = 2, lacing: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lacing))


def png(*chunks: bytes) -> bytes:
    return b"".join((b"\x89PNG\r\n\x1a\n", *chunks, png_chunk(b"IEND", b"")))


class Watched:
    """A PNG picture that is handed out once, and tells when nobody holds it any more."""

    def __init__(self, data: bytes) -> None:
        self.is_gone = False
        self._data = [_Told(data)]
        self._data[0].watched = self

    def take(self) -> ImagePart:
        return ImagePart("image/png", self._data.pop())


class _Told(bytes):
    """Bytes have no weak references."""

    watched: Watched

    def __del__(self) -> None:
        self.watched.is_gone = True
