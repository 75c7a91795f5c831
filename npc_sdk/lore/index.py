"""Everything about a book that is the same for all searches: its entries in arrays, and the indexes over them.

Made by book.py, from the disk where it is kept there; read by turn.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from npc_sdk.lore.activation import Activator
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.index_store import MEANING, IndexStore, OnProgress
from npc_sdk.lore.knowledge import Knowledge
from npc_sdk.lore.language import Language
from npc_sdk.lore.lexical import Bools, Floats, LexicalIndex, build_lexical
from npc_sdk.lore.overlay import indexed_text, meant_text, searchable
from npc_sdk.lore.semantic import MIN_SIMILARITY, Embedder, SemanticIndex

_STEP = 1000  # passages between two words about how far it is


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each rank counts. The default is what `npc eval lore` found best for the sample village."""

    keyed: float = 2.0
    lexical: float = 1.0
    semantic: float = 2.0


WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class Indexes:
    """Shapes: searchable (entries,)."""

    entries: tuple[LoreEntry, ...]
    language: Language
    knowledge: Knowledge
    activator: Activator
    searchable: Bools
    lexical: LexicalIndex
    semantic: SemanticIndex | None
    weights: Weights


def build_indexes(
    entries: Sequence[LoreEntry],
    language: Language,
    store: IndexStore | None = None,
    on_progress: OnProgress | None = None,
    *,
    embedder: Embedder | None = None,
    min_similarity: float = MIN_SIMILARITY,
    weights: Weights = WEIGHTS,
) -> Indexes:
    """The indexes of these entries. Raises: SettingsError, ModelFormatError."""
    semantic = None
    lexical = _lexical(entries, language, store, on_progress)
    if embedder is not None:
        semantic = SemanticIndex(_vectors(entries, embedder, store, on_progress), embedder, min_similarity)
    return Indexes(
        entries=tuple(entries),
        language=language,
        knowledge=Knowledge(entries),
        activator=Activator(entries, words=language.words),
        searchable=searchable(entries),
        lexical=lexical,
        semantic=semantic,
        weights=weights,
    )


def _lexical(
    entries: Sequence[LoreEntry], language: Language, store: IndexStore | None, on_progress: OnProgress | None
) -> LexicalIndex:
    texts = [indexed_text(entry) for entry in entries]

    def make() -> LexicalIndex:
        return build_lexical(list(_stemmed(texts, language, on_progress)))

    return store.lexical(texts, language.name, make) if store else make()


def _stemmed(texts: Sequence[str], language: Language, on_progress: OnProgress | None) -> Iterator[list[str]]:
    for done, text in enumerate(texts, 1):
        yield language.content_stems(text)
        if on_progress and (done % _STEP == 0 or done == len(texts)):
            on_progress(done, len(texts), "reading the words of passages")


def _vectors(
    entries: Sequence[LoreEntry], embedder: Embedder, store: IndexStore | None, on_progress: OnProgress | None
) -> Floats:
    texts = [meant_text(entry) for entry in entries]
    if store is not None:
        return store.vectors(texts, embedder)
    return embedder.passages(texts, _counted(len(texts), on_progress))


def _counted(total: int, on_progress: OnProgress | None) -> Callable[[int], None] | None:
    if on_progress is None:
        return None
    return lambda done: on_progress(done, total, MEANING)
