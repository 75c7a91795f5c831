"""The compiled kernels, where this machine has them: packing, and the product of one projection.

None of it where the library was not built, is older than its sources, or the CPU has no AVX2: then int4.py's kernels of
torch do the work. Called by int4_cpu.py.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Callable
from typing import Any, cast

from npc_sdk.engine.local.native.build import LIBRARY, source_digest

log = logging.getLogger(__name__)

SWITCH = "NPC_KERNELS"  # "off" does without, for comparison
_POINTER, _COUNT, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int


def _fields(**kinds: str) -> list[tuple[str, Any]]:
    """Fields of a record by their type's name."""
    types: dict[str, Any] = {"pointer": _POINTER, "count": _COUNT, "int": ctypes.c_int32, "float": ctypes.c_float}
    return [(name, types[kind]) for kind, names in kinds.items() for name in names.split()]


class Weight(ctypes.Structure):
    """A packed weight; see kernels.h."""

    _fields_ = _fields(pointer="codes scales bias", count="rows columns group")


class Before(ctypes.Structure):
    """What is done to the input first; see kernels.h."""

    _fields_ = _fields(pointer="weight bias", float="eps", int="kind")


class Heads(ctypes.Structure):
    """What the heads of a model have in common; see attention.h."""

    _fields_ = _fields(count="heads kv_heads head_dim turned")


class Pool(ctypes.Structure):
    """One layer's pool; see attention.h."""

    _fields_ = _fields(pointer="keys values key_scales value_scales", count="tokens")


class Rows(ctypes.Structure):
    """One step's rows; see attention.h."""

    _fields_ = _fields(pointer="cos sin slots spans blocks", count="rows span_count")


NOTHING, LAYER_NORM, RMS_NORM, RELU2 = range(4)


class Kernels:
    """The library's functions at one level of instructions. Calls let other Python threads run."""

    def __init__(self, library: ctypes.CDLL, source: str, level: int) -> None:
        self.source = source
        self.level = level
        self.pack = _function(library, "npc_pack", _INT, _POINTER, _COUNT, _COUNT, _INT)
        self.room = _function(library, "npc_room", _COUNT, _COUNT, _COUNT, _COUNT, _INT)
        self.attention_room = _function(library, "npc_attention_room", _COUNT, _POINTER, _INT)
        pointers = [_POINTER] * 3
        self.multiply = _function(library, "npc_multiply", None, *pointers, _COUNT, *pointers, _INT, _INT)
        self.attend = _function(library, "npc_attend", None, *pointers, *pointers, _INT, _INT)


def _function(library: ctypes.CDLL, name: str, result: type | None, *arguments: type) -> Callable[..., Any]:
    """A function of the library, with the types that it was compiled with."""
    function = getattr(library, name)
    function.argtypes, function.restype = arguments, result
    return cast("Callable[..., Any]", function)


@functools.cache
def kernels() -> Kernels | None:
    """What this machine can use, with a word in the log where that is nothing."""
    if os.environ.get(SWITCH) == "off" or not LIBRARY.exists():
        return None
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as exc:
        log.warning("%s cannot be loaded (%s): int4 layers take torch's slower kernels", LIBRARY.name, exc)
        return None
    source = _function(library, "npc_source", ctypes.c_char_p)().decode()
    if source != source_digest():
        log.warning("%s is older than its sources: install the package again", LIBRARY.name)
        return None
    level = _function(library, "npc_level", _INT)()
    return Kernels(library, source, level) if level else None
