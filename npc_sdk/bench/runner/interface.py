"""What every engine in a child process can be told to do, and the figures that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Figures: TypeAlias = dict[str, Any]


class Runner(Protocol):
    """An engine that is measured. Greedy and never ended by a token, so that counts are what was asked for."""

    def start(self, options: Mapping[str, Any]) -> Figures:
        """Loads the model; what is worth knowing of that."""
        ...

    def do(self, order: str, arguments: Mapping[str, Any]) -> Figures:
        """Carries one order out; LookupError for one that this runner does not know."""
        ...

    def close(self) -> None:
        """Frees what was loaded."""
        ...


def decode_figures(token_times_s: Sequence[float]) -> Figures:
    """Tokens a second from the times of single tokens."""
    return {"tokens": len(token_times_s), "tokens_per_s": len(token_times_s) / sum(token_times_s)}


def prefill_figures(tokens: int, first_token_s: float) -> Figures:
    """Tokens a second of a prompt, up to the first token of the reply."""
    return {"tokens": tokens, "first_token_s": first_token_s, "tokens_per_s": tokens / first_token_s}
