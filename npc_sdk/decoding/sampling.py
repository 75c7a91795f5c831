"""Draws the next token from one row of logits, as a request's Sampling says.

Each request has its own generator, so a seeded one repeats whatever else runs. Called by the local engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from npc_sdk.decoding.token_mask import TokenMask
from npc_sdk.errors import EngineError, RequestError
from npc_sdk.requests import Sampling

# Sorting a vocabulary of 256,000 costs a tenth of a decode step; its head nearly always holds the whole nucleus.
HEAD_TOKENS = 1024
MAX_SEED = 2**63 - 1
PENALTIES = (0.01, 100.0)  # beyond them scores overflow
MIN_TEMPERATURE = 1e-6  # colder is greedy to every float32, and overflows


def check_sampling(sampling: Sampling) -> None:
    """Refuses values outside their ranges. Raises: RequestError."""
    rules: tuple[tuple[str, float | int | None, bool, str], ...] = (
        ("temperature", sampling.temperature, 0 <= sampling.temperature < math.inf, "0 or more; 0 is greedy"),
        ("top_p", sampling.top_p, 0 < sampling.top_p <= 1, "above 0, at most 1; 1 switches it off"),
        ("top_k", sampling.top_k, sampling.top_k >= 0, "0 or more; 0 switches it off"),
        ("min_p", sampling.min_p, 0 <= sampling.min_p <= 1, "from 0 to 1; 0 switches it off"),
        (
            "repetition_penalty",
            sampling.repetition_penalty,
            PENALTIES[0] <= sampling.repetition_penalty <= PENALTIES[1],
            f"from {PENALTIES[0]:g} to {PENALTIES[1]:g}; 1 switches it off",
        ),
        ("max_new_tokens", sampling.max_new_tokens, sampling.max_new_tokens >= 1, "1 or more"),
        ("seed", sampling.seed, sampling.seed is None or 0 <= sampling.seed <= MAX_SEED, f"from 0 to {MAX_SEED}"),
    )
    for name, value, is_right, hint in rules:
        if not is_right:
            raise RequestError(f"sampling.{name} is {value!r}", hint=hint)
    if "" in sampling.stop:
        raise RequestError(
            "sampling.stop holds an empty string", hint="it would stop every reply before its first word"
        )


class TokenSampler:
    """One request's way of choosing tokens. Raises: RequestError for values out of range."""

    def __init__(self, sampling: Sampling) -> None:
        check_sampling(sampling)
        self._sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor, history: Sequence[int], mask: TokenMask | None = None) -> int:
        """The next token's id, among those that mask allows. history is the prompt and the reply so far.

        Shapes: logits (vocab,) on the CPU.
        Raises: EngineError where the logits hold no finite maximum.
        """
        scores = logits.float()
        if not math.isfinite(float(scores.max())):
            hint = "the checkpoint may be damaged, or its type too narrow: try dtype float32"
            raise EngineError("the model's logits are not finite numbers", hint=hint)
        if self._sampling.repetition_penalty != 1.0:
            scores = penalize(scores, history, self._sampling.repetition_penalty)
        if mask is not None:
            scores = mask.apply(scores)
        if self._sampling.temperature < MIN_TEMPERATURE:
            return int(scores.argmax())
        return self._draw(torch.softmax(scores / self._sampling.temperature, dim=-1))

    def _draw(self, probs: torch.Tensor) -> int:
        """One id from the distribution after the filters. Mutates: the generator."""
        s = self._sampling
        if not s.top_k and s.top_p == 1 and s.min_p == 0:
            return int(torch.multinomial(probs, 1, generator=self._generator))
        kept, ids = filter_probs(probs, top_k=s.top_k, top_p=s.top_p, min_p=s.min_p)
        return int(ids[torch.multinomial(kept, 1, generator=self._generator)])


def penalize(scores: torch.Tensor, history: Sequence[int], penalty: float) -> torch.Tensor:
    """Scores with every token of history made less likely. Source: CTRL, arXiv 1909.05858, section 4.1."""
    seen = torch.tensor(sorted(set(history)), dtype=torch.long)
    at_seen = scores[seen]
    return scores.index_copy(0, seen, torch.where(at_seen < 0, at_seen * penalty, at_seen / penalty))


def filter_probs(probs: torch.Tensor, *, top_k: int, top_p: float, min_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that pass top-k, then top-p, then min-p, most likely first; at least one always does.

    Shapes: probs (vocab,); both results (kept,), the first unnormalised probabilities, the second ids.
    """
    head, ids = _sorted_head(probs, top_k, top_p, min_p)
    mass_before = head.cumsum(0) - head
    keep = (mass_before < top_p) & (head >= min_p * head[0])
    keep[0] = True
    return head[keep], ids[keep]


def _sorted_head(probs: torch.Tensor, top_k: int, top_p: float, min_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """As many of the most likely tokens, sorted, as the later filters can keep."""
    if top_k:
        head, ids = probs.topk(min(top_k, probs.numel()))
        return head / head.sum(), ids
    head, ids = probs.topk(min(HEAD_TOKENS, probs.numel()))
    reaches_top_p = top_p < 1 and float(head.sum()) >= top_p
    reaches_min_p = float(head[-1]) < min_p * float(head[0])
    if reaches_top_p or reaches_min_p:
        return head, ids
    return probs.sort(descending=True)
