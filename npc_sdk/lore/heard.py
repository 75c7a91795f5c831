"""Which keys of which entries were heard in a turn, and whether they are those that an entry asks for.

Listens to the messages and to the entries that came in by recursion. Called by lore/activation.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from npc_sdk.lore.entry import Rules
from npc_sdk.lore.regex_index import Effort
from npc_sdk.lore.rule_table import EXCLUDED, PRIMARY, SECONDARY, Ints, Mask, RuleTable

Scores: TypeAlias = npt.NDArray[np.floating[Any]]

MAX_HEARD = 500  # entries a turn whose keys were said and that are looked at: some 3 ms
UNTRIED = "its regular expressions were not tried: too many for one turn"
CROWDED = f"a key of it was said, but {MAX_HEARD} others fit better"

_Said = dict[int, str]  # number of a key: where it was said


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the keys of one entry say: why it stays out (empty where it comes in), or how it was found."""

    kept_out: str
    why: str = ""
    strength: float = 0.0
    heard: int = 0


class Heard:
    """The keys heard so far. likeness, where there is one, tells which entries come first among equal keys.

    Shapes: likeness (entries,).
    """

    def __init__(self, table: RuleTable, likeness: Scores | None = None) -> None:
        self._table = table
        self._likeness = likeness
        self._said: tuple[dict[int, _Said], ...] = ({}, {}, {})  # by role, then by entry
        self._crowd = np.zeros(len(table.entries), np.bool_)
        self._effort = Effort()
        self._matched = np.zeros(len(table.index.regexes.numbers), np.bool_)
        self._untried = self._matched.copy()
        self._unsure: set[int] = set()  # entries that may not come in by what was heard alone

    def listen(self, text: str, where: str, hearers: Mask, age: int = 0) -> None:
        """Notes the keys of some entries in a text that age messages follow; earlier notes stay. Mutates: self."""
        table = self._table
        found = table.index.find(text)
        numbers = np.concatenate([found[self._hears(found, hearers, age)], self._matching(text, hearers, age)])
        numbers = self._uncrowded(numbers[~self._crowd[table.owner[numbers]]])
        for number, owner, role in zip(
            numbers.tolist(), table.owner[numbers].tolist(), table.role[numbers].tolist(), strict=True
        ):
            self._said[role].setdefault(owner, {}).setdefault(number, where)

    def _hears(self, numbers: Ints, hearers: Mask, age: int) -> Mask:
        owners = self._table.owner[numbers]
        near: Mask = hearers[owners] & (self._table.depth[owners] > age)
        return near

    def _matching(self, text: str, hearers: Mask, age: int) -> Ints:
        """The keys whose regular expressions match; each is run until it first does. Mutates: what was tried."""
        table, regexes = self._table, self._table.index.regexes
        wanted = self._hears(regexes.numbers, hearers, age) & ~self._matched
        if not wanted.any():
            return regexes.numbers[:0]
        matched, untried = regexes.find(text, wanted, self._effort)
        self._matched |= matched
        self._untried |= untried
        late = regexes.numbers[untried]
        self._unsure.update(table.owner[late[table.role[late] != PRIMARY]].tolist())
        return regexes.numbers[matched]

    def _uncrowded(self, numbers: Ints) -> Ints:
        """The numbers less those of entries that are too many to be looked at. Mutates: the crowd."""
        table, noted = self._table, self._said[PRIMARY]
        primary = numbers[table.role[numbers] == PRIMARY]
        if len(noted) + len(primary) <= MAX_HEARD:
            return numbers
        owners = table.owner[primary]
        is_first = table.is_essential[owners] | np.isin(owners, np.fromiter(noted, np.int64))
        likeness = self._likeness[owners] if self._likeness is not None else np.zeros(len(owners))
        order = np.lexsort((owners, -likeness, -table.strength[primary], ~is_first))
        kept = max(MAX_HEARD - len(noted), 0) + int(is_first.sum())
        self._crowd[owners[order[kept:]]] = True
        self._crowd[owners[order[:kept]]] = False
        return numbers[~self._crowd[table.owner[numbers]]]

    def overlooked(self) -> Iterator[tuple[int, str]]:
        """The entries that were not looked at though a key of theirs was said, or may have been."""
        table = self._table
        late = table.index.regexes.numbers[self._untried & ~self._matched]
        yield from ((at, UNTRIED) for at in table.owner[late].tolist())
        yield from ((at, CROWDED) for at in np.flatnonzero(self._crowd).tolist())

    def is_barred(self, at: int) -> bool:
        """Whether an overlooked entry is not to be found by other ways: a rule of it might have kept it out."""
        return at in self._unsure or bool(self._crowd[at] and self._table.is_judged[at])

    def spoken_for(self) -> Iterator[int]:
        """The entries of which a key was said."""
        return iter(self._said[PRIMARY])

    def excluded(self) -> Iterator[tuple[int, str]]:
        """The entries of which an excluded key was said, each with the reason that it is to stay out."""
        for at, said in self._said[EXCLUDED].items():
            yield at, f"the excluded key {self._text(next(iter(said)))!r} {next(iter(said.values()))}"

    def count(self, at: int) -> int:
        """How many keys of an entry were said that speak for it: the secondary ones do where some are asked for."""
        asks_for_more = self._table.entries[at].rules.logic in {"and_any", "and_all"}
        return len(self._said[PRIMARY].get(at, ())) + asks_for_more * len(self._said[SECONDARY].get(at, ()))

    def verdict(self, at: int) -> Verdict:
        """Whether an entry of which a key was said comes in."""
        said = self._said[PRIMARY][at]
        strength, first = max((float(self._table.strength[number]), -number) for number in said)
        why = f"key {self._text(-first)!r} {said[-first]}"
        if excluded := self._said[EXCLUDED].get(at):
            return Verdict(f"{why}, but the excluded {self._text(next(iter(excluded)))!r} was too")
        if at in self._unsure:
            return Verdict(f"{why}, but {UNTRIED}")
        rules = self._table.entries[at].rules
        if rules.secondary_keys and (missed := _unmet(rules, self._texts(SECONDARY, at))):
            return Verdict(f"{why}, but {missed}")
        return Verdict("", why, strength, self.count(at))

    def _text(self, number: int) -> str:
        return self._table.key_texts[number]

    def _texts(self, role: int, at: int) -> list[str]:
        return [self._text(number) for number in self._said[role].get(at, ())]


def _unmet(rules: Rules, said: Sequence[str]) -> str:
    """What is wrong with the secondary keys that were said, empty where they are as asked for."""
    wanted = dict.fromkeys(rules.secondary_keys)
    missing = [key for key in wanted if key not in said]
    if rules.logic == "and_any" and not said:
        return f"neither was {_listed(missing, 'nor')}" if len(missing) > 1 else f"{missing[0]!r} was not"
    if rules.logic == "and_all" and missing:
        return f"{_listed(missing, 'and')} {'was' if len(missing) == 1 else 'were'} not"
    if rules.logic == "not_any" and said:
        return f"{said[0]!r} was too"
    if rules.logic == "not_all" and not missing:
        return f"{_listed(list(wanted), 'and')} {'was' if len(wanted) == 1 else 'were'} too"
    return ""


def _listed(keys: Sequence[str], last: str) -> str:
    *others, final = map(repr, keys)
    return f"{', '.join(others)} {last} {final}" if others else final
