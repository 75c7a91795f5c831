"""The tensors of a model folder by name, read on demand: safetensors or pytorch_model.bin, whole or sharded.

Knows nothing of architectures. Used by the loader and the quantizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import torch

from npc_sdk.engine.local.config import read_json
from npc_sdk.engine.local.tensor_file import TensorFile, TensorSpec
from npc_sdk.errors import ModelFormatError


class TensorSource(Protocol):
    """A file that gives tensors by rows."""

    specs: dict[str, TensorSpec]

    def read_rows(self, name: str, first: int, last: int) -> torch.Tensor: ...

    def close(self) -> None: ...


class PickleFile:
    """A pytorch_model.bin, mapped and restricted to tensors (no code of the file runs)."""

    def __init__(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            self._tensors = {str(name): _plain_tensor(value) for name, value in state.items()}
        except Exception as exc:  # a damaged pickle raises anything
            hint = "only files of plain tensors are loaded; save it again with torch.save(model.state_dict(), path)"
            raise ModelFormatError(f"{path} cannot be read: {exc}", hint=hint) from exc
        self.specs = {name: TensorSpec(t.dtype, tuple(t.shape)) for name, t in self._tensors.items()}

    def read_rows(self, name: str, first: int, last: int) -> torch.Tensor:
        """Rows first to last (not included), copied out of the mapping."""
        return self._tensors[name][first:last].clone()

    def close(self) -> None:
        """Lets the mapping go."""
        self._tensors = {}


def _plain_tensor(value: Any) -> torch.Tensor:
    """Raises: TypeError for what has no rows of numbers in memory."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_meta or value.is_complex():
        raise TypeError(f"a {type(value).__name__} that is no plain tensor")
    return value.detach()


class Checkpoint:
    """All tensors of a folder. unread names those that nobody has asked for: a loader checks that none is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = _open_files(folder)
        self._source = {name: file for file in self._files for name in file.specs}
        self._unread = set(self._source)

    @property
    def unread(self) -> frozenset[str]:
        """Names that no read has touched."""
        return frozenset(self._unread)

    def names(self) -> Iterable[str]:
        """Every tensor's name."""
        return self._source.keys()

    def __contains__(self, name: str) -> bool:
        return name in self._source

    def spec(self, name: str) -> TensorSpec:
        """Type and shape of a tensor. Raises: ModelFormatError where it is missing."""
        if name not in self._source:
            hint = "the folder is incomplete, or its config.json belongs to another model"
            raise ModelFormatError(f"{self.folder} has no tensor {name!r}", hint=hint)
        return self._source[name].specs[name]

    def read(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """A whole tensor, checked for its shape. Raises: ModelFormatError."""
        self.check_shape(name, shape)
        return self.read_rows(name, 0, shape[0])

    def read_rows(self, name: str, first: int, last: int) -> torch.Tensor:
        """Rows first to last (not included) of a tensor."""
        self.spec(name)
        self._unread.discard(name)
        return self._source[name].read_rows(name, first, last)

    def read_rows_into(self, name: str, first: int, out: torch.Tensor) -> None:
        """Fills out with rows from first on, without a second copy where the file allows. Mutates: out."""
        source = self._source[name]
        self._unread.discard(name)
        if isinstance(source, TensorFile):
            source.read_rows_into(name, first, out)
        else:
            out.copy_(source.read_rows(name, first, first + out.shape[0]))

    def check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Raises: ModelFormatError where a tensor is missing or of another shape."""
        found = self.spec(name).shape
        if found != shape:
            hint = "config.json belongs to another model"
            raise ModelFormatError(f"{self.folder}: tensor {name!r} is {found}, config.json says {shape}", hint=hint)

    def close(self, *, keep: str | None = None) -> None:
        """Closes every file, but for the one of the tensor to keep; tensors already read stay valid."""
        for file in self._files:
            if keep is None or file is not self._source[keep]:
                file.close()


def _open_files(folder: Path) -> list[TensorSource]:
    """The folder's weight files; safetensors win over pickles. Raises: ModelFormatError."""
    safetensors = _listed(folder, "model.safetensors")
    if safetensors:
        return [TensorFile(path) for path in safetensors]
    pickles = _listed(folder, "pytorch_model.bin")
    if pickles:
        return [PickleFile(path) for path in pickles]
    hint = "expected model.safetensors or pytorch_model.bin, or one of them with .index.json"
    raise ModelFormatError(f"{folder} holds no weights", hint=hint)


def _listed(folder: Path, name: str) -> list[Path]:
    """The single file of this name, or the shards of its index, in order."""
    index = folder / f"{name}.index.json"
    if not index.exists():
        return [folder / name] if (folder / name).exists() else []
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(_is_plain_name(shard) for shard in shards.values()):
        raise ModelFormatError(f"{index}: weight_map is wrong", hint="it must map tensor names to files beside it")
    return [folder / shard for shard in sorted(set(shards.values()))]


def _is_plain_name(value: object) -> bool:
    """A file name without a folder, so that an index cannot point elsewhere."""
    return isinstance(value, str) and value.isprintable() and value not in {"", ".."} and Path(value).name == value
