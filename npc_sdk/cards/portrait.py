"""A character's picture: a foreign one checked and written anew, small enough for a portrait, or a plain one drawn.

Nothing but pixels of the foreign file goes on. Called by cards/imported.py and cards/exported.py.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import Image

MAX_SIDE = 1024
MAX_PIXELS = 9_500_000  # 38 MB of memory
_FORMATS = ("PNG", "JPEG", "WEBP")
_PLAIN_SIZE = (256, 384)
_BROKEN = (
    OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, EOFError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip  # what Pillow raises on files that are not what they say


@dataclass(frozen=True, slots=True)
class Portrait:
    """png is None where the picture cannot be used; note says what was done, where anything was."""

    png: bytes | None
    note: str = ""


def portrait(data: bytes) -> Portrait:
    """The picture as a PNG of our own making."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return Portrait(None, f"{width} x {height} pixels; at most {MAX_PIXELS:,} are read")
            return _written(image)
    except _BROKEN as exc:
        told = " ".join(str(exc).split())[:80]
        return Portrait(None, f"the picture cannot be read: {told or type(exc).__name__}")


def plain_picture(name: str) -> bytes:
    """A picture of one colour, chosen by the name, to carry a card where there is no portrait."""
    red, green, blue = hashlib.sha256(name.encode()).digest()[:3]
    return _saved(Image.new("RGB", _PLAIN_SIZE, (red // 2 + 64, green // 2 + 64, blue // 2 + 64)))


def _written(image: Image.Image) -> Portrait:
    has_alpha = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    picture = image.convert("RGBA" if has_alpha else "RGB")
    before = picture.size
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    note = "" if picture.size == before else f"made smaller, from {before[0]} x {before[1]} pixels"
    return Portrait(_saved(picture), note)


def _saved(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.info.clear()  # no profile, no text
    picture.save(out, "PNG")
    return out.getvalue()
