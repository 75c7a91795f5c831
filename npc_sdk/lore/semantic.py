"""The meaning of all passages as one matrix of vectors; a query is held against each passage that it may see.

The search is exact. Knows no model: whatever makes vectors of texts is an Embedder, sentence_model.py holds one. Built
and asked by book.py.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from npc_sdk.lore.lexical import Bools, Floats

# Chosen with `npc eval lore` and all-MiniLM-L6-v2: what lies below it is hardly ever what was asked for.
MIN_SIMILARITY = 0.25
_FEW = 0.1  # of the passages; so few are picked out of the matrix, of more all are computed
_KEPT_QUERIES = 32  # a guess ahead of the player asks the same as the reply

OnDone = Callable[[int], None]


class Embedder(Protocol):
    """Makes vectors of length 1 from texts, the same each time. fingerprint names the model that does."""

    @property
    def fingerprint(self) -> str: ...

    def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:
        """The vectors of passages; on_done hears how many are done. Shapes: (texts, dimensions)."""
        ...

    def query(self, text: str) -> Floats:
        """The vector of what somebody said. Shapes: (dimensions,)."""
        ...


def load_embedder(folder: Path | str, *, device: str = "cpu") -> Embedder:
    """The sentence-transformers model of a folder, ready for texts. Raises: ModelFormatError."""
    from npc_sdk.lore.sentence_model import SentenceModel

    model = SentenceModel(folder, device=device)
    model.load()
    return model


class SemanticIndex:
    """Shapes: matrix (passages, dimensions), each row of length 1."""

    def __init__(self, matrix: Floats, embedder: Embedder, min_similarity: float = MIN_SIMILARITY) -> None:
        self._matrix = matrix
        self._embedder = embedder
        self._queries: OrderedDict[str, Floats] = OrderedDict()
        self.min_similarity = min_similarity

    def fresh(self) -> SemanticIndex:
        """The same index with no query remembered: what is timed must not be."""
        return SemanticIndex(self._matrix, self._embedder, self.min_similarity)

    def scores(self, text: str, allowed: Bools) -> Floats:
        """The likeness of each allowed passage, 0 where it is below the least or not allowed. Shapes: (passages,)."""
        query = self._query(text)
        few = np.flatnonzero(allowed) if np.count_nonzero(allowed) < _FEW * len(allowed) else None
        if few is None:
            out = self._matrix @ query
        else:
            out = np.zeros(len(allowed), dtype=np.float32)
            out[few] = self._matrix[few] @ query
        out[(out < self.min_similarity) | ~allowed] = 0.0
        return out

    def score_vectors(self, text: str, vectors: Floats) -> Floats:
        """As scores, for vectors that are not in the index. Shapes: vectors (texts, dimensions) -> (texts,)."""
        out: Floats = vectors @ self._query(text)
        out[out < self.min_similarity] = 0.0
        return out

    def embed(self, texts: Sequence[str]) -> Floats:
        """The vectors of further passages. Shapes: (texts, dimensions)."""
        return self._embedder.passages(texts)

    def _query(self, text: str) -> Floats:
        """Mutates: the last queries."""
        if text not in self._queries:
            self._queries[text] = self._embedder.query(text)
            if len(self._queries) > _KEPT_QUERIES:
                self._queries.popitem(last=False)
        return self._queries[text]
