"""What a model's keys and values depend on besides the tokens, in 32 bytes: its files, and how this process computes.

Samples the weights instead of reading them all. Knows no cache. Called by engine.py, for snapshot.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from npc_sdk.engine.local.block_pool import CacheShape
from npc_sdk.engine.local.native.library import kernels
from npc_sdk.errors import ModelFormatError

SAMPLE_BYTES = 64 * 1024
SAMPLES = 8  # a file, evenly spread, its first and last bytes among them
FINGERPRINT_BYTES = 32


def fingerprint(folder: Path, shape: CacheShape, *, has_wide: bool) -> bytes:
    """Stands for a model folder, computed and stored in a shape, on this machine's kernels. Raises: ModelFormatError.

    Threads are left out: they share out rows and columns, which changes no rounding.
    """
    digest = hashlib.blake2b(digest_size=FINGERPRINT_BYTES)
    try:
        for path in sorted(path for path in folder.iterdir() if _counts(path)):
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            for piece in _samples(path):
                digest.update(piece)
    except OSError as exc:
        raise ModelFormatError(f"cannot read {folder}: {exc}", hint="copy the model folder again") from exc
    digest.update(repr((shape, has_wide, *_kernels(shape.device))).encode())
    return digest.digest()


def _counts(path: Path) -> bool:
    """Whether a file of the folder says what the decoder computes: its config, its weights, their index."""
    return path.name == "config.json" or path.name.endswith(".index.json") or path.suffix in (".safetensors", ".bin")


def _samples(path: Path) -> Iterator[bytes]:
    """Pieces of a file; all of a small one."""
    with path.open("rb") as file:
        last = max(0, file.seek(0, os.SEEK_END) - SAMPLE_BYTES)
        for start in sorted({last * index // (SAMPLES - 1) for index in range(SAMPLES)}):
            file.seek(start)
            yield file.read(SAMPLE_BYTES)


def _kernels(device: torch.device) -> tuple[object, ...]:
    """What decides which kernels are taken, and so how sums are rounded."""
    if device.type == "cuda":
        return torch.__version__, torch.cuda.get_device_name(device)
    has = sorted(name for name, value in torch.cpu.get_capabilities().items() if value is True)
    compiled = kernels()
    own = (compiled.source, compiled.level) if compiled else None
    return torch.__version__, torch.backends.cpu.get_cpu_capability(), own, *has
