"""Every form of a picture becomes the same RGB pixels, small enough, on black."""

from __future__ import annotations

import pytest
from PIL import Image

from npc_sdk.messages import ImagePart
from npc_sdk.vision.decode import decode
from npc_sdk.vision.picture import Picture

from .pictures import CORNERS, corner_pixels, corners, is_near, part, raw

FORMS = [
    pytest.param(part("PNG"), id="png"),
    pytest.param(part("PNG", corners(mode="RGBA")), id="png-rgba"),
    pytest.param(part("PNG", corners(mode="P")), id="png-palette"),
    pytest.param(part("JPEG", quality=95, subsampling=0), id="jpeg"),
    pytest.param(part("JPEG", quality=95, progressive=True), id="jpeg-progressive"),
    pytest.param(part("WEBP", quality=95), id="webp"),
    pytest.param(part("WEBP", lossless=True), id="webp-lossless"),
    pytest.param(part("WEBP", corners(mode="RGBA")), id="webp-rgba"),
    pytest.param(raw(corners()), id="raw-rgb"),
    pytest.param(raw(corners(), padding=7), id="raw-rgb-padded"),
    pytest.param(raw(corners(mode="RGBA")), id="raw-rgba"),
    pytest.param(raw(corners(mode="RGBA"), padding=64), id="raw-rgba-padded"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("max_px", "size"), [(64, (64, 32)), (1_000, (200, 100))], ids=["smaller", "as it is"])
def test_every_form_keeps_its_colours_and_proportions(form: ImagePart, max_px: int, size: tuple[int, int]) -> None:
    picture = decode(form, max_px=max_px)
    assert (picture.width, picture.height) == size
    assert len(picture.pixels) == 3 * size[0] * size[1]
    for found, wanted in zip(corner_pixels(picture), CORNERS, strict=True):
        assert is_near(found, wanted), (found, wanted)


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        pytest.param("L", 200, (200, 200, 200), id="grey"),
        pytest.param("1", 1, (255, 255, 255), id="black-and-white"),
        pytest.param("I;16", 200 * 256, (200, 200, 200), id="grey-16"),
        pytest.param("LA", (200, 128), (100, 100, 100), id="grey-alpha"),
        pytest.param("RGBA", (200, 100, 50, 128), (100, 50, 25), id="half-seen-through"),
        pytest.param("RGBA", (200, 100, 50, 0), (0, 0, 0), id="not-seen"),
    ],
)
@pytest.mark.parametrize("max_px", [10, 100], ids=["smaller", "as it is"])
def test_other_modes_become_rgb_on_black(
    mode: str, colour: int | tuple[int, ...], wanted: tuple[int, ...], max_px: int
) -> None:
    picture = decode(part("PNG", Image.new(mode, (40, 20), colour)), max_px=max_px)
    assert all(is_near(found, wanted, by=1) for found in corner_pixels(picture))


def test_a_see_through_colour_of_a_palette_is_black() -> None:
    image = corners(mode="P")
    picture = decode(part("PNG", image, transparency=image.getpixel((0, 0))), max_px=200)
    assert is_near(corner_pixels(picture)[0], (0, 0, 0))
    assert is_near(corner_pixels(picture)[3], CORNERS[3])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (8_192, 2)], ids=str)
def test_thin_pictures_keep_a_pixel_of_each_side(size: tuple[int, int]) -> None:
    picture = decode(part("PNG", Image.new("RGB", size, CORNERS[0])), max_px=64)
    assert max(picture.width, picture.height) == min(64, max(size))
    assert min(picture.width, picture.height) == 1
    assert corner_pixels(picture) == [CORNERS[0]] * 4


def test_the_way_up_that_a_camera_noted_is_not_looked_at() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned = decode(part("JPEG", exif=exif, quality=95), max_px=200)
    assert (turned.width, turned.height) == (200, 100)


def test_a_picture_as_a_part_is_itself_when_decoded() -> None:
    picture = Picture(3, 2, bytes(range(18)))
    assert decode(picture.part(), max_px=100) == picture
