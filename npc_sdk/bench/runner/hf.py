"""transformers in bf16, one forward pass a token with its own cache."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.stepper import Stepper


class HfRunner(Stepper):
    """options: model (a checkpoint's folder), device."""

    def __init__(self) -> None:
        self._library: Any = importlib.import_module("transformers")
        self._cache: Any = None

    def start(self, options: Mapping[str, Any]) -> Figures:
        started = time.perf_counter()
        load = self._library.AutoModelForCausalLM.from_pretrained
        self._model = load(options["model"], dtype=torch.bfloat16).to(options.get("device", "cpu")).eval()
        return {"load_s": time.perf_counter() - started}

    def prefill(self, ids: Sequence[int], room: int) -> int:
        del room  # its cache grows
        self._cache = None
        return self._forward(list(ids))

    def step(self, token_id: int) -> int:
        return self._forward([token_id])

    def close(self) -> None:
        del self._model

    @torch.inference_mode()
    def _forward(self, ids: list[int]) -> int:
        inputs = torch.tensor([ids], device=self._model.device)
        out = self._model(inputs, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache = out.past_key_values
        return int(out.logits[0, -1].argmax())
