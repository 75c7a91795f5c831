"""llama.cpp through the low-level calls of llama-cpp-python: one context whose thread count can be changed."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npc_sdk.bench.runner.interface import Figures
from npc_sdk.bench.runner.stepper import Stepper

BATCH_TOKENS = 512


class LlamaRunner(Stepper):
    """options: model (a GGUF file), threads, context."""

    def __init__(self) -> None:
        self._llama: Any = importlib.import_module("llama_cpp")
        self._length = 0

    def start(self, options: Mapping[str, Any]) -> Figures:
        started = time.perf_counter()
        llama = self._llama
        llama.llama_backend_init()
        self._model = llama.llama_model_load_from_file(
            str(options["model"]).encode(), llama.llama_model_default_params()
        )
        settings = llama.llama_context_default_params()
        settings.n_ctx = options["context"]
        settings.n_batch = settings.n_ubatch = BATCH_TOKENS
        settings.n_threads = settings.n_threads_batch = options["threads"]
        self._context = llama.llama_init_from_model(self._model, settings)
        if not self._context:
            raise RuntimeError(f"llama.cpp could not load {options['model']!r}")
        self._vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self._model))
        return {"load_s": time.perf_counter() - started}

    def use_threads(self, threads: int) -> None:
        self._llama.llama_set_n_threads(self._context, threads, threads)

    def prefill(self, ids: Sequence[int], room: int) -> int:
        del room  # the context was made for all
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self._context), True)
        self._length = 0
        token_id = 0
        for first in range(0, len(ids), BATCH_TOKENS):
            token_id = self._decode_batch(ids[first : first + BATCH_TOKENS])
        return token_id

    def step(self, token_id: int) -> int:
        return self._decode_batch([token_id])

    def close(self) -> None:
        self._llama.llama_free(self._context)
        self._llama.llama_model_free(self._model)

    def _decode_batch(self, ids: Sequence[int]) -> int:
        """Runs some tokens and picks the likeliest after the last."""
        llama = self._llama
        array = (llama.llama_token * len(ids))(*ids)
        code = llama.llama_decode(self._context, llama.llama_batch_get_one(array, len(ids)))
        if code:
            raise RuntimeError(f"llama_decode of {len(ids)} tokens after {self._length} returned {code}")
        self._length += len(ids)
        logits = llama.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self._vocab,)).argmax())
