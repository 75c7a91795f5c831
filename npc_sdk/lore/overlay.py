"""What one character came to know in play, laid over the world's book for a search: it takes part in every rank.

A few hundred passages at most, prepared again only where they change. Made by book.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from npc_sdk.lore.activation import Activated, Activator
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.language import Language
from npc_sdk.lore.lexical import Bools, Floats, LexicalIndex
from npc_sdk.lore.scan import Scan
from npc_sdk.lore.semantic import SemanticIndex


def indexed_text(entry: LoreEntry) -> str:
    """What the words of an entry are: its text, and its keys but for regular expressions."""
    return " ".join((*_spoken_keys(entry), entry.text))


def meant_text(entry: LoreEntry) -> str:
    """What the meaning of an entry is taken from: its keys tell a model what its text is about."""
    keys = ", ".join(_spoken_keys(entry))
    return f"{keys}: {entry.text}" if keys else entry.text


def _spoken_keys(entry: LoreEntry) -> list[str]:
    return [key for key in entry.keys if not key.startswith("/")]


def searchable(entries: Sequence[LoreEntry]) -> Bools:
    """Which entries words and meaning may bring in. Shapes: (entries,)."""
    return np.asarray([entry.rules.is_enabled and entry.rules.is_searchable for entry in entries], dtype=np.bool_)


class Overlay:
    """Entries that are not in the index. before is what there was until now: its vectors are used again."""

    def __init__(
        self,
        entries: tuple[LoreEntry, ...],
        language: Language,
        semantic: SemanticIndex | None = None,
        before: Overlay | None = None,
    ) -> None:
        self.entries = entries
        self.stems = [language.content_stems(indexed_text(entry)) for entry in entries]
        self.searchable = searchable(entries)
        self._activator = Activator(entries, words=language.words)
        known = before._vectors if before else {}
        self._vectors: dict[str, Floats] = _vectors(entries, semantic, known) if semantic else {}

    def activated(self, scan: Scan) -> Activated:
        """What its own keys and rules do."""
        return self._activator.run(scan, np.ones(len(self.entries), dtype=np.bool_))

    def lexical_scores(self, stems: Iterable[str], index: LexicalIndex) -> Floats:
        """Scores beside those of the index. Shapes: (entries,)."""
        return np.asarray([index.score_text(stems, text) for text in self.stems], dtype=np.float32)

    def semantic_scores(self, text: str, index: SemanticIndex) -> Floats:
        """Scores beside those of the index. Shapes: (entries,)."""
        if not self.entries:
            return np.zeros(0, dtype=np.float32)
        return index.score_vectors(text, np.stack([self._vectors[meant_text(entry)] for entry in self.entries]))


def _vectors(entries: Sequence[LoreEntry], index: SemanticIndex, before: dict[str, Floats]) -> dict[str, Floats]:
    texts = list(dict.fromkeys(map(meant_text, entries)))
    fresh = [text for text in texts if text not in before]
    made = dict(zip(fresh, index.embed(fresh), strict=True)) if fresh else {}
    return {text: made[text] if text in made else before[text] for text in texts}
