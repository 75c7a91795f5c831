"""Tensors that live as long as the model, on memory pages of their own.

Among the short-lived buffers of a load they would pin the heap, at half as much again. Used by loader.py and int4.py.
"""

from __future__ import annotations

import math
import mmap
import os

import torch

IS_POSIX = os.name == "posix"


def zeros(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """A zeroed CPU tensor on its own pages, large ones where the system has them; freed with its last user."""
    byte_count = math.prod(shape) * dtype.itemsize
    if not byte_count:
        return torch.zeros(shape, dtype=dtype)
    # Private pages where the choice exists: shared ones are not ours alone to the system, and seldom large.
    pages = (
        mmap.mmap(-1, byte_count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if IS_POSIX
        else mmap.mmap(-1, byte_count)
    )
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)  # a decode step reads all of it: fewer, larger pages are quicker to find
    return torch.frombuffer(pages, dtype=dtype).view(shape)


def keep(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on pages of its own."""
    kept = zeros(tuple(tensor.shape), tensor.dtype)
    return kept.copy_(tensor)
