"""The rules of all entries side by side, so that a turn looks only at those that have any.

Built once for a book; knows no turn. Called by lore/activation.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from npc_sdk.lore.entry import LoreEntry, Rules
from npc_sdk.lore.key import Key, Words, key_strength, keys_of
from npc_sdk.lore.key_index import KeyIndex

Mask: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

PRIMARY, SECONDARY, EXCLUDED = range(3)


class RuleTable:
    """What holds whatever is said; places in the arrays are those of the entries."""

    def __init__(self, entries: Sequence[LoreEntry], words: Words) -> None:
        self.entries = tuple(entries)
        self.places = {entry.entry_id: at for at, entry in enumerate(self.entries)}
        rules = [entry.rules for entry in self.entries]
        self.depth = _ints(_depth(entry) for entry in self.entries)
        self.disabled = _where(not rule.is_enabled for rule in rules)
        self.never = _where(rule.always == "dont_activate" for rule in rules)
        self.always = _where(rule.always == "activate" for rule in rules)
        self.constant = _where(rule.is_constant for rule in rules)
        self.delayed = _where(rule.delay > 0 for rule in rules)
        self.level = _ints(rule.delays_until_recursion for rule in rules)
        self.groups = _groups(rules)
        self.is_essential = _mask(rule.is_essential for rule in rules)
        self.is_judged = _mask(_is_judged(rule) for rule in rules)
        self.in_recursion = _mask(e.book.is_recursive and not e.rules.excludes_recursion for e in self.entries)
        self._max_step = _ints(entry.book.max_steps for entry in self.entries)
        self.levels = sorted(set(self.level[self.in_recursion].tolist()) - {0})
        self._index_keys(words)

    @property
    def deepest(self) -> int:
        """How many messages any entry looks at."""
        return int(self.depth.max(initial=0))

    def rules_of(self, entry_id: str) -> Rules | None:
        """The rules of an entry, None where there is none of that id."""
        at = self.places.get(entry_id)
        return None if at is None else self.entries[at].rules

    def at_step(self, step: int) -> Mask:
        """Which entries may come in then: 0 is what was said, the others are steps of recursion."""
        may_enter: Mask = self.level <= step
        if step:
            may_enter &= self.in_recursion & (self._max_step >= step)
        return may_enter

    def wakes_others(self, at: int) -> bool:
        """Whether the words of an entry are searched for the keys of others."""
        entry = self.entries[at]
        return entry.book.is_recursive and not entry.rules.prevents_recursion

    def _index_keys(self, words: Words) -> None:
        """Mutates: the table. Keys are numbered through; owner and role say whose and what kind each is."""
        owners: list[int] = []
        roles: list[int] = []
        self.key_texts: list[str] = []

        def numbered() -> Iterator[Key]:
            for at, entry in enumerate(self.entries):
                for role, key in _keys(entry):
                    owners.append(at)
                    roles.append(role)
                    self.key_texts.append(key.text)
                    yield key

        self.index = KeyIndex(numbered(), words)
        self.owner = np.array(owners, np.int64)
        self.role = np.array(roles, np.int64)
        self.strength = np.array([key_strength(text) for text in self.key_texts])


def _keys(entry: LoreEntry) -> Iterator[tuple[int, Key]]:
    for role, texts in enumerate((entry.keys, entry.rules.secondary_keys, entry.rules.excluded_keys)):
        if texts:
            yield from ((role, key) for key in keys_of(entry, texts))


def _is_judged(rule: Rules) -> bool:
    """Whether a key that was said may not be enough."""
    asks = rule.secondary_keys or rule.excluded_keys or rule.groups
    return bool(asks) or rule.probability < 100 or rule.delays_until_recursion > 0


def _depth(entry: LoreEntry) -> int:
    own = entry.rules.scan_depth
    return entry.book.scan_depth if own is None else own


def _groups(rules: Sequence[Rules]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for at, rule in enumerate(rules):
        for name in rule.groups:
            groups.setdefault(name, []).append(at)
    return groups


def _where(flags: Iterable[bool]) -> Ints:
    return np.array([at for at, is_so in enumerate(flags) if is_so], np.int64)


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _mask(flags: Iterable[bool]) -> Mask:
    return np.fromiter(flags, np.bool_)
