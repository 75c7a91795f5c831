"""Grammars over a vocabulary: which tokens may come next, which must, and when a run is whole.

The one place that knows llguidance. MaskCompiler is the engine's, one a model; a TokenMask is one run's, owned by the
model's thread.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import llguidance
import numpy as np
import torch

from npc_sdk.errors import EngineError, RequestError

KEPT_GRAMMARS = 64  # compiled ones; a village has one an NPC and state of its game
_ERROR_CHARS = 300
# Tokens of plain text are looked up in one go where a grammar allows all such text: 0.1 ms instead of 2 at 256,000.
COMMON_TEXT = r"[^<{}\[\]\"\\\x00-\x1f\x7f]{1,30}"


class Vocabulary(Protocol):
    """What a grammar must know of a model's tokens."""

    @property
    def vocab_size(self) -> int:
        """One more than the highest id."""
        ...

    def as_json(self) -> str:
        """A tokenizers file in which control tokens alone are special."""
        ...

    def encode_written(self, text: str) -> list[int]:
        """The ids that a model writes this text in: markers of calls are their own tokens where it has them."""
        ...


class MaskCompiler:
    """Raises: EngineError for a vocabulary that grammars cannot run on. Safe to use from several threads.

    stop_ids may be empty: then a run ends where its grammar leaves nothing to write. Building takes a second for
    256,000 tokens.
    """

    def __init__(self, vocabulary: Vocabulary, stop_ids: Sequence[int]) -> None:
        self._vocab_size = vocabulary.vocab_size
        self._tokens = _tokens(vocabulary, list(stop_ids))
        self._compiled: OrderedDict[str, llguidance.LLMatcher] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """Grammars that need not be compiled again."""
        return len(self._compiled)

    def start(self, grammar: str, *, has_fast_forward: bool = True) -> TokenMask:
        """A fresh run of a grammar. Raises: RequestError for one that cannot be compiled.

        Mutates: keeps the KEPT_GRAMMARS used last.
        """
        with self._lock:
            matcher = self._compiled.get(grammar)
            if matcher is not None:
                self._compiled.move_to_end(grammar)
        if matcher is None:
            matcher = self._compile(grammar)
        words = (self._tokens.vocab_size + 31) // 32
        return TokenMask(matcher.deep_copy(), self._vocab_size, words, has_fast_forward=has_fast_forward)

    def _compile(self, grammar: str) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(self._tokens, grammar, log_level=0)
        if matcher.is_error():
            hint = "a tool's parameters, or the wanted JSON, use a keyword that cannot be kept to while writing"
            raise RequestError(f"the constraint cannot be compiled: {matcher.get_error()[:_ERROR_CHARS]}", hint=hint)
        with self._lock:
            self._compiled[grammar] = matcher
            while len(self._compiled) > KEPT_GRAMMARS:
                self._compiled.popitem(last=False)
        return matcher


class _Wrapped(llguidance.TokenizerWrapper):
    """The vocabulary as llguidance takes it: bytes of every token, and our tokenizer for forced text.

    Its own copy of a tokenizer would hold another 80 MB for 256,000 tokens.
    """

    def __init__(self, vocabulary: Vocabulary, tokens: list[bytes], special_ids: list[int], end_id: int) -> None:
        self.is_tokenizer_wrapper = True
        self.eos_token_id = end_id
        self.bos_token_id = None
        self.tokens = tokens
        self.special_token_ids = special_ids
        self.whole: llguidance.LLTokenizer | None = None
        self._vocabulary = vocabulary

    def __call__(self, text: str) -> list[int]:
        """The ids of forced text, which must be its very bytes: some tokenizers begin every text with a blank."""
        ids = self._vocabulary.encode_written(text)
        if self.whole is None or self.whole.decode_bytes(ids) == text.encode():
            return ids
        greedy: list[int] = self.whole.greedy_tokenize(text)
        return greedy


def _tokens(vocabulary: Vocabulary, ends: list[int]) -> llguidance.LLTokenizer:
    """Raises: EngineError."""
    size = vocabulary.vocab_size
    try:
        read = llguidance.LLTokenizer(vocabulary.as_json(), n_vocab=size, slices=[])
        tokens = [read.decode_bytes([token_id]) for token_id in range(size)]
        special = [token_id for token_id in range(size) if read.is_special_token(token_id)]
        if not ends:  # llguidance wants one: this lies behind all that the model can say
            tokens, special, ends = [*tokens, b"<|no end|>"], [*special, size], [size]
        wrapped = _Wrapped(vocabulary, tokens, special, ends[0])
        out = llguidance.LLTokenizer(wrapped, n_vocab=len(tokens), eos_token=ends, slices=[COMMON_TEXT])
        wrapped.tokens = []  # copied
        wrapped.whole = out
    except Exception as exc:  # the Rust side raises bare ones
        message = f"the model's vocabulary cannot be constrained: {exc}"
        raise EngineError(message, hint="its tokenizer is of a kind that llguidance does not know") from exc
    return out


class TokenMask:
    """One run under a grammar. words of 32 tokens each make a mask. Mutates: take moves it on.

    Units: took_s is the time spent on masks so far, steps how many were made.
    """

    def __init__(
        self, matcher: llguidance.LLMatcher, vocab_size: int, words: int, *, has_fast_forward: bool = True
    ) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size
        self._has_fast_forward = has_fast_forward
        self._bits = np.zeros(words, dtype=np.int32)
        self._known_bits = np.full_like(self._bits, -1)
        self._blocked = torch.zeros(vocab_size, dtype=torch.bool)  # as _known_bits says
        self.took_s = 0.0
        self.steps = 0

    @property
    def is_accepting(self) -> bool:
        """Whether the run may end here."""
        return bool(self._matcher.is_accepting())

    @property
    def is_complete(self) -> bool:
        """Whether the run can only end here."""
        return bool(self._matcher.is_stopped())

    def begin(self) -> list[int]:
        """The tokens that a run must begin with, past which it has moved. Raises: EngineError."""
        return self._forced()

    def apply(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores with every token that may not come next at minus infinity; rows behind the vocabulary never may.

        Shapes: (rows,) both, on the CPU.
        Raises: EngineError where no token may.
        """
        started = time.perf_counter()
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        if not np.array_equal(self._bits, self._known_bits):  # in speech one mask follows another just like it
            self._known_bits[:] = self._bits
            bits = np.unpackbits(self._bits.view(np.uint8), count=self._vocab_size, bitorder="little")
            self._blocked = torch.from_numpy(bits == 0)
            if not bits.any():
                hint = "report the tools or schema of the request"
                raise EngineError("the constraint allows no token here", hint=hint)
        masked = scores[: self._vocab_size].masked_fill(self._blocked, -torch.inf)
        if len(scores) > self._vocab_size:
            masked = torch.nn.functional.pad(masked, (0, len(scores) - self._vocab_size), value=-torch.inf)
        self.took_s += time.perf_counter() - started
        self.steps += 1
        return masked

    def take(self, token_id: int) -> list[int]:
        """Moves past a token; the tokens that must follow it, past which it has moved as well. Raises: EngineError."""
        started = time.perf_counter()
        self._matcher.consume_token(token_id)
        forced = self._forced()
        self.took_s += time.perf_counter() - started
        return forced

    def _forced(self) -> list[int]:
        forced = self._matcher.compute_ff_tokens() if self._has_fast_forward else []
        if forced:
            self._matcher.consume_tokens(forced)
        self._check()
        return list(forced)

    def _check(self) -> None:
        """Raises: EngineError once the matcher is broken; it never recovers."""
        if self._matcher.is_error():
            message = f"the constraint failed: {self._matcher.get_error()[:_ERROR_CHARS]}"
            raise EngineError(message, hint="report the tools or schema of the request")
