"""The regular expressions among the keys, run over what was said at a cost that has an end.

What one run costs is reckoned, not timed, so that a guess ahead of the player and the reply come out the same. Knows no
entries: keys have numbers. Called by lore/heard.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from npc_sdk.lore.key import compile_regex, encodable

Numbers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MAX_CHARS = 2000  # of one text, its last: so much of it an expression reads
MAX_WORK = 12_000_000  # of one turn; at the 3.4 ns that a step takes at worst, some 40 ms
_CALL_WORK = 400  # of a run itself, whatever it reads


class Effort:
    """What the expressions of one turn may still cost. Units: steps, an instruction over a byte each."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work

    def spend(self, costs: Numbers) -> int:
        """How many of these, from the first on, can be run; once one cannot, no later one is. Mutates: what is left."""
        total = np.cumsum(costs)
        count = int(np.searchsorted(total, self._left, side="right"))
        self._left = self._left - int(total[-1]) if count == len(costs) else 0
        return count


class RegexIndex:
    """Each expression once, with the numbers of the keys that are written so. Shapes: numbers (regex keys,)."""

    def __init__(self, keys: Mapping[str, Sequence[int]]) -> None:
        """Raises: KeyFault for an expression that cannot be run."""
        self._patterns = tuple(map(compile_regex, keys))
        self._sizes: Numbers = np.array([pattern.programsize for pattern in self._patterns], np.int64)
        self.numbers: Numbers = np.array([number for numbers in keys.values() for number in numbers], np.int64)
        self._pattern_of = np.repeat(np.arange(len(keys)), [len(numbers) for numbers in keys.values()])

    def find(self, text: str, wanted: Mask, effort: Effort) -> tuple[Mask, Mask]:
        """Which of the wanted keys the text holds, and which were not tried. Mutates: the effort.

        Shapes: wanted and both results (regex keys,).
        """
        patterns = np.unique(self._pattern_of[wanted])
        if not patterns.size:
            return np.zeros_like(wanted), np.zeros_like(wanted)
        clean = encodable(text)
        said, read = clean.encode(), len(clean[-MAX_CHARS:].encode())
        tried = effort.spend(self._sizes[patterns] * read + _CALL_WORK)
        holds = np.zeros(len(self._patterns), np.bool_)
        for at in patterns[:tried].tolist():  # begun inside the text and not at a cut: ^ is where the text begins
            holds[at] = self._patterns[at].search(said, len(said) - read) is not None
        is_untried = np.zeros(len(self._patterns), np.bool_)
        is_untried[patterns[tried:]] = True
        return wanted & holds[self._pattern_of], wanted & is_untried[self._pattern_of]
