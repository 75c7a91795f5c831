"""What is refused before any decoder sees it, and what is refused by one; each with a word on why."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from npc_sdk.errors import RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision.decode import decode
from npc_sdk.vision.header import FORMATS

from .pictures import corners, encoded, part, png, png_chunk, png_head, raw

PNG, JPEG, WEBP = part("PNG").data, part("JPEG").data, part("WEBP").data
PIXELS = png_chunk(b"IDAT", zlib.compress(bytes(10 * 31)))
FRAMES = [corners(), corners().rotate(180)]
EMPTY_MAP = struct.pack(">III", 2, 2, 6)


def jpeg_of_size(width: int, height: int) -> bytes:
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def vp8_of_size(width: int, height: int) -> bytes:
    at = WEBP.index(b"\x9d\x01\x2a") + 3
    return WEBP[:at] + struct.pack("<HH", width, height) + WEBP[at + 4 :]


@pytest.mark.parametrize(
    ("media_type", "data", "told"),
    [
        pytest.param("image/png", JPEG, "no PNG file .it looks like JPEG", id="png-is-jpeg"),
        pytest.param("image/webp", PNG, "no WebP file .it looks like PNG", id="webp-is-png"),
        pytest.param("image/png", encoded(corners(), "GIF"), "it looks like GIF", id="png-is-gif"),
        pytest.param("image/png", b"<svg/>", "it looks like SVG", id="png-is-svg"),
        pytest.param("image/png", b"", "no PNG file", id="empty"),
        pytest.param("image/tiff", encoded(corners(), "TIFF"), "'image/tiff' is not known", id="tiff"),
        pytest.param("image/png", PNG[:-20], "is broken: ", id="png-cut"),
        pytest.param("image/png", PNG[:-12], "ends before IEND", id="png-without-end"),
        pytest.param("image/png", PNG[:50] + b"\0\0" + PNG[52:], "the checksum of chunk b'IDAT'", id="png-changed"),
        pytest.param("image/png", png(png_head(20_000, 20_000), PIXELS), "20000 × 20000", id="png-side"),
        pytest.param("image/png", png(png_head(8_000, 8_000), PIXELS), "more than 8912896", id="png-pixels"),
        pytest.param("image/png", png(png_head(0, 5), PIXELS), "0 × 5 pixels", id="png-none"),
        pytest.param("image/png", png(png_head(4_000, 2_000), PIXELS), "cannot be 4000 × 2000", id="png-too-little"),
        pytest.param("image/png", png(png_head(4_000, 2_000, 16, 6), PIXELS), "64002000 bytes", id="png-deep"),
        pytest.param("image/png", png(png_head(10, 10, 3), PIXELS), "depth 3", id="png-depth"),
        pytest.param("image/png", png(png_head(10, 10), png_head(10, 10), PIXELS), "once", id="png-two-heads"),
        pytest.param("image/png", png(PIXELS, png_head(10, 10)), "IHDR must come first", id="png-late-head"),
        pytest.param("image/png", png(png_head(10, 10), png_chunk(b"IDAT", b"?" * 40)), "unpacked", id="png-no-zlib"),
        pytest.param("image/png", png(png_head(9, 9), *[png_chunk(b"tEXt", b"")] * 20_001), "chunks", id="png-chunks"),
        pytest.param(
            "image/png", encoded(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "animated", id="png-moves"
        ),
        pytest.param("image/jpeg", JPEG[:-300], "ends inside its pixels", id="jpeg-cut"),
        pytest.param("image/jpeg", JPEG[:100], "is broken: ", id="jpeg-cut-early"),
        pytest.param("image/jpeg", jpeg_of_size(60_000, 60_000), "60000 × 60000", id="jpeg-side"),
        pytest.param("image/jpeg", jpeg_of_size(8_000, 8_000), "more than 16777216", id="jpeg-pixels"),
        pytest.param("image/jpeg", JPEG.replace(b"\xff\xc0", b"\xff\xc9", 1), "of kind 0xc9", id="jpeg-arithmetic"),
        pytest.param("image/jpeg", encoded(corners(mode="CMYK"), "JPEG"), "4 channels", id="jpeg-cmyk"),
        pytest.param("image/jpeg", JPEG[:-2] + b"\xff\xda" * 40 + JPEG[-2:], "41 scans", id="jpeg-scans"),
        pytest.param("image/jpeg", b"\xff\xd8" + b"\xff\xfe\0\2" * 300, "more than 256 segments", id="jpeg-segments"),
        pytest.param("image/jpeg", JPEG[:2] + b"\xff" * 10**6, "a marker does not end", id="jpeg-fill"),
        pytest.param("image/webp", WEBP[:-9], "is broken: ", id="webp-cut"),
        pytest.param("image/webp", vp8_of_size(16_000, 16_000), "16000 × 16000", id="webp-side"),
        pytest.param("image/webp", vp8_of_size(200, 400), "cannot be decoded", id="webp-lies"),
        pytest.param(
            "image/webp", encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animated", id="moves"
        ),
        pytest.param("image/x-rgb8", b"short", "less than their header", id="raw-short"),
        pytest.param("image/x-rgb8", EMPTY_MAP + bytes(11), "23 bytes of raw", id="raw-row-cut"),
        pytest.param("image/x-rgb8", EMPTY_MAP + bytes(13), "25 bytes of raw", id="raw-too-long"),
        pytest.param("image/x-rgba8", EMPTY_MAP + bytes(12), "a stride of 6", id="raw-stride"),
        pytest.param("image/x-rgb8", struct.pack(">III", 2**31, 2**31, 6), "pixels", id="raw-huge"),
        pytest.param("image/x-rgb8", struct.pack(">III", 1, 8_192, 2**32 - 1), "bytes of raw", id="raw-huge-stride"),
    ],
)
def test_what_no_screenshot_is_gets_a_typed_refusal(media_type: str, data: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        decode(ImagePart(media_type, data), max_px=64)


def test_what_is_no_pixels_reaches_no_decoder() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    chunks = (
        png_chunk(b"iCCP", b"p\0\0" + bomb),
        png_chunk(b"zTXt", b"t\0\0" + bomb),
        png_chunk(b"iTXt", b"t\0\1\0\0\0" + bomb),
    )
    picture = decode(ImagePart("image/png", png(png_head(10, 10), *chunks, PIXELS)), max_px=64)
    assert (picture.width, picture.height) == (10, 10)
    assert set(picture.pixels) == {0}


SEEDS = {
    "image/png": [PNG, part("PNG", corners(mode="P")).data],
    "image/jpeg": [JPEG, part("JPEG", progressive=True).data],
    "image/webp": [WEBP, part("WEBP", corners(mode="RGBA"), lossless=True).data],
    "image/x-rgb8": [raw(corners(8, 8), padding=1).data],
    "image/x-rgba8": [raw(Image.new("RGBA", (8, 8)), padding=1).data],
}


def check_refused_or_right(media_type: str, data: bytes) -> None:
    try:
        picture = decode(ImagePart(media_type, data), max_px=16)
    except RequestError:
        return
    assert 1 <= picture.width <= 16
    assert 1 <= picture.height <= 16
    assert len(picture.pixels) == 3 * picture.width * picture.height


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_changed_file_is_refused_or_decoded(data: st.DataObject) -> None:
    media_type = data.draw(st.sampled_from(sorted(SEEDS)))
    body = bytearray(data.draw(st.sampled_from(SEEDS[media_type])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        cut = data.draw(st.integers(0, 8))
        body[at : at + cut] = data.draw(st.binary(max_size=8))
        body = body or bytearray(1)
    check_refused_or_right(media_type, bytes(body))


@settings(deadline=None, max_examples=200)
@given(media_type=st.sampled_from(sorted(SEEDS)), tail=st.binary(max_size=200))
def test_any_bytes_behind_a_right_beginning_are_refused_or_decoded(media_type: str, tail: bytes) -> None:
    start = {"image/png": PNG[:8], "image/jpeg": JPEG[:3], "image/webp": b"RIFF\xff\0\0\0WEBP"}.get(media_type, b"")
    assert media_type not in FORMATS or start
    check_refused_or_right(media_type, start + tail)
