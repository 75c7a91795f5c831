"""How much one engine takes on, and how it shares its steps out. Given to engine.py by whoever makes the engine."""

from __future__ import annotations

from dataclasses import dataclass

from npc_sdk.engine.local.scheduler import AGEING_S, BUSY_CHUNK_TOKENS, CHUNK_TOKENS
from npc_sdk.engine.local.speculation import DRAFT_TOKENS
from npc_sdk.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one engine takes on. Units: queue and running in requests; running ones hold blocks of the cache.

    busy_chunk_tokens is what a prompt gets of a step beside replies under way, and one of a class below the player's.
    draft_tokens is the most of a reply that is guessed ahead of the model, where that is faster; 0 guesses nothing.
    fast_forward feeds tokens that a constraint forces without a step each.
    """

    queue: int = 64
    running: int = 8
    chunk_tokens: int = CHUNK_TOKENS
    busy_chunk_tokens: int = BUSY_CHUNK_TOKENS
    ageing_s: float = AGEING_S
    draft_tokens: int = DRAFT_TOKENS
    fast_forward: bool = True

    def __post_init__(self) -> None:
        """Raises: SettingsError."""
        for name in ("queue", "running", "chunk_tokens", "busy_chunk_tokens"):
            if getattr(self, name) < 1:
                raise SettingsError(f"limits.{name} is {getattr(self, name)!r}", hint="1 or more")
        if self.draft_tokens < 0:
            raise SettingsError(f"limits.draft_tokens is {self.draft_tokens!r}", hint="0 or more; 0 guesses nothing")
        if self.ageing_s <= 0:
            raise SettingsError(f"limits.ageing_s is {self.ageing_s!r}", hint="above 0; a large number for no ageing")


DEFAULT_LIMITS = Limits()
