"""Writes a four-bit copy of a full-precision checkpoint, one tensor at a time, large ones by rows.

The result is device-independent. It is built in a folder beside the target and renamed when whole.
Called by ``npc models``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.config import load_config, read_json
from npc_sdk.engine.local.int4 import GROUP_SIZES, Int4Rows, fitting_group_size, quantize_embedding, quantize_rows
from npc_sdk.engine.local.tensor_file import TensorSpec, TensorWriter
from npc_sdk.engine.local.weight_names import EMBEDDING, HEAD, IGNORED_SUFFIX, layer_index
from npc_sdk.errors import ModelFormatError, SettingsError

Progress: TypeAlias = Callable[[int, int, str], None]

ROWS_AT_ONCE = 256  # the search over ranges runs twice as fast while its working set fits the processor's cache
COMPANION_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "npc_model.json",
)


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What was written. Units: bytes of tensors."""

    tensors: int
    source_bytes: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Shard:
    """One output file: the source tensors that go into it."""

    file_name: str
    names: tuple[str, ...]


def quantize_checkpoint(
    src: Path, out: Path, *, group_size: int = 128, progress: Progress | None = None
) -> QuantizeReport:
    """Writes src in int4 to the new folder out. progress gets (tensors done, of, name).

    Raises: SettingsError for a wrong size or an out that exists; ModelFormatError for a src that cannot be quantized.
    """
    _check_arguments(out, group_size)
    config = load_config(src)
    if config.int4_group_size is not None:
        raise ModelFormatError(f"{src} is quantized already", hint="start from the full-precision checkpoint")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    checkpoint = Checkpoint(src)
    try:
        report = _Quantizer(checkpoint, partial, group_size, config.has_tied_embeddings, progress).run()
    finally:
        checkpoint.close()
    _copy_companions(src, partial)
    _write_config(src, partial, group_size)
    _publish(partial, out)
    return report


class _Quantizer:
    """One run: walks the shards and counts what it reads and writes."""

    def __init__(
        self, checkpoint: Checkpoint, folder: Path, group_size: int, has_tied: bool, progress: Progress | None
    ) -> None:
        self._checkpoint = checkpoint
        self._folder = folder
        self._group_size = group_size
        self._shards = plan_shards(checkpoint, has_tied=has_tied)
        self._progress = progress
        self._total = sum(len(shard.names) for shard in self._shards)
        self._done = 0
        self._source_bytes = 0
        self._result_bytes = 0

    def run(self) -> QuantizeReport:
        """Writes every shard and the index."""
        weight_map: dict[str, str] = {}
        for shard in self._shards:
            specs = self._write_shard(shard)
            weight_map.update(dict.fromkeys(specs, shard.file_name))
        index = {"metadata": {"total_size": self._result_bytes}, "weight_map": weight_map}
        (self._folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
        return QuantizeReport(self._total, self._source_bytes, self._result_bytes)

    def _write_shard(self, shard: Shard) -> dict[str, TensorSpec]:
        """Writes one file; the specs come first because the header does."""
        specs: dict[str, TensorSpec] = {}
        for name in shard.names:
            specs.update(self._result_specs(name))
        with TensorWriter(self._folder / shard.file_name, specs) as writer:
            for name in shard.names:
                self._write_tensor(writer, name)
        self._result_bytes += sum(spec.byte_count for spec in specs.values())
        return specs

    def _result_specs(self, name: str) -> dict[str, TensorSpec]:
        """What a source tensor becomes."""
        shape = self._source_spec(name).shape
        if name == EMBEDDING:
            return {
                f"{name}.int8": TensorSpec(torch.int8, shape),
                f"{name}.scale": TensorSpec(torch.float32, shape[:1]),
            }
        if len(shape) != 2:
            return {name: self._source_spec(name)}
        rows, columns = shape
        groups = (rows, columns // fitting_group_size(columns, self._group_size))
        return {
            f"{name}.int4": TensorSpec(torch.uint8, (rows, columns // 2)),
            f"{name}.scale": TensorSpec(torch.bfloat16, groups),
            f"{name}.zero": TensorSpec(torch.bfloat16, groups),
        }

    def _source_name(self, name: str) -> str:
        """Where a tensor's values come from: a tied head has the embedding's."""
        return EMBEDDING if name == HEAD and HEAD not in self._checkpoint else name

    def _source_spec(self, name: str) -> TensorSpec:
        return self._checkpoint.spec(self._source_name(name))

    def _write_tensor(self, writer: TensorWriter, name: str) -> None:
        """Streams one tensor by rows; the small parts that follow the first wait in memory.

        They wait in buffers made beforehand: kept piece by piece they would pin the heap between large temporaries.
        """
        spec = self._source_spec(name)
        later = [torch.empty(part.shape, dtype=part.dtype) for part in self._result_specs(name).values()][1:]
        for first, rows in self._read_blocks(name, spec):
            streamed, *parts = self._convert(name, rows)
            writer.append(streamed)
            for whole, part in zip(later, parts, strict=True):
                whole[first : first + rows.shape[0]] = part
        for whole in later:
            writer.append(whole)
        self._done += 1
        self._source_bytes += spec.byte_count
        if self._progress:
            self._progress(self._done, self._total, name)

    def _read_blocks(self, name: str, spec: TensorSpec) -> Iterator[tuple[int, torch.Tensor]]:
        """A tensor's rows, a bounded number at a time, with the first one's index."""
        source = self._source_name(name)
        for first in range(0, spec.shape[0], ROWS_AT_ONCE):
            yield first, self._checkpoint.read_rows(source, first, min(first + ROWS_AT_ONCE, spec.shape[0]))

    def _convert(self, name: str, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Rows in the form that _result_specs announced."""
        if name == EMBEDDING:
            return quantize_embedding(rows)
        if rows.ndim != 2:
            return (rows,)
        quantized: Int4Rows = quantize_rows(rows, fitting_group_size(rows.shape[1], self._group_size))
        return quantized.codes, quantized.scale, quantized.zero


def plan_shards(checkpoint: Checkpoint, *, has_tied: bool) -> list[Shard]:
    """One file a layer, one each for the embedding, the head and the rest."""
    groups: dict[str, list[str]] = {"embedding": [EMBEDDING], "head": [HEAD], "rest": []}
    for name in sorted(checkpoint.names()):
        if name in (EMBEDDING, HEAD) or name.endswith(IGNORED_SUFFIX):
            continue
        index = layer_index(name)
        groups.setdefault("rest" if index is None else f"layer-{index:03d}", []).append(name)
    if not has_tied:
        checkpoint.spec(HEAD)
    checkpoint.spec(EMBEDDING)
    return [Shard(f"model-{group}.safetensors", tuple(names)) for group, names in sorted(groups.items()) if names]


def _check_arguments(out: Path, group_size: int) -> None:
    """Raises: SettingsError."""
    if group_size not in GROUP_SIZES:
        raise SettingsError(f"group_size is {group_size!r}", hint=f"choose one of {', '.join(map(str, GROUP_SIZES))}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"{out} exists and is not an empty folder", hint="name a new folder, or remove it first")


def _copy_companions(src: Path, partial: Path) -> None:
    """Copies the tokenizer and the files that describe the model, as far as src has them."""
    for path in sorted(src.iterdir()):
        if path.is_file() and (path.name in COMPANION_FILES or path.name.startswith("chat_template")):
            shutil.copyfile(path, partial / path.name)


def _write_config(src: Path, partial: Path, group_size: int) -> None:
    """The source's config with the block by which the loader knows our form."""
    config = read_json(src / "config.json")
    config["npc_quantization"] = {"bits": 4, "group_size": group_size, "version": 1}
    (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _publish(partial: Path, out: Path) -> None:
    """Renames the finished folder into place."""
    if out.exists():
        out.rmdir()
    partial.rename(out)
