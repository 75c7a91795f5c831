"""Caches of sequences that ended, kept for the next prompt that begins with the same tokens.

Least recently used ones go first once the byte budget is full. Owned by the runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npc_sdk.engine.local.kv_cache import KVCache


@dataclass(frozen=True, slots=True)
class _Entry:
    tokens: tuple[int, ...]
    cache: KVCache


class PrefixCache:
    """Keeps at most cache_bytes. A budget of 0 keeps nothing."""

    def __init__(self, cache_bytes: int) -> None:
        self._budget = cache_bytes
        self._entries: list[_Entry] = []  # least recently used first

    @property
    def byte_count(self) -> int:
        """Bytes held now."""
        return sum(entry.cache.byte_count for entry in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, tokens: Sequence[int], cache: KVCache) -> None:
        """Takes over a cache that holds exactly these tokens. Mutates: entries; drops what no longer fits."""
        assert cache.length == len(tokens), f"cache of {cache.length} tokens under {len(tokens)} names"
        entry = _Entry(tuple(tokens), cache)
        if not tokens or cache.byte_count > self._budget:
            return
        self._entries = [kept for kept in self._entries if not _begins(entry.tokens, kept.tokens)]
        if not any(_begins(kept.tokens, entry.tokens) for kept in self._entries):
            self._entries.append(entry)
        while self.byte_count > self._budget:
            self._entries.pop(0)

    def take(self, tokens: Sequence[int]) -> KVCache | None:
        """A cache with the longest prefix that some entry shares, now the caller's own; None where nothing matches.

        An entry that mostly matches is given away: its rest is a turn that is over. From others the prefix is copied.
        """
        best, shared = self._longest(tokens)
        if best is None:
            return None
        self._entries.remove(best)
        if shared * 2 >= len(best.tokens):
            best.cache.truncate(shared)
            return best.cache
        self._entries.append(best)
        return best.cache.copy_prefix(shared)

    def clear(self) -> None:
        """Frees everything."""
        self._entries = []

    def check_integrity(self) -> None:
        """Raises: AssertionError where budget, names and caches disagree."""
        assert self.byte_count <= self._budget, f"{self.byte_count} bytes over a budget of {self._budget}"
        for entry in self._entries:
            entry.cache.check_integrity()
            assert entry.cache.length == len(entry.tokens), "an entry's cache was used after it was put"
        assert len({id(entry.cache) for entry in self._entries}) == len(self._entries), "a cache is held twice"

    def _longest(self, tokens: Sequence[int]) -> tuple[_Entry | None, int]:
        """The entry that shares most tokens, and how many; the more recent of equals."""
        best, most = None, 0
        for entry in self._entries:
            shared = shared_prefix(entry.tokens, tokens)
            if shared and shared >= most:
                best, most = entry, shared
        return best, most


def shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences have in common at the front."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


def _begins(whole: tuple[int, ...], front: tuple[int, ...]) -> bool:
    """Whether whole begins with front."""
    return whole[: len(front)] == front
