"""Who knows which passages: the distinct scopes of a book side by side, asked about once a turn whatever they hold for.

Says the same as scope.barred() of each entry, which words the reasons. Called by turn.py before anything is ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from npc_sdk.lore.entry import LoreEntry, Scope
from npc_sdk.lore.lexical import Bools, Ints
from npc_sdk.lore.scan import Viewer
from npc_sdk.lore.scope import barred
from npc_sdk.messages import JsonValue
from npc_sdk.persona.condition import Condition

_Names: TypeAlias = Callable[[Scope], frozenset[str]]
_FIRST_DAY, _LAST_DAY = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Knowledge:
    """The scopes of a book's entries. Shapes: of_entry (entries,), all others (scopes,)."""

    def __init__(self, entries: Sequence[LoreEntry]) -> None:
        numbers: dict[Scope, int] = {}
        self._of_entry: Ints = np.asarray([numbers.setdefault(e.scope, len(numbers)) for e in entries], dtype=np.int64)
        self._place = {entry.entry_id: index for index, entry in enumerate(entries)}
        self._scopes = tuple(numbers)
        self._npcs = _Circle(self._scopes, lambda scope: scope.npc_ids)
        self._factions = _Circle(self._scopes, lambda scope: scope.factions)
        self._places = _Circle(self._scopes, lambda scope: scope.places)
        self._since = _days((scope.since for scope in self._scopes), _FIRST_DAY)
        self._until = _days((scope.until for scope in self._scopes), _LAST_DAY)
        self._is_timed = (self._since != _FIRST_DAY) | (self._until != _LAST_DAY)
        self._when = _groups(scope.when for scope in self._scopes)
        self._conditions = {text: Condition(text) for text in self._when}

    def place_of(self, entry_id: str) -> int | None:
        """The index of an entry; None if it is not in the book."""
        return self._place.get(entry_id)

    def seen_by(self, viewer: Viewer) -> Known:
        """What the viewer knows at this moment."""
        mask = self._open(viewer)[self._of_entry]
        mask[[self._place[entry_id] for entry_id in viewer.learned if entry_id in self._place]] = True
        return Known(mask, lambda index: barred(self._scopes[int(self._of_entry[index])], viewer, self._holds))

    def _open(self, viewer: Viewer) -> Bools:
        """Which scopes the viewer is within; conditions are asked only where all else holds."""
        out = self._npcs.holds({viewer.npc_id}) & self._factions.holds(viewer.factions)
        out &= self._places.holds({viewer.place})
        if viewer.today is None:
            out &= ~self._is_timed
        else:
            out &= (self._since <= viewer.today) & (viewer.today <= self._until)
        for text, where in self._when.items():
            if out[where].any() and not self._holds(text, viewer.variables)[0]:
                out[where] = False
        return out

    def _holds(self, text: str, variables: Mapping[str, JsonValue]) -> tuple[bool, str]:
        return self._conditions[text].holds(variables)


class Known:
    """What one viewer knows. Shapes: mask (entries,)."""

    __slots__ = ("_barred", "mask")

    def __init__(self, mask: Bools, barred_at: Callable[[int], str]) -> None:
        self.mask = mask
        self._barred = barred_at

    def why_not(self, index: int) -> str:
        """Why an entry is not known; empty where it is."""
        return "" if self.mask[index] else self._barred(index)


class _Circle:
    """Which scopes name somebody, and which name nobody and so bound nothing."""

    def __init__(self, scopes: Sequence[Scope], names_of: _Names) -> None:
        self._unbound: Bools = np.asarray([not names_of(scope) for scope in scopes], dtype=np.bool_)
        naming: dict[str, list[int]] = {}
        for number, scope in enumerate(scopes):
            for name in names_of(scope):
                naming.setdefault(name, []).append(number)
        self._naming = {name: np.asarray(numbers, dtype=np.int64) for name, numbers in naming.items()}

    def holds(self, names: Iterable[str]) -> Bools:
        """The scopes that any of these names is within."""
        out = self._unbound.copy()
        for name in names:
            if name in self._naming:
                out[self._naming[name]] = True
        return out


def _days(days: Iterable[int | None], unbound: int) -> Ints:
    return np.asarray([unbound if day is None else day for day in days], dtype=np.int64)


def _groups(texts: Iterable[str]) -> Mapping[str, Ints]:
    """The places of each text that is not empty."""
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        if text:
            places.setdefault(text, []).append(place)
    return {text: np.asarray(found, dtype=np.int64) for text, found in places.items()}
