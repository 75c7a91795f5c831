"""One picture of a message, decoded and made small. Blocking; eye.py runs it off the loop.

Every plugin of Pillow's is called by itself, on a file that a reader of our own has looked through before. The way
up that a camera noted is not looked at: screenshots have none.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from npc_sdk.errors import RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision.header import FORMATS, read_file
from npc_sdk.vision.picture import CHANNELS, RGBA, Picture, read_raw
from npc_sdk.vision.plain_file import PlainFile, broken

_OPEN: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "image/png": PngImageFile,
    "image/jpeg": JpegImageFile,
    "image/webp": WebPImageFile,
}
_PLAIN = ("L", "RGB", "RGBa", "La")  # what can be made smaller as it is
_COARSE = 2.0  # times the wanted size, down to which whole pixels are averaged
_WIDE_TO_BYTE = 1 / 256


def decode(part: ImagePart, *, max_px: int) -> Picture:
    """The picture on black, its longer side at most max_px. Raises: RequestError."""
    if part.media_type in CHANNELS:
        image = _raw(part)
    elif part.media_type in FORMATS:
        plain = read_file(part.media_type, part.data)
        image = _opened(part.media_type, plain, max_px)
    else:
        known = ", ".join((*FORMATS, *CHANNELS))
        raise RequestError(f"the type {part.media_type!r} is not known", hint=f"known are {known}")
    with _told_as_broken():
        return _small(image, max_px)


def _raw(part: ImagePart) -> Image.Image:
    """Raises: RequestError."""
    mode = "RGBA" if part.media_type == RGBA else "RGB"
    pixels = read_raw(part.data, CHANNELS[part.media_type])
    size = (pixels.width, pixels.height)
    return Image.frombuffer(mode, size, pixels.rows, "raw", mode, pixels.stride, 1)  # type: ignore[arg-type]  # any buffer


def _opened(media_type: str, plain: PlainFile, max_px: int) -> Image.Image:
    """Raises: RequestError."""
    with _told_as_broken():
        image = _OPEN[media_type](io.BytesIO(plain.data))
        is_as_said = image.size == (plain.width, plain.height)
        if is_as_said:
            image.draft(None, _fitted(image.size, round(_COARSE * max_px)))
            image.load()
    if not is_as_said:
        raise broken(f"it says {plain.width} × {plain.height} and is {image.size}")
    return image


@contextmanager
def _told_as_broken() -> Iterator[None]:
    """Raises: RequestError for whatever Pillow raises, which tells of broken files in many ways, and in many places."""
    try:
        yield
    except Exception as exc:
        raise broken(f"it cannot be decoded: {str(exc) or type(exc).__name__}") from exc


def _small(image: Image.Image, max_px: int) -> Picture:
    image = _on_black(image)
    size = _fitted(image.size, max_px)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_COARSE)
    if image.mode in ("RGBa", "La"):
        # premultiplied colours are those on black
        colours = image.split()[:-1]
        image = Image.merge("RGB", colours if len(colours) == 3 else colours * 3)
    return Picture(*size, image.convert("RGB").tobytes())


def _on_black(image: Image.Image) -> Image.Image:
    """In a mode that can be made smaller, with colours premultiplied where some pixels can be seen through."""
    if image.mode.startswith("I"):
        return image.convert("F").point(lambda level: level * _WIDE_TO_BYTE + 0).convert("L")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    premultiplied = {"RGBA": "RGBa", "LA": "La"}.get(image.mode, "")
    if premultiplied:
        return image.convert(premultiplied)
    return image if image.mode in _PLAIN else image.convert("RGB")


def _fitted(size: tuple[int, int], max_px: int) -> tuple[int, int]:
    """The size with its longer side at most max_px, in the same proportions."""
    longer = max(size)
    if longer <= max_px:
        return size
    width, height = (max(1, round(side * max_px / longer)) for side in size)
    return width, height
