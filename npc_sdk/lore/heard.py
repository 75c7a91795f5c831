"""Which keys of which entries were heard in a turn, and whether they are those that an entry asks for.

Listens to the messages and to the entries that came in by recursion. Called by lore/activation.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npc_sdk.lore.entry import Rules
from npc_sdk.lore.key import key_strength
from npc_sdk.lore.rule_table import EXCLUDED, PRIMARY, SECONDARY, Mask, RuleTable

_Said = dict[int, str]  # number of a key: where it was said


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the keys of one entry say: why it stays out (empty where it comes in), or how it was found."""

    kept_out: str
    why: str = ""
    strength: float = 0.0
    heard: int = 0


class Heard:
    """The keys heard so far."""

    def __init__(self, table: RuleTable) -> None:
        self._table = table
        self._said: tuple[dict[int, _Said], ...] = ({}, {}, {})  # by role, then by entry

    def listen(self, text: str, where: str, hearers: Mask, age: int = 0) -> None:
        """Notes the keys of some entries in a text that age messages follow; earlier notes stay. Mutates: self."""
        table = self._table
        numbers = table.index.find(text)
        if not numbers.size:
            return
        owners = table.owner[numbers]
        is_near = hearers[owners] & (table.depth[owners] > age)
        for number, owner in zip(numbers[is_near].tolist(), owners[is_near].tolist(), strict=True):
            self._said[table.role[number]].setdefault(owner, {}).setdefault(number, where)

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
        strength, first = max((key_strength(self._text(number)), -number) for number in said)
        why = f"key {self._text(-first)!r} {said[-first]}"
        if excluded := self._said[EXCLUDED].get(at):
            return Verdict(f"{why}, but the excluded {self._text(next(iter(excluded)))!r} was too")
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
