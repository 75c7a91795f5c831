"""Bytes made wrong in the ways that break readers. The same random numbers give the same bytes. Knows no format."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_CHANGES = 4
_LIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A few changes of any kind; others give what is spliced in."""
    for _ in range(rng.randint(1, MAX_CHANGES)):
        data = rng.choice(_CHANGES)(rng, data, others)
    return data


def _flipped(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 16) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] if rng.random() < 0.7 else data[at:]


def _spliced(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _lied(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    """A number in place of what stands there, as lengths and sizes are written."""
    width = rng.choice((1, 2, 4, 8))
    lie = (rng.choice(_LIES) & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(("big", "little")))
    at = rng.randint(0, max(0, len(data) - width))
    return data[:at] + lie + data[at + width :]


def _repeated(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start = rng.randint(0, len(data))
    piece = data[start : start + rng.randint(1, 64)]
    return data[:start] + piece * rng.randint(2, 20) + data[start + len(piece) :]


def _removed(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.randint(1, 64) :]


_CHANGES: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    _flipped, _flipped, _cut, _spliced, _lied, _lied, _repeated, _removed,
)  # fmt: skip
