"""One search over what a character can know: keys that were said first, then words in common (BM25).

Who knows an entry is settled before anything is ranked. Every entry is accounted for, in words a writer can use.
Called by session and `npc prompt`; knows no prompts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import bm25s

from npc_sdk.lore.entry import LoreEntry, Match, SearchResult
from npc_sdk.lore.word import content_words, words

NOT_SAID = "no key or word of it was said"
KEY_BASE = 1000.0  # above every BM25 score of a passage
WORD_STEP = 100.0  # a key of more words is more specific, whatever its length


@dataclass(frozen=True, slots=True)
class _Key:
    """A key as it is compared: its words, stemmed."""

    text: str
    stems: tuple[str, ...]

    @property
    def score(self) -> float:
        return KEY_BASE + WORD_STEP * len(self.stems) + len(self.text)


@dataclass(slots=True)
class _Scope:
    """What one circle of characters knows, indexed together, and the accounts that are the same for every query."""

    entries: list[LoreEntry]
    keys: list[list[_Key]]
    stems: list[frozenset[str]]
    vocabulary: frozenset[str]
    unsaid: list[Match]
    hidden: tuple[Match, ...]
    index: bm25s.BM25 | None = field(default=None, repr=False)


class LoreBook:
    """The world's lore, searchable."""

    def __init__(self, entries: Sequence[LoreEntry]) -> None:
        self._entries = tuple(entries)
        self._scopes: dict[frozenset[str], _Scope] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def search(self, query: str, *, npc_id: str, limit: int = 4) -> SearchResult:
        """The entries that this character knows and that the query is about, best first, at most limit."""
        scope = self._scope(npc_id)
        said = content_words(query)
        found = self._keyed(scope, words(query))
        found |= self._worded(scope, said, found)
        ranked = sorted(found.values(), key=lambda match: (-match.score, match.entry.entry_id))
        late = [
            dataclasses.replace(match, why=f"{match.why}; place {place}, only {limit} are taken")
            for place, match in enumerate(ranked[limit:], limit + 1)
        ]
        unsaid = [match for at, match in enumerate(scope.unsaid) if at not in found]
        return SearchResult(tuple(ranked[:limit]), (*late, *unsaid, *scope.hidden))

    def _scope(self, npc_id: str) -> _Scope:
        """Mutates: the scopes at hand; characters without lore of their own share one."""
        circle = frozenset(entry.entry_id for entry in self._entries if npc_id in entry.npc_ids)
        if circle not in self._scopes:
            self._scopes[circle] = _build_scope(self._entries, npc_id)
        return self._scopes[circle]

    @staticmethod
    def _keyed(scope: _Scope, said: Sequence[str]) -> dict[int, Match]:
        """Entries of which a key was said, by the most specific such key."""
        runs = _runs(said, max((len(key.stems) for keys in scope.keys for key in keys), default=0))
        out: dict[int, Match] = {}
        for at, keys in enumerate(scope.keys):
            best = max((key for key in keys if key.stems in runs), key=lambda key: key.score, default=None)
            if best is not None:
                out[at] = Match(scope.entries[at], best.score, f"key {best.text!r} was said")
        return out

    @staticmethod
    def _worded(scope: _Scope, said: Sequence[tuple[str, str]], found: Container[int]) -> dict[int, Match]:
        """Entries not found yet that share a word with the query, ranked among themselves."""
        spoken = {stem: word for stem, word in said if stem in scope.vocabulary}
        if not spoken or scope.index is None:
            return {}
        scores = scope.index.get_scores(list(spoken))
        fresh = (at for at, stems in enumerate(scope.stems) if at not in found and not stems.isdisjoint(spoken))
        hits = [(float(scores[at]), at) for at in fresh]
        out: dict[int, Match] = {}
        for rank, (score, at) in enumerate(sorted(hits, key=lambda hit: (-hit[0], hit[1])), 1):
            common = ", ".join(word for stem, word in spoken.items() if stem in scope.stems[at])
            out[at] = Match(scope.entries[at], score, f"words in common: {common} (rank {rank})")
        return out


def _runs(said: Sequence[str], longest: int) -> set[tuple[str, ...]]:
    """Every run of words up to a length."""
    return {
        tuple(said[start : start + length])
        for length in range(1, longest + 1)
        for start in range(len(said) - length + 1)
    }


def _build_scope(entries: Sequence[LoreEntry], npc_id: str) -> _Scope:
    known = [entry for entry in entries if _is_known(entry, npc_id)]
    hidden = [entry for entry in entries if not _is_known(entry, npc_id)]
    tokens = [[stem for stem, _ in content_words(_indexed_text(entry))] for entry in known]
    return _Scope(
        entries=known,
        keys=[[_Key(key, tuple(words(key))) for key in entry.keys if words(key)] for entry in known],
        stems=[frozenset(stems) for stems in tokens],
        vocabulary=frozenset(stem for stems in tokens for stem in stems),
        unsaid=[Match(entry, 0.0, NOT_SAID) for entry in known],
        hidden=tuple(Match(entry, 0.0, _known_only(entry)) for entry in hidden),
        index=_build_index(tokens),
    )


def _is_known(entry: LoreEntry, npc_id: str) -> bool:
    return not entry.npc_ids or npc_id in entry.npc_ids


def _indexed_text(entry: LoreEntry) -> str:
    return " ".join((*entry.keys, entry.text))


def _known_only(entry: LoreEntry) -> str:
    return f"known only to {', '.join(sorted(entry.npc_ids))}"


def _build_index(tokens: list[list[str]]) -> bm25s.BM25 | None:
    """None where there is no word to look for: the library needs at least one."""
    if not any(tokens):
        return None
    index = bm25s.BM25(method="lucene", backend="numpy")
    index.index(tokens, show_progress=False)
    return index
