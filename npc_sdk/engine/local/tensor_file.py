"""Safetensors files by plain reads and writes, in pieces: no mapping stays resident and no tensor need be whole.

Knows the container only, not what the tensors mean. Used by checkpoint.py and quantize.py.
Source: the safetensors format (8-byte little-endian header length, JSON header, data).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import torch

from npc_sdk.errors import ModelFormatError

DTYPES: dict[str, torch.dtype] = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I8": torch.int8,
    "U8": torch.uint8,
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
MAX_HEADER_BYTES = 100 * 1024 * 1024
REPAIR = "the file is damaged or cut short: copy it again"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a tensor is before its data is read."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def byte_count(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


class TensorFile:
    """One safetensors file, open for reading. Not thread-safe: reads share one file position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb", buffering=0)
        except OSError as exc:
            raise ModelFormatError(f"cannot open {path}: {exc.strerror}", hint="copy the model folder again") from exc
        try:
            self.specs, self._starts = _read_header(self._file, path)
        except BaseException:
            self._file.close()
            raise

    def read_rows(self, name: str, first: int, last: int) -> torch.Tensor:
        """Rows first to last (not included) of a tensor, as a new tensor. Raises: ModelFormatError."""
        spec = self.specs[name]
        out = torch.empty((last - first, *spec.shape[1:]), dtype=spec.dtype)
        self.read_rows_into(name, first, out)
        return out

    def read_rows_into(self, name: str, first: int, out: torch.Tensor) -> None:
        """Fills out, which must be contiguous and of the tensor's type, with rows from first on.

        Mutates: out. Raises: ModelFormatError where type or length differ.
        """
        spec = self.specs[name]
        if out.dtype != spec.dtype:
            raise ModelFormatError(
                f"{self.path}: tensor {name!r} is {spec.dtype}, not {out.dtype}", hint="quantize the checkpoint again"
            )
        row_bytes = math.prod(spec.shape[1:]) * spec.dtype.itemsize
        self._file.seek(self._starts[name] + first * row_bytes)
        view = _bytes_of(out)
        while view:
            count = self._file.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise ModelFormatError(f"{self.path} ends inside tensor {name!r}", hint=REPAIR)
            view = view[count:]

    def close(self) -> None:
        """Closes the file; further reads fail."""
        self._file.close()


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor, not a copy."""
    raw: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)


def _read_header(file: BinaryIO, path: Path) -> tuple[dict[str, TensorSpec], dict[str, int]]:
    """Specs and absolute offsets by name, checked against the file's size. Raises: ModelFormatError."""
    size = path.stat().st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
        raise ModelFormatError(f"{path} is not a safetensors file: its header length is {length}", hint=REPAIR)
    try:
        header = json.loads(file.read(length))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        parsed = {name: _parse_entry(entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ModelFormatError(f"{path}: the safetensors header is wrong: {exc!r}", hint=REPAIR) from exc
    for name, (spec, begin, end) in parsed.items():
        if end - begin != spec.byte_count or 8 + length + end > size:
            raise ModelFormatError(f"{path}: tensor {name!r} lies at bytes {begin} to {end}", hint=REPAIR)
    starts = {name: 8 + length + begin for name, (_, begin, _) in parsed.items()}
    return {name: spec for name, (spec, _, _) in parsed.items()}, starts


def _parse_entry(entry: Mapping[str, Any]) -> tuple[TensorSpec, int, int]:
    """One header entry. Raises: KeyError, TypeError, ValueError."""
    begin, end = (_count(offset) for offset in entry["data_offsets"])
    return TensorSpec(DTYPES[entry["dtype"]], tuple(_count(side) for side in entry["shape"])), begin, end


def _count(value: object) -> int:
    """A whole number from 0 on. Raises: ValueError."""
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} counts nothing")
    return value


class TensorWriter:
    """Writes one safetensors file whose tensors are known beforehand and arrive in order, piece by piece."""

    def __init__(self, path: Path, specs: Mapping[str, TensorSpec]) -> None:
        self._file = path.open("wb")
        self._left = sum(spec.byte_count for spec in specs.values())
        self._path = path
        header = json.dumps(_header(specs)).encode()
        header += b" " * (-len(header) % 8)
        self._file.write(len(header).to_bytes(8, "little") + header)

    def append(self, piece: torch.Tensor) -> None:
        """Writes the next bytes; pieces follow the order of the specs."""
        data = _bytes_of(piece.contiguous())
        self._left -= data.nbytes
        self._file.write(data)

    def __enter__(self) -> TensorWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            assert self._left == 0, f"{self._path} is off by {self._left} bytes"


def _header(specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """The JSON header for tensors laid end to end."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, spec in specs.items():
        end = start + spec.byte_count
        header[name] = {"dtype": DTYPE_NAMES[spec.dtype], "shape": list(spec.shape), "data_offsets": [start, end]}
        start = end
    return header
