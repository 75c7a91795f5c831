"""Steps the model for several sequences at once, each on its own blocks of the pool, with drafts where they pay.

Knows neither queues nor sampling. Owned by the worker's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence as SequenceOf
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

import torch

from npc_sdk.engine.local.batch import Work
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.lease import Lease
from npc_sdk.engine.local.prefix_cache import PrefixCache
from npc_sdk.engine.local.sequence import Sequence
from npc_sdk.engine.local.snapshot import Snapshot, put, take
from npc_sdk.engine.local.speculation import Speculation

Replay: TypeAlias = Callable[[SequenceOf[Work]], torch.Tensor | None]
Pacing: TypeAlias = Callable[[int], AbstractContextManager[object]]


class Runner:
    """The model with the pool that its sequences share. draft_tokens: the most that are guessed of a reply at once.

    pacing is entered around each pass of so many rows through the model. replay gives the scores of a step that it has
    recorded, None for any other.
    """

    def __init__(
        self,
        decoder: Decoder,
        pool: BlockPool,
        prefix_cache: PrefixCache,
        draft_tokens: int = 0,
        pacing: Pacing = nullcontext,
        replay: Replay | None = None,
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._prefix_cache = prefix_cache
        self._has_wide = decoder.has_wide
        self._speculation = Speculation(draft_tokens)
        self._pacing = pacing
        self._replay = replay
        self._runs = 0

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

        Shapes: (1 + drafted tokens, vocab) on the CPU.
        Mutates: caches, clocks, drafts, the prefix cache.
        """
        self._draft(sequences)
        self._runs += 1
        number, started = self._runs, time.perf_counter()
        works = [self._work(one, _chunk_end(one, chunk_tokens)) for one in _wide_first(sequences)]
        rows = sum(len(work.ids) for work in works)
        with self._pacing(rows):
            scores = self._replay(works) if self._replay else None
            if scores is None:
                scores = self._eager(works, between_layers)
            else:
                scores = scores.cpu()  # done, so that the rest is measured by the work
                between_layers()
        logits = _by_cache(scores, works)
        took_s = time.perf_counter() - started
        is_undisturbed = number == self._runs
        if is_undisturbed and rows == sum(work.logit_rows for work in works):
            self._speculation.note_step(len(sequences), rows, took_s)
        return [self._note(one, chunk_tokens, logits, took_s) for one in sequences]

    def take(self, prompt: SequenceOf[int], bulk_tokens: int | None) -> Snapshot:
        """Copies out what the cache holds of a front. Raises: RequestError where that is not all of it."""
        return take(self._pool, self._prefix_cache, prompt, self.front_wide(len(prompt), bulk_tokens))

    def put(self, snapshot: Snapshot) -> int:
        """Puts a front into the cache; its tokens. Raises: SettingsError, Overloaded where there is no room."""
        return put(snapshot, self._pool, self._prefix_cache)

    def release(self, sequence: Sequence) -> None:
        """Takes a sequence's blocks and keeps what they hold for prompts that begin alike. Mutates: the sequence."""
        lease, sequence.lease = sequence.lease, None
        if lease is not None:
            lease.publish(sequence.tokens)  # a draft that came true may have filled a block since the step
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
        """The position from which on a sequence takes the narrow kernel: where what is read in bulk ends.

        Where nobody says it is the whole prompt but for its last block. It follows from the request alone, so that
        neither chunks nor neighbours nor reuse change a rounding; and the words after it, which come a few at a time
        while they are typed, never wait for the weights that many rows want restored.
        """
        return self.front_wide(sequence.prompt_tokens - (not sequence.is_prefill), sequence.bulk_tokens)

    def front_wide(self, tokens: int, bulk_tokens: int | None) -> int:
        """How many tokens of a front take the wide kernel."""
        if not self._has_wide:
            return 0
        return tokens // BLOCK_TOKENS * BLOCK_TOKENS if bulk_tokens is None else min(bulk_tokens, tokens)

    def _draft(self, sequences: SequenceOf[Sequence]) -> None:
        """Guesses how replies go on, where nobody's prompt is in the step and it pays. Mutates: the drafts."""
        for one in sequences:
            one.draft = ()
        if self._speculation.most and all(one.is_decoding for one in sequences):
            guesses = [one.guesser.guess(self._draft_room(one)) for one in sequences]
            shares = self._speculation.share_out(guesses)
            for one, guess, share in zip(sequences, guesses, shares, strict=True):
                one.draft = guess.ids[:share]

    def _draft_room(self, sequence: Sequence) -> int:
        """Tokens that may be drafted: those that the reply could still take, in the block that it is in.

        So a draft takes no block from anybody, and is one attention call with the token before it.
        """
        lease = sequence.lease
        assert lease is not None
        return min(self._speculation.most, sequence.tokens_left - 1, lease.cache.capacity - len(sequence.tokens))

    def _work(self, sequence: Sequence, end: int) -> Work:
        """A sequence's part of the step."""
        lease = sequence.lease
        assert lease is not None, f"request {sequence.request.request_id!r} was not admitted"
        first = lease.length
        wide_rows = max(0, min(end, lease.wide_until) - first)
        is_sampled = end == len(sequence.tokens) and not sequence.is_prefill
        ids = [*sequence.tokens[first:end], *sequence.draft]
        return Work(lease.cache, ids, wide_rows, 1 + len(sequence.draft) if is_sampled else 0)

    def _eager(self, works: SequenceOf[Work], between_layers: Callable[[], None]) -> torch.Tensor:
        """The scores after the rows where they are wanted. Mutates: the pool. Shapes: (wanted rows, vocab)."""
        batch = self._decoder.batch(works)
        hidden = self._decoder.hidden(batch, self._pool, between_layers)
        return self._decoder.logits(hidden[batch.sampled]) if batch.sampled else hidden[:0]

    def _note(
        self, sequence: Sequence, chunk_tokens: int, logits: dict[int, torch.Tensor], took_s: float
    ) -> torch.Tensor | None:
        """Publishes what a sequence computed, but for its draft, and counts its time; its logits.

        Mutates: lease, clock.
        """
        assert sequence.lease is not None
        sequence.lease.cache.advance(_chunk_end(sequence, chunk_tokens) - sequence.lease.length)
        sequence.lease.publish(sequence.tokens)
        sequence.seen_tokens = max(sequence.seen_tokens, sequence.lease.length)
        if sequence.clock.first_token is None:
            sequence.clock.prefill_s += took_s
        return logits.get(id(sequence.lease.cache))


def _by_cache(scores: torch.Tensor, works: SequenceOf[Work]) -> dict[int, torch.Tensor]:
    """Scores by the identity of the cache that they belong to, on the CPU."""
    sampled = [work for work in works if work.logit_rows]
    rows = torch.split(scores.cpu(), [work.logit_rows for work in sampled])
    return {id(work.cache): own for work, own in zip(sampled, rows, strict=True)}


def _wide_first(sequences: SequenceOf[Sequence]) -> list[Sequence]:
    """The prompt first, if there is one: its wide rows must be the batch's first."""
    return sorted(sequences, key=lambda one: one.is_decoding)


def _chunk_end(sequence: Sequence, chunk_tokens: int) -> int:
    """Where a sequence's next step ends: at the end of a block where the chunk reaches one, else where it is full."""
    first = sequence.lease.length if sequence.lease else 0
    end = first + chunk_tokens
    if end >= len(sequence.tokens):
        return len(sequence.tokens)
    whole = end // BLOCK_TOKENS * BLOCK_TOKENS
    return whole if whole > first else end
