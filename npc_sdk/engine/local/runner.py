"""Steps the model for several sequences at once, each on its own blocks of the pool.

Knows neither queues nor sampling. Owned by the worker's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence as SequenceOf

import torch

from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.sequence import Sequence


class Runner:
    """The model with the pool that its sequences share."""

    def __init__(self, decoder: Decoder, pool: BlockPool, prefix_cache: PrefixCache) -> None:
        self._decoder = decoder
        self._pool = pool
        self._prefix_cache = prefix_cache
        self._has_wide = decoder.has_wide

    def admit(self, sequence: Sequence, chunk_tokens: int) -> bool:
        """Gives a sequence room for its next step, and what others have computed of it; False where there is none.

        Mutates: the sequence's lease and clock; the prefix cache.
        """
        lease = sequence.lease or Lease(self._pool, self._prefix_cache, self._wide_until(sequence))
        known = max(lease.length, sequence.seen_tokens)  # what it did itself before it gave way is no reuse
        if sequence.pending_tokens > 1 or sequence.lease is None:
            lease.adopt(sequence.reusable)
        if sequence.lease is None and not lease.fits(len(sequence.tokens)):
            lease.release(sequence.tokens)
            return False
        sequence.lease = lease
        sequence.cached_tokens += max(0, min(lease.length, sequence.prompt_tokens) - known)
        if sequence.clock.started is None:
            sequence.clock.started = time.perf_counter()
        return lease.reserve(_chunk_end(sequence, chunk_tokens))

    @torch.inference_mode()
    def run(
        self, sequences: SequenceOf[Sequence], chunk_tokens: int, between_layers: Callable[[], None]
    ) -> list[torch.Tensor | None]:
        """One step for sequences that were admitted: each one's next logits, None where its prompt goes on.

        between_layers may run other sequences, to their end or not; those of this step are unchanged until it returns.

        Shapes: (vocab,) on the CPU.
        Mutates: caches, clocks, the prefix cache.
        """
        started = time.perf_counter()
        works = [self._work(one, _chunk_end(one, chunk_tokens)) for one in _wide_first(sequences)]
        batch = self._decoder.batch(works)
        hidden = self._decoder.hidden(batch, self._pool, between_layers)
        rows = iter(self._decoder.logits(hidden[batch.sampled]).cpu() if batch.sampled else ())
        results = {id(work.cache): next(rows) if work.has_logits else None for work in works}
        for work in works:
            work.cache.advance(len(work.ids))
        return [self._note(one, results, time.perf_counter() - started) for one in sequences]

    def release(self, sequence: Sequence) -> None:
        """Takes a sequence's blocks and keeps what they hold for prompts that begin alike. Mutates: the sequence."""
        lease, sequence.lease = sequence.lease, None
        if lease is not None:
            lease.release(sequence.tokens)

    def discard(self, sequence: Sequence) -> None:
        """Drops blocks that a failed step may have left wrong. Mutates: the sequence."""
        lease, sequence.lease = sequence.lease, None
        if lease is not None:
            lease.discard()

    def close(self) -> None:
        """Frees the model and every block that was kept."""
        self._prefix_cache.clear()
        self._pool.close()
        self._decoder.close()

    def _wide_until(self, sequence: Sequence) -> int:
        """The position from which on a sequence takes the narrow kernel: where its stable front ends.

        Where no front is known it is the whole prompt but for its last block. It follows from the request alone, so
        that neither chunks nor neighbours nor reuse change a rounding; and what a conversation adds to the front is
        computed alike when it is new and when it is history.
        """
        prompt = sequence.prompt_tokens - (not sequence.is_prefill)
        stable = prompt if sequence.stable_tokens is None else min(sequence.stable_tokens, prompt)
        return stable // BLOCK_TOKENS * BLOCK_TOKENS if self._has_wide else 0

    def _work(self, sequence: Sequence, end: int) -> Work:
        """A sequence's part of the step."""
        lease = sequence.lease
        assert lease is not None, f"request {sequence.request.request_id!r} was not admitted"
        first = lease.length
        wide_rows = max(0, min(end, lease.wide_until) - first)
        has_logits = end == len(sequence.tokens) and not sequence.is_prefill
        return Work(lease.cache, sequence.tokens[first:end], wide_rows, has_logits)

    def _note(self, sequence: Sequence, results: dict[int, torch.Tensor | None], took_s: float) -> torch.Tensor | None:
        """Publishes what a sequence computed and counts its time; its logits. Mutates: lease, clock."""
        assert sequence.lease is not None
        sequence.lease.publish(sequence.tokens)
        sequence.seen_tokens = max(sequence.seen_tokens, sequence.lease.length)
        if sequence.clock.first_token is None:
            sequence.clock.prefill_s += took_s
        return results[id(sequence.lease.cache)]


def _wide_first(sequences: SequenceOf[Sequence]) -> list[Sequence]:
    """The prompt first, if there is one: its wide rows must be the batch's first."""
    return sorted(sequences, key=lambda one: one.pending_tokens == 1)


def _chunk_end(sequence: Sequence, chunk_tokens: int) -> int:
    """Where a sequence's next step ends: at the end of a block where the chunk reaches one, else where it is full."""
    first = sequence.lease.length if sequence.lease else 0
    end = first + chunk_tokens
    if end >= len(sequence.tokens):
        return len(sequence.tokens)
    whole = end // BLOCK_TOKENS * BLOCK_TOKENS
    return whole if whole > first else end
