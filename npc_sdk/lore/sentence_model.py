"""A sentence-transformers model from a local folder, run with transformers: texts in, vectors of length 1 out.

The folder is checked when it is named; torch and transformers are imported when the model is loaded, at the latest
for the first text. An Embedder of semantic.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npc_sdk.errors import ModelFormatError
from npc_sdk.lore.key import encodable
from npc_sdk.lore.lexical import Floats

if TYPE_CHECKING:
    import torch

    from npc_sdk.lore.semantic import OnDone

BATCH = 64
_HINT = "name the folder of a sentence-transformers model: modules.json, config.json, 1_Pooling/config.json, weights"
_MODULES = ("Transformer", "Pooling", "Normalize")
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
_SAMPLED_BLOCKS, _BLOCK_BYTES = 64, 65_536  # of the weights: enough to tell two trainings apart


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What the folder says of itself. Units: max_tokens a text."""

    transformer: Path
    pooling: str
    max_tokens: int | None
    is_lowered: bool
    query_prompt: str
    passage_prompt: str


class SentenceModel:
    """Runs on the CPU unless told otherwise. Raises: ModelFormatError where the folder holds no such model."""

    def __init__(self, folder: Path | str, *, device: str = "cpu") -> None:
        self.folder = Path(folder)
        self._recipe = _read_recipe(self.folder)
        self._device = device
        self._encode: Callable[[Sequence[str]], Floats] | None = None
        self._fingerprint = ""

    def load(self) -> None:
        """Reads the weights now rather than for the first text. Raises: ModelFormatError."""
        self._loaded()

    @property
    def fingerprint(self) -> str:
        """The same for the same files, wherever they lie."""
        self._fingerprint = self._fingerprint or _fingerprint(self.folder, self._recipe)
        return self._fingerprint

    def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:
        """The vectors of passages; on_done hears how many are done. Shapes: (texts, dimensions)."""
        encode = self._loaded()
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))  # alike in length: little padding
        rows: dict[int, Floats] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors = encode([encodable(self._recipe.passage_prompt + texts[at]) for at in batch])
            rows.update(zip(batch, vectors, strict=True))
            if on_done:
                on_done(len(rows))
        return np.stack([rows[at] for at in range(len(texts))]) if rows else encode([""])[:0]

    def query(self, text: str) -> Floats:
        """The vector of what somebody said. Shapes: (dimensions,)."""
        vector: Floats = self._loaded()([encodable(self._recipe.query_prompt + text)])[0]
        return vector

    def _loaded(self) -> Callable[[Sequence[str]], Floats]:
        """Mutates: the model, at the first call."""
        if self._encode is None:
            self._encode = _load(self.folder, self._recipe, self._device)
        return self._encode


def _read_recipe(folder: Path) -> _Recipe:
    modules = _read_modules(folder)
    transformer = folder / str(modules["Transformer"])
    if not (transformer / "config.json").is_file():
        raise ModelFormatError(f"{transformer} holds no config.json", hint=_HINT)
    lengths = _read_object(transformer / "sentence_bert_config.json", is_needed=False)
    said = _read_object(folder / "config_sentence_transformers.json", is_needed=False)
    prompts = said.get("prompts") or {}
    usual = prompts.get(said.get("default_prompt_name") or "", "")
    most = lengths.get("max_seq_length")
    return _Recipe(
        transformer=transformer,
        pooling=_read_pooling(folder / str(modules["Pooling"]) / "config.json"),
        max_tokens=int(most) if most else None,
        is_lowered=bool(lengths.get("do_lower_case")),
        query_prompt=str(prompts.get("query", usual)),
        passage_prompt=str(prompts.get("document", prompts.get("passage", usual))),
    )


def _read_modules(folder: Path) -> dict[str, str]:
    """The folder of each part. Raises: ModelFormatError for parts that we cannot run."""
    if not folder.is_dir():
        raise ModelFormatError(f"there is no folder {str(folder)!r}", hint=_HINT)
    listed = _read_json(folder / "modules.json")
    try:
        modules = {str(part["type"]).rsplit(".", 1)[-1]: str(part["path"]) for part in listed}
    except (TypeError, KeyError) as exc:
        raise ModelFormatError(f"{folder / 'modules.json'} does not list a model's parts", hint=_HINT) from exc
    strange = [name for name in modules if name not in _MODULES]
    missing = [name for name in _MODULES[:2] if name not in modules]
    if strange or missing:
        told = f"has a part {strange[0]!r}" if strange else f"has no part {missing[0]!r}"
        raise ModelFormatError(f"the model in {folder} {told}", hint=f"parts that can be run: {', '.join(_MODULES)}")
    return modules


def _read_pooling(path: Path) -> str:
    """mean or cls. Raises: ModelFormatError."""
    config = _read_object(path)
    chosen = [_POOLINGS.get(key, key) for key, is_on in config.items() if key.startswith("pooling_mode_") and is_on]
    if isinstance(named := config.get("pooling_mode"), str):
        chosen = [named]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS.values():
        told = f"{path}: pooling by {', '.join(chosen) or 'nothing'}"
        raise ModelFormatError(told, hint="mean and cls pooling can be run")
    return chosen[0]


def _read_object(path: Path, *, is_needed: bool = True) -> dict[str, Any]:
    if not is_needed and not path.is_file():
        return {}
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ModelFormatError(f"{path} holds no object", hint=_HINT)
    return value


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelFormatError(f"{path} cannot be read: {exc.strerror}", hint=_HINT) from exc
    except ValueError as exc:
        raise ModelFormatError(f"{path} is no JSON: {exc}", hint=_HINT) from exc


def _fingerprint(folder: Path, recipe: _Recipe) -> str:
    """A hash of the small files and of samples of the weights."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".json", ".txt", ".model", ".safetensors", ".bin"} and path.is_file():
            digest.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode())
            for block in _samples(path):
                digest.update(block)
    digest.update(repr((recipe.pooling, recipe.query_prompt, recipe.passage_prompt)).encode())
    return digest.hexdigest()


def _samples(path: Path) -> Iterator[bytes]:
    step = max(_BLOCK_BYTES, path.stat().st_size // _SAMPLED_BLOCKS)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
            file.seek(step - _BLOCK_BYTES, 1)


def _load(folder: Path, recipe: _Recipe, device: str) -> Callable[[Sequence[str]], Floats]:
    """What makes vectors of a batch of texts. Raises: ModelFormatError."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(recipe.transformer, local_files_only=True)
            model = AutoModel.from_pretrained(recipe.transformer, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as exc:
        raise ModelFormatError(f"the model in {folder} cannot be loaded: {exc}", hint=_HINT) from exc
    model = model.to(device).eval()
    longest = min(recipe.max_tokens or tokenizer.model_max_length, _positions(model.config))

    def encode(texts: Sequence[str]) -> Floats:
        lowered = [text.lower() for text in texts] if recipe.is_lowered else list(texts)
        with torch.inference_mode():
            inputs = tokenizer(lowered, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            inputs = inputs.to(device)
            states = model(**inputs).last_hidden_state
            pooled = _pool(states, inputs["attention_mask"], recipe.pooling)
            vectors: Floats = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
            return vectors

    return encode


def _positions(config: Any) -> int:
    """The most tokens that the model has places for. Two fewer for RoBERTa's, which begin behind the padding id."""
    places = int(getattr(config, "max_position_embeddings", 512))
    return places - 2 if config.model_type in {"roberta", "xlm-roberta", "mpnet", "camembert"} else places


def _pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text. Shapes: states (texts, tokens, dimensions), mask (texts, tokens)."""
    if pooling == "cls":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar, which would run through a game's console."""
    logging: Any = importlib.import_module("transformers.utils.logging")  # untyped
    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
