"""A made-up world of any size: passages of words as frequent as in a language, keys, and who knows what.

The same for the same seed. Called by lore.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from npc_sdk.lore.entry import Book, LoreEntry, Rules, Scope
from npc_sdk.lore.scan import Scan, Viewer

SEED = 20
NPCS = 50
FACTIONS = 12
PLACES = 40
LAST_DAY = 10_000
WORDS_A_PASSAGE = (12, 30)
_BOOK = Book("bench")
_SYLLABLES = tuple("".join(pair) for pair in itertools.product("bdfghklmnprstvwz", "aeiou"))
_ZIPF_SHIFT = 2.7  # Mandelbrot's: the first few words are less far ahead of the others


class MadeUpWorld:
    """Words, passages and questions of one size."""

    def __init__(self, passages: int) -> None:
        self._random = random.Random(f"{SEED} {passages}")
        self._words = self._vocabulary(max(2000, int(40 * passages**0.6)))
        self._shares = list(itertools.accumulate(1 / (rank + _ZIPF_SHIFT) for rank in range(len(self._words))))
        self.entries = tuple(self._entry(number) for number in range(passages))

    def scans(self, count: int) -> list[Scan]:
        """What players ask: a few words of some passage among others, every second time one of its keys."""
        return list(itertools.islice(self._scans(), count))

    def _vocabulary(self, size: int) -> list[str]:
        """Different words of two to four syllables, the frequent ones short."""
        words: dict[str, None] = {}
        while len(words) < size:
            syllables = 2 + (len(words) > size // 50) + (len(words) > size // 4)
            words["".join(self._random.choices(_SYLLABLES, k=syllables)) + self._random.choice("nrt")] = None
        return list(words)

    def _draw(self, count: int) -> list[str]:
        return self._random.choices(self._words, cum_weights=self._shares, k=count)

    def _entry(self, number: int) -> LoreEntry:
        text = " ".join(self._draw(self._random.randint(*WORDS_A_PASSAGE)))
        common = self._words[len(self._words) // 100 :]  # what a writer makes a key of is no everyday word
        keys = tuple(" ".join(self._random.choices(common, k=self._random.choice((1, 1, 2)))) for _ in range(3))
        return LoreEntry(
            entry_id=f"made-up.{number}",
            text=f"{text}.",
            keys=keys,
            scope=self._scope(),
            rules=self._rules(),
            book=_BOOK,
        )

    def _scope(self) -> Scope:
        """Half is known to all, the rest to some, somewhere, from some day on."""
        draw = self._random
        part = draw.random()
        if part < 0.5:
            return Scope()
        if part < 0.7:
            return Scope(npc_ids=frozenset({f"npc{draw.randrange(NPCS)}", f"npc{draw.randrange(NPCS)}"}))
        if part < 0.85:
            return Scope(factions=frozenset({f"faction{draw.randrange(FACTIONS)}"}))
        if part < 0.95:
            return Scope(places=frozenset({f"place{draw.randrange(PLACES)}"}))
        return Scope(since=100 * draw.randrange(LAST_DAY // 100), when=f"stage > {draw.randrange(9)}")

    def _rules(self) -> Rules:
        part = self._random.random()
        if part < 0.95:
            return Rules()
        return Rules(sticky=3, cooldown=6) if part < 0.98 else Rules(probability=50.0)

    def _scans(self) -> Iterator[Scan]:
        draw = self._random
        for number in itertools.count():
            about = draw.choice(self.entries)
            words = draw.sample(about.text.rstrip(".").split(), 3) + self._draw(5)
            key = [draw.choice(about.keys)] if number % 2 else []
            said = " ".join(["What do you know of the", *words, *key])
            before = " ".join(self._draw(30))
            viewer = Viewer(
                npc_id=f"npc{draw.randrange(NPCS)}",
                factions=frozenset({f"faction{draw.randrange(FACTIONS)}"}),
                place=f"place{draw.randrange(PLACES)}",
                today=LAST_DAY // 2,
                variables={"stage": 4},
            )
            yield Scan(viewer, (before, said), chance=f"bench {number}")
