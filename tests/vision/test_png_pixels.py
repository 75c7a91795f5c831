"""A PNG file whose pixels or colours cannot be is refused by the reader, before a decoder has begun with it."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from npc_sdk.errors import RequestError
from npc_sdk.messages import ImagePart
from npc_sdk.vision import decode as decode_module
from npc_sdk.vision.decode import decode
from npc_sdk.vision.header import read_file
from npc_sdk.vision.png_pixels import rows_of

from .pictures import encoded, png, png_chunk, png_head

ROWS = bytes(10 * 31)
GREY, COLOUR, PALETTE, GREY_ALPHA, ALPHA = 0, 2, 3, 4, 6
MAP = png_chunk(b"PLTE", bytes(range(12)))


def read(*chunks: bytes) -> None:
    read_file("image/png", png(*chunks))


def pixels(rows: bytes, **options: int) -> bytes:
    return png_chunk(b"IDAT", zlib.compress(rows, **options))


@pytest.mark.parametrize(
    ("packed", "told"),
    [
        pytest.param(zlib.compress(ROWS)[:-6], "end too early", id="cut"),
        pytest.param(zlib.compress(ROWS)[:-4], "end too early", id="without-checksum"),
        pytest.param(zlib.compress(ROWS)[:-4] + b"oops", "cannot be unpacked", id="wrong-checksum"),
        pytest.param(zlib.compress(ROWS[:-1]), "end after 309 of 310 bytes", id="a-byte-short"),
        pytest.param(zlib.compress(ROWS + b"\0"), "more than the 310 bytes", id="a-byte-long"),
        pytest.param(zlib.compress(ROWS + bytes(2**26)), "more than the 310 bytes", id="bomb"),
        pytest.param(b"\x78\x01" + b"\0\0\0\xff\xff" * 100_000, "packed pixels unpack to 0", id="nothing"),
        pytest.param(zlib.compress(ROWS[:-31] + b"\5" + ROWS[-30:]), "a filter that is none", id="last-filter"),
    ],
)
def test_broken_pixels_reach_no_decoder(packed: bytes, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read(png_head(10, 10), png_chunk(b"IDAT", packed))


@pytest.mark.parametrize("level", [0, 1, 9])
def test_noise_that_does_not_get_smaller_is_taken(level: int) -> None:
    noise = random.Random(1).randbytes(3 * 500)
    read(png_head(500, 800), pixels((b"\1" + noise) * 800, level=level))
    rows = b"".join(b"\1" + random.Random(place).randbytes(3 * 500) for place in range(800))
    read(png_head(500, 800), pixels(rows, level=level))


def test_the_filter_of_every_row_is_looked_at_over_several_chunks_and_blocks() -> None:
    row = b"\4" + b"\xff" * 3 * 1_000
    rows = bytearray(row * 2_000)
    packed = zlib.compress(bytes(rows))
    cuts = range(0, len(packed), 1_000)
    read(png_head(1_000, 2_000), *(png_chunk(b"IDAT", packed[at : at + 1_000]) for at in cuts))
    for place in (0, 350, 1_234, 1_999):
        rows[place * len(row)] = 5
        with pytest.raises(RequestError, match="a filter that is none"):
            read(png_head(1_000, 2_000), pixels(bytes(rows), level=1))
        rows[place * len(row)] = 4


@pytest.mark.parametrize("depth", [1, 8, 16])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3), (8, 8), (33, 17)])
def test_laced_pixels_are_counted_as_their_decoder_does(size: tuple[int, int], depth: int) -> None:
    rows = rows_of(*size, depth, is_laced=True)
    laced = b"".join((b"\0" + b"\xff" * (one.row_bytes - 1)) * one.row_count for one in rows)
    head = png_head(*size, depth, GREY, 1)
    picture = decode(ImagePart("image/png", png(head, pixels(laced))), max_px=64)
    assert set(picture.pixels) == {255}
    with pytest.raises(RequestError, match="end after"):
        read(head, pixels(laced[:-1]))


@settings(deadline=None, max_examples=60)
@given(
    side=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "P", "I;16"]),
    seed=st.integers(0, 99),
)
def test_what_an_encoder_wrote_is_taken(side: tuple[int, int], mode: str, seed: int) -> None:
    grain = Image.effect_noise(side, seed)
    image = grain.convert("I;16") if mode == "I;16" else grain.convert("RGB").convert(mode)
    picture = decode(ImagePart("image/png", encoded(image, "PNG")), max_px=64)
    assert (picture.width, picture.height) == side


@pytest.mark.parametrize(
    ("colour", "chunks", "told"),
    [
        pytest.param(PALETTE, [MAP, png_chunk(b"tRNS", bytes(300))], "tRNS has 300 bytes for 4 colours", id="most"),
        pytest.param(PALETTE, [MAP, png_chunk(b"tRNS", bytes(5))], "tRNS has 5 bytes for 4 colours", id="more"),
        pytest.param(PALETTE, [MAP, png_chunk(b"tRNS", b"")], "tRNS has 0 bytes", id="none"),
        pytest.param(PALETTE, [png_chunk(b"tRNS", b"\0"), MAP], "PLTE' stands behind b'tRNS'", id="too-soon"),
        pytest.param(PALETTE, [], "palette is missing", id="no-palette"),
        pytest.param(PALETTE, [MAP, MAP], "PLTE' stands behind b'PLTE'", id="two-palettes"),
        pytest.param(PALETTE, [png_chunk(b"PLTE", bytes(4))], "a palette of 4 bytes", id="palette-cut"),
        pytest.param(PALETTE, [png_chunk(b"PLTE", bytes(771))], "a palette of 771 bytes", id="palette-large"),
        pytest.param(GREY, [png_chunk(b"tRNS", b"\0")], "tRNS has 1 bytes for colour 0", id="grey"),
        pytest.param(COLOUR, [png_chunk(b"tRNS", bytes(300))], "tRNS has 300 bytes for colour 2", id="colour"),
        pytest.param(GREY_ALPHA, [png_chunk(b"tRNS", bytes(2))], "tRNS has 2 bytes for colour 4", id="grey-alpha"),
        pytest.param(ALPHA, [png_chunk(b"tRNS", bytes(6))], "tRNS has 6 bytes for colour 6", id="alpha"),
    ],
)
def test_colours_that_cannot_be_reach_no_decoder(colour: int, chunks: list[bytes], told: str) -> None:
    channels = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, ALPHA: 4}[colour]
    with pytest.raises(RequestError, match=told):
        read(png_head(2, 2, 8, colour), *chunks, pixels(bytes(2 * (1 + 2 * channels))))


@pytest.mark.parametrize(
    ("colour", "key"),
    [
        pytest.param(PALETTE, b"\0\x80", id="palette"),
        pytest.param(GREY, struct.pack(">H", 9), id="grey"),
        pytest.param(COLOUR, struct.pack(">HHH", 9, 9, 9), id="colour"),
    ],
)
def test_a_right_transparency_is_taken(colour: int, key: bytes) -> None:
    maps = [MAP] if colour == PALETTE else []
    rows = (b"\0" + b"\0" * (6 if colour == COLOUR else 2)) * 2
    data = png(png_head(2, 2, 8, colour), *maps, png_chunk(b"tRNS", key), pixels(rows))
    assert set(decode(ImagePart("image/png", data), max_px=2).pixels) == {0}


def test_whatever_goes_wrong_behind_the_decoder_has_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_image: Image.Image) -> Image.Image:
        raise ValueError("attempt to assign sequence of size 300")

    monkeypatch.setattr(decode_module, "_on_black", fails)
    with pytest.raises(RequestError, match="cannot be decoded: attempt to assign"):
        decode(ImagePart("image/png", png(png_head(10, 10), pixels(ROWS))), max_px=64)
