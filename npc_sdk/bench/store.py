"""The models on disk that the benches run, each made once under one folder and used again.

A model appears under its name only when it is whole. Called by the benches.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from npc_sdk.bench.shape import Shape
from npc_sdk.bench.vocabulary import write_tokenizer
from npc_sdk.errors import EngineError, SettingsError
from npc_sdk.settings import model_folder

Say: TypeAlias = Callable[[str], None]

# What each peer is made and run with; all of it is the [bench] extra.
PEER_MODULES = {
    "llama.cpp": ("llama_cpp", "gguf"),
    "onnxruntime-genai": ("onnxruntime_genai", "onnx", "onnx_ir"),
    "transformers": ("transformers",),
}
ON_CPU = "measured on the CPU only"
# Makes every reply as long as was asked for: in this format the vocabulary has no token that ends a turn.
PROFILE = {"chat_format": "chatml"}


def default_work() -> Path:
    """The folder for models where none is named."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "npc-sdk" / "bench"


def missing_modules(peer: str) -> list[str]:
    """What of a peer is not installed."""
    return [name for name in PEER_MODULES[peer] if importlib.util.find_spec(name) is None]


def why_missing(peer: str) -> str:
    """A word on what to install; empty where the peer can run."""
    absent = missing_modules(peer)
    return f"not installed ({', '.join(absent)}): pip install -e .[bench]" if absent else ""


@dataclass(frozen=True, slots=True)
class Store:
    """The models of one shape below work. say is told what is being made."""

    work: Path
    shape: Shape
    say: Say

    @property
    def folder(self) -> Path:
        """Where this shape's models are."""
        return self.work / self.shape.name

    def full(self) -> Path:
        """The random checkpoint in bf16. Raises: SettingsError for the bundled model, which has none."""
        if self.shape.is_bundled:
            raise SettingsError(f"shape is {self.shape.name!r}, which ships in int4 only", hint="choose another shape")
        return self._made("full", self._make_full)

    def int4(self) -> Path:
        """Our int4 of it, with a stand-in tokenizer and no end of turn."""
        return self._made("int4", self._make_bundled if self.shape.is_bundled else self._make_int4)

    def gguf(self) -> Path:
        """The same weights for llama.cpp."""
        return self._made("gguf", self._make_gguf) / "q4_0.gguf"

    def onnx(self) -> Path:
        """The same weights for onnxruntime-genai."""
        return self._made("onnx", self._make_onnx)

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of that name, made beside it and renamed if it is not there."""
        target = self.folder / name
        if target.exists():
            return target
        partial = self.folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.say(f"making {target}, once")
        make(partial)
        partial.rename(target)
        return target

    def _make_full(self, folder: Path) -> None:
        from npc_sdk.bench.weights import write_checkpoint

        write_checkpoint(folder, self.shape, self._progress)
        write_tokenizer(folder, self.shape.vocab)

    def _make_int4(self, folder: Path) -> None:
        from npc_sdk.engine.local.quantize import quantize_checkpoint

        quantize_checkpoint(self.full(), folder, group_size=self.shape.group_size, progress=self._progress)
        _remove_ends(folder)

    def _make_bundled(self, folder: Path) -> None:
        shutil.copytree(model_folder(self.shape.name), folder, dirs_exist_ok=True)
        _remove_ends(folder)

    def _make_gguf(self, folder: Path) -> None:
        from npc_sdk.bench.gguf_file import write_gguf

        write_gguf(self.full(), folder / "q4_0.gguf", self.shape, self._progress)

    def _make_onnx(self, folder: Path) -> None:
        command = [sys.executable, "-m", "npc_sdk.bench.onnx_folder", str(self.full()), str(folder)]
        run_logged(command, self.folder / "onnx.log")
        shutil.rmtree(folder / "cache", ignore_errors=True)

    def _progress(self, done: int, total: int, what: str) -> None:
        self.say(f"{done}/{total} {what}")


def run_logged(command: list[str], log: Path, *, cwd: Path | None = None) -> None:
    """Runs a program to its end with its output in a file. Raises: EngineError."""
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        raise EngineError(f"{' '.join(command[:3])} … ended with code {code}", hint=f"the reason is in {log}")


def _remove_ends(folder: Path) -> None:
    """Takes every end of a reply out of a model's description."""
    for name, keys in (("config.json", ("eos_token_id",)), ("tokenizer_config.json", ("eos_token", "chat_template"))):
        path = folder / name
        content = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            content.pop(key, None)
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    (folder / "npc_model.json").write_text(json.dumps(PROFILE), encoding="utf-8")
