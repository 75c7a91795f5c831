"""Steps the model for one sequence at a time: a chunk of prompt or one token, on its own cache.

Knows neither queues nor sampling. Owned by the worker's thread.
"""

from __future__ import annotations

import time

import torch

from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.sequence import Sequence

CHUNK_TOKENS = 256  # of prompt in one step: bounds how long a cancel or another player's token waits


class Runner:
    """The model with the caches of ended sequences."""

    def __init__(self, decoder: Decoder, prefix_cache: PrefixCache, *, chunk_tokens: int = CHUNK_TOKENS) -> None:
        self._decoder = decoder
        self._prefix_cache = prefix_cache
        self._chunk_tokens = chunk_tokens

    @torch.inference_mode()
    def run(self, sequence: Sequence) -> torch.Tensor | None:
        """Computes a sequence's next tokens; its next logits once none is left, else None.

        Shapes: (vocab,) on the CPU.
        Mutates: the sequence's cache and clock.
        """
        started = time.perf_counter()
        if sequence.clock.started is None:
            sequence.clock.started = started
        cache = self._cache_of(sequence)
        pending = sequence.tokens[cache.length : cache.length + self._chunk_tokens]
        hidden = self._decoder.hidden(pending, cache)
        is_complete = cache.length == len(sequence.tokens)
        logits = self._decoder.logits(hidden[-1:])[0].cpu() if is_complete else None
        if sequence.clock.first_token is None:
            sequence.clock.prefill_s += time.perf_counter() - started
        return logits

    def close(self) -> None:
        """Frees the model and every cache that was kept."""
        self._prefix_cache.clear()
        self._decoder.close()

    def release(self, sequence: Sequence) -> None:
        """Takes a sequence's cache away and keeps it for prompts that begin alike. Mutates: the sequence."""
        cache, sequence.cache = sequence.cache, None
        if cache is not None:
            self._prefix_cache.put(sequence.tokens[: cache.length], cache)

    def discard(self, sequence: Sequence) -> None:
        """Drops a cache that a failed step may have left wrong. Mutates: the sequence."""
        sequence.cache = None

    def _cache_of(self, sequence: Sequence) -> KVCache:
        """The sequence's cache; at its first step, or after it was taken away, what the prefix cache has of it."""
        if sequence.cache is None:
            # The last token must pass through the model again: its logits are what the step is for.
            cache = self._prefix_cache.take(sequence.tokens[:-1]) or KVCache(self._decoder.cache_shape)
            cache.reserve(len(sequence.tokens))
            sequence.cache = cache
            if sequence.cached_tokens is None:
                sequence.cached_tokens = cache.length
        return sequence.cache
