"""Draws that come out the same whenever they are asked for again: a guess ahead of the player and the reply agree.

Called by lore/activation.py and lore/group.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Draw: TypeAlias = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Lots:
    """chance is what this conversation draws from; length is the count of its messages, for each turn draws anew."""

    chance: str
    length: int

    def draw(self, what: str) -> float:
        """A number from 0 to 1, 1 left out, for one question."""
        asked = f"{self.chance}\0{what}\0{self.length}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(asked, digest_size=6).digest()) / 2**48
