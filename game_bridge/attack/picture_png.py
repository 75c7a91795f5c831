"""PNG files that are small to send and large, slow or something else once a decoder believes them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from game_bridge.attack.picture_seed import png_chunk
from npc_sdk.messages import ImagePart

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UNPACKED = 256 * 2**20
_FRAMES = 10_000
_4K = (4_096, 2_176)
_GREY_ALPHA, _ALPHA, _PALETTE = 4, 6, 3
_PAETH = 4
_CUT = 1_000
_NOTHING = b"\0\0\0\xff\xff"  # a deflate block that holds no bytes


def png_bombs() -> Iterator[tuple[str, ImagePart]]:
    """Each with its name."""
    for bombs in (_sizes, _whole_screens, _busy_screens, _extras, _colours):
        for name, data in bombs():
            yield f"PNG {name}", ImagePart("image/png", data)


def _sizes() -> Iterator[tuple[str, bytes]]:
    row = _deflated(64 * (1 + 3 * 64))
    yield "of 2^31 pixels a side", _png(_head(2**31 - 1, 2**31 - 1), row)
    yield "of 169 million pixels", _png(_head(13_000, 13_000, colour=0), _deflated(169_013_000))
    yield "that unpacks to 256 MB", _png(_head(64, 64), _deflated(_UNPACKED))
    yield "of a 4K screen and a row", _png(_head(*_4K), row)
    yield "of a million blocks of nothing", _png(_head(*_4K), row[:2] + _NOTHING * 10**6 + row[2:])


def _whole_screens() -> Iterator[tuple[str, bytes]]:
    """What they are packed to is as small as can be, and what they unpack to as large."""
    width, height = _4K
    rows = height * (4 * width + 1)
    yield "of a blank 4K screen", _png(_head(*_4K, colour=_ALPHA), _deflated(rows))
    yield "of a blank 4K screen, the end wrong", _png(_head(*_4K, colour=_ALPHA), _wrong_end())
    yield "of a blank 4K screen, the end missing", _png(_head(*_4K, colour=_ALPHA), _deflated(rows - 1))
    # seven passes with rows of their own, each of which has a filter in front
    laced = rows - height + sum(-(-height // by) for by in (8, 8, 8, 4, 4, 2, 2))
    yield "of a laced 4K screen", _png(_head(*_4K, colour=_ALPHA, lacing=1), _deflated(laced))
    yield "of a laced 4K screen, the end missing", _png(_head(*_4K, colour=_ALPHA, lacing=1), _deflated(laced - 1))
    yield "of a laced 4K screen and more", _png(_head(*_4K, colour=_ALPHA, lacing=1), _deflated(_UNPACKED))


def _busy_screens() -> Iterator[tuple[str, bytes]]:
    """Rows of the slowest filter, in colours that tell a processor nothing of the next ones."""
    width, height = _4K
    for name, colour, depth in (("4K screen", _ALPHA, 8), ("deep 4K screen", _GREY_ALPHA, 16)):
        head = _head(*_4K, colour=colour, depth=depth)
        packed = zlib.compress(_busy_rows(4 * width, height), 1)
        yield f"of a busy {name}", _png(head, packed)
        yield f"of a busy {name}, cut", _png(head, packed[:-_CUT])
        yield f"of a busy {name}, the checksum wrong", _png(head, packed[:-4] + b"oops")


def _extras() -> Iterator[tuple[str, bytes]]:
    row, blank = _deflated(64 * (1 + 3 * 64)), _deflated(_UNPACKED)
    for kind, start in ((b"zTXt", b"t\0\0"), (b"iTXt", b"t\0\1\0\0\0"), (b"iCCP", b"p\0\0")):
        yield f"with a large {kind.decode()}", _png(_head(64, 64), row, png_chunk(kind, start + blank))
    yield "of 200,000 chunks", _png(_head(64, 64), row, png_chunk(b"tEXt", b"k\0v") * 200_000)
    control = png_chunk(b"acTL", struct.pack(">II", _FRAMES, 0))
    frames = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 64, 0, 0, 1, 1, 0, 0)) for n in range(_FRAMES)
    )
    yield "of 10,000 frames", _png(_head(64, 64), row, control + frames)


def _colours() -> Iterator[tuple[str, bytes]]:
    """Palettes and transparency of lengths that do not go together, in every colour type."""
    for colour, channels in ((0, 1), (2, 3), (_PALETTE, 1), (_GREY_ALPHA, 2), (_ALPHA, 4)):
        packed = _deflated(8 * (1 + 8 * channels))
        for map_bytes in (None, 0, 3, 768, 771):
            for key_bytes in (0, 1, 2, 6, 256, 257, 70_000):
                extra = b"" if map_bytes is None else png_chunk(b"PLTE", bytes(map_bytes))
                extra += png_chunk(b"tRNS", b"\x80" * key_bytes)
                name = f"of colour type {colour}, a palette of {map_bytes} bytes and {key_bytes} of transparency"
                yield name, _png(_head(8, 8, colour=colour), packed, extra)


def _head(width: int, height: int, *, colour: int = 2, depth: int = 8, lacing: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lacing))


def _png(head: bytes, packed: bytes, extra: bytes = b"") -> bytes:
    return _SIGNATURE + head + extra + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def _busy_rows(row_bytes: int, height: int) -> bytes:
    """Small steps in all directions, so that Paeth's choice can seldom be foreseen, and they pack to less than half."""
    steps = random.Random(1).randbytes(row_bytes * 64).translate(bytes(level % 8 for level in range(256)))
    rows = [bytes((_PAETH,)) + steps[at : at + row_bytes] for at in range(0, len(steps), row_bytes)]
    rng = random.Random(2)
    return b"".join(rng.choice(rows) for _ in range(height))


def _wrong_end() -> bytes:
    """All rows but the last are sound, so that the fault is found as late as can be."""
    packer = zlib.compressobj(9)
    packed = packer.compress(bytes((_4K[1] - 1) * (4 * _4K[0] + 1))) + packer.flush(zlib.Z_FULL_FLUSH)
    return packed + b"\xff" * 100


def _deflated(zeros: int) -> bytes:
    packer, block = zlib.compressobj(9), bytes(2**20)
    packed = [packer.compress(block) for _ in range(zeros // 2**20)]
    return b"".join([*packed, packer.compress(bytes(zeros % 2**20)), packer.flush()])
