"""The account of a compiled prompt: every part with its tokens, in or out and why. `npc prompt` prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

PartKind: TypeAlias = Literal["system", "tool", "knows", "history", "situation", "lore", "words", "opening", "call"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a prompt. A "call" is a declared tool that cannot be called at this moment.

    Units: tokens as counted alone; the joined prompt is counted exactly elsewhere.
    """

    kind: PartKind
    name: str
    tokens: int
    is_in: bool
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Parts in prompt order. Units: tokens."""

    parts: tuple[Part, ...]
    total_tokens: int
    window_tokens: int
    reply_tokens: int

    @property
    def dropped(self) -> tuple[Part, ...]:
        """What did not get in."""
        return tuple(part for part in self.parts if not part.is_in)
