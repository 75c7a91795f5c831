"""What a picture file says of itself, read from its own bytes before any decoder sees it.

Each reader checks the shape of its format, refuses sizes and features that cost more than a screenshot may, and keeps
only the parts that pixels are made of: comments, profiles and camera data reach no decoder. Called by decode.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from npc_sdk.errors import RequestError
from npc_sdk.vision.jpeg import read_jpeg
from npc_sdk.vision.plain_file import PlainFile
from npc_sdk.vision.png import read_png
from npc_sdk.vision.webp import read_webp

MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    starts: Callable[[bytes], bool]
    read: Callable[[bytes], PlainFile]


FORMATS = {
    "image/png": _Format("PNG", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), read_png),
    "image/jpeg": _Format("JPEG", lambda data: data.startswith(b"\xff\xd8\xff"), read_jpeg),
    "image/webp": _Format("WebP", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", read_webp),
}
# only to say what came instead
_OTHERS = (
    (b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"\0\0\1\0", "ICO"),
    (b"8BPS", "Photoshop"), (b"<svg", "SVG"), (b"<?xml", "SVG"), (b"%PDF", "PDF"), (b"\xff\x0a", "JPEG XL"),
)  # fmt: skip


def read_file(media_type: str, data: bytes) -> PlainFile:
    """The parts of a file that pixels are made of. Raises: RequestError."""
    if len(data) > MAX_BYTES:
        raise RequestError(f"a file of {len(data)} bytes", hint=f"at most {MAX_BYTES} are read")
    asked = FORMATS[media_type]
    if not asked.starts(data):
        found = _found(data)
        hint = f"it looks like {found}" if found else "send a whole file"
        raise RequestError(f"sent as {media_type} but is no {asked.name} file", hint=hint)
    return asked.read(data)


def _found(data: bytes) -> str:
    known = [one.name for one in FORMATS.values() if one.starts(data)]
    return next(iter([*known, *(name for magic, name in _OTHERS if data.startswith(magic))]), "")
