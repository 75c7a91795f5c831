"""onnxruntime-genai on the CPU with its own choice of threads."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.stepper import Stepper


class OrtRunner(Stepper):
    """options: model (a folder of its builder)."""

    def __init__(self) -> None:
        self._genai: Any = importlib.import_module("onnxruntime_genai")
        self._generator: Any = None

    def start(self, options: Mapping[str, Any]) -> Figures:
        started = time.perf_counter()
        config = self._genai.Config(str(options["model"]))
        config.clear_providers()
        self._model = self._genai.Model(config)
        return {"load_s": time.perf_counter() - started}

    def prefill(self, ids: Sequence[int], room: int) -> int:
        self._generator = None  # its cache goes before the next one's comes
        length = len(ids) + room + 1
        settings = self._genai.GeneratorParams(self._model)
        settings.set_search_options(max_length=length, min_length=length, do_sample=False)
        self._generator = self._genai.Generator(self._model, settings)
        self._generator.append_tokens(np.array(ids, dtype=np.int32))
        self._generator.generate_next_token()
        return 0

    def step(self, token_id: int) -> int:
        """The generator reads its own last token. token_id: not needed."""
        if self._generator.is_done():
            raise RuntimeError("the reply ended before all its tokens were there")
        self._generator.generate_next_token()
        return token_id

    def close(self) -> None:
        self._generator = None
        del self._model
