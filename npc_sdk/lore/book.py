"""One search over what a character can know: keys that were said, words in common, and likeness of meaning.

Who knows an entry is settled before anything is ranked. Every entry is accounted for, in words a writer can use.
Called by session, `npc prompt` and `npc eval lore`; knows no prompts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from npc_sdk.errors import RequestError
from npc_sdk.lore.account import Account
from npc_sdk.lore.entry import Book, LoreEntry, SearchResult
from npc_sdk.lore.fuse import fuse
from npc_sdk.lore.index import WEIGHTS, Indexes, Weights, build_indexes
from npc_sdk.lore.index_store import IndexStore, OnProgress
from npc_sdk.lore.key import KeyFault
from npc_sdk.lore.language import DEFAULT_LANGUAGE, Language
from npc_sdk.lore.overlay import Overlay
from npc_sdk.lore.scan import Scan
from npc_sdk.lore.semantic import MIN_SIMILARITY, Embedder
from npc_sdk.lore.turn import Turn
from npc_sdk.persona.problem import name_hint

MAX_HINTED = 5000  # entries whose ids are compared for a hint: some 50 ms


class LoreBook:
    """The world's lore, searchable. indexes are those of the entries, made here where none are given: see build()."""

    def __init__(self, entries: Sequence[LoreEntry], indexes: Indexes | None = None) -> None:
        self._indexes = indexes or build_indexes(entries, Language.named(DEFAULT_LANGUAGE))
        self._nothing_learned = Overlay((), self._indexes.language)
        self._learned: dict[str, Overlay] = {}

    @classmethod
    def build(
        cls,
        entries: Sequence[LoreEntry],
        *,
        language: str = DEFAULT_LANGUAGE,
        embedder: Embedder | None = None,
        min_similarity: float = MIN_SIMILARITY,
        cache_dir: Path | str | None = None,
        on_progress: OnProgress | None = None,
        weights: Weights = WEIGHTS,
    ) -> LoreBook:
        """A book of a language, searched by meaning too where there is an embedder, its indexes kept in cache_dir.

        on_progress hears (done, total, what). Raises: SettingsError for an unknown language or a folder that cannot be
        written, ModelFormatError.
        """
        chosen = Language.named(language)
        store = IndexStore(cache_dir, on_progress) if cache_dir else None
        indexes = build_indexes(
            entries,
            chosen,
            store,
            on_progress,
            embedder=embedder,
            min_similarity=min_similarity,
            weights=weights,
        )
        return cls(entries, indexes)

    def weighted(self, weights: Weights) -> LoreBook:
        """The same book with other weights for its ranks: a rank of weight 0 is not asked. For evaluations."""
        indexes = self._indexes
        semantic = indexes.semantic.fresh() if indexes.semantic else None
        return LoreBook(indexes.entries, dataclasses.replace(indexes, weights=weights, semantic=semantic))

    def __len__(self) -> int:
        return len(self._indexes.entries)

    def has(self, entry_id: str) -> bool:
        """Whether the world's lore holds an entry."""
        return self._indexes.knowledge.place_of(entry_id) is not None

    def near_ids(self, entry_id: str) -> str:
        """A hint at the ids there are; empty where they are too many to be held against it at once."""
        if len(self) > MAX_HINTED:
            return ""
        return name_hint(entry_id, (entry.entry_id for entry in self._indexes.entries), "entries")

    @property
    def deepest(self) -> int:
        """How many of the newest messages a search reads; the others only count."""
        return max(self._indexes.activator.deepest, Book().scan_depth)  # what is learned has no book of its own

    def search(self, scan: Scan, *, limit: int = 4, learned: Sequence[LoreEntry] = ()) -> SearchResult:
        """The entries that this character knows and that the words are about, best first.

        At most limit of them, beside those that are always in and the essential ones of which a key was said. learned
        are entries that the character came to know in play and that are not among the world's. Mutates: what is
        prepared of learned. Raises: RequestError for a key of theirs that cannot be used.
        """
        turn = Turn(self._indexes, scan, self._overlay(scan.viewer.npc_id, learned))
        account = Account(turn.entry, self._indexes.language)
        account.take_all(turn.standing())
        account.take_best(fuse(turn.voices()), limit)
        account.refuse(turn.kept_out())
        return account.result(turn.timers, turn.rest)

    def _overlay(self, npc_id: str, learned: Sequence[LoreEntry]) -> Overlay:
        """Mutates: what is prepared, kept a character. Raises: RequestError."""
        knowledge = self._indexes.knowledge
        fresh = tuple(entry for entry in learned if knowledge.place_of(entry.entry_id) is None)
        if not fresh:
            return self._nothing_learned
        before = self._learned.get(npc_id)
        if before is None or before.entries != fresh:
            try:
                self._learned[npc_id] = Overlay(fresh, self._indexes.language, self._indexes.semantic, before)
            except KeyFault as fault:
                raise RequestError(f"what {npc_id!r} learned: {fault}", hint=fault.hint) from fault
        return self._learned[npc_id]
