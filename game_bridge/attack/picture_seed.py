"""Sound pictures of several kinds, and broken ones made of them: chunk by chunk where a format has chunks.

PNG checksums are made right again in half of the cases, as a reader that checks them would see nothing else.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from game_bridge.attack.mutation import mutated
from npc_sdk.messages import ImagePart

SIZES = ((1, 1), (7, 5), (33, 20), (64, 48), (160, 100), (640, 360))
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {"transparency": 0}),
    ("PNG", "P", {"transparency": bytes(range(200))}),
    ("PNG", "RGB", {"transparency": (1, 2, 3)}),
    ("PNG", "L", {}),
    ("PNG", "1", {}),
    ("PNG", "I;16", {}),
    ("JPEG", "RGB", {"quality": 80}),
    ("JPEG", "L", {}),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    ("JPEG", "RGB", {"restart_marker_blocks": 4}),
    ("WEBP", "RGB", {"quality": 70, "method": 0}),
    ("WEBP", "RGBA", {"quality": 70, "method": 0}),
    ("WEBP", "RGBA", {"lossless": True, "method": 0, "quality": 0}),
)
_STRETCHED, _SHUFFLED = 0.1, 0.3  # the shares of those broken at their chunks; all others are at their bytes


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound picture, taken apart at its chunks or segments."""

    media_type: str
    data: bytes
    chunks: tuple[bytes, ...]


def make_seeds(sizes: Sequence[tuple[int, int]] = SIZES) -> list[Seed]:
    """Every kind in every size."""
    return [_seed(kind, mode, options, size) for size in sizes for kind, mode, options in _KINDS]


def broken(rng: random.Random, seeds: Sequence[Seed]) -> ImagePart:
    """One of the pictures with something wrong, now and then under another format's name."""
    seed = rng.choice(seeds)
    others = [other.data for other in rng.sample(seeds, 2)]
    share = rng.random()
    if share < _STRETCHED and seed.media_type == "image/png":
        return ImagePart(seed.media_type, _stretched(rng, seed))
    data = _shuffled(rng, seed) if share < _SHUFFLED else mutated(rng, seed.data, others)
    if seed.media_type == "image/png" and rng.random() < 0.5:
        data = _with_checksums(data)
    media_type = rng.choice(seeds).media_type if rng.random() < 0.05 else seed.media_type
    return ImagePart(media_type, data)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _seed(kind: str, mode: str, options: dict[str, Any], size: tuple[int, int]) -> Seed:
    grain = Image.effect_noise(size, 60)
    image = grain.convert("I;16") if mode == "I;16" else Image.merge("RGB", [grain] * 3).convert(mode)
    out = io.BytesIO()
    image.save(out, kind, **options)
    data = out.getvalue()
    return Seed(f"image/{kind.lower()}", data, tuple(_CUTTERS[kind](data)))


def _shuffled(rng: random.Random, seed: Seed) -> bytes:
    """The first chunk stays the first more often than not, or little would come further."""
    chunks = list(seed.chunks)
    for _ in range(rng.randint(1, 3)):
        first, second = (rng.randrange(min(1, len(chunks) - 1), len(chunks)) for _ in range(2))
        match rng.randrange(3):
            case 0:
                chunks[first], chunks[second] = chunks[second], chunks[first]
            case 1:
                chunks.insert(first, chunks[second])
            case _:
                del chunks[first]
        if not chunks:
            return b""
    return b"".join(chunks)


def _stretched(rng: random.Random, seed: Seed) -> bytes:
    """A PNG of which one chunk is sound and of another length."""
    chunks = list(seed.chunks)
    at = rng.randrange(1, len(chunks))
    body = chunks[at][8:-4]
    longer = body * rng.randint(1, 3) + rng.randbytes(rng.choice((1, 3, 256)))
    chunks[at] = png_chunk(chunks[at][4:8], rng.choice((longer, body[: rng.randint(0, len(body))])))
    return b"".join(chunks)


def _with_checksums(data: bytes) -> bytes:
    """What looks like chunks gets right checksums, and its length where that was more than there is."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        out.append(png_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join([*out, data[at:]])


def _png_chunks(data: bytes) -> list[bytes]:
    chunks, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at:end])
        at = end
    return chunks


def _webp_chunks(data: bytes) -> list[bytes]:
    chunks, at = [data[:12]], 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        chunks.append(data[at:end])
        at = end
    return chunks


def _jpeg_segments(data: bytes) -> list[bytes]:
    """The last one is all from the first pixels on."""
    chunks, at = [data[:2]], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        chunks.append(data[at:end])
        at = end
    return [*chunks, data[at:]]


_CUTTERS = {"PNG": _png_chunks, "WEBP": _webp_chunks, "JPEG": _jpeg_segments}
