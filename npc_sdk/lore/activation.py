"""Which entries a turn brings in by a lorebook's rules, which it keeps out, and why, in words for writers.

In this order: switched off, delay, cooldown, recursion flags, always, constant, sticky, keys, secondary and excluded
keys; then groups, the roll, recursion. Who knows an entry was settled before. Called by lore/book.py.
Source: SillyTavern's World Info 1.12 (the order), character card specification V3 (always, excluded keys).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from npc_sdk.lore.draw import Lots
from npc_sdk.lore.entry import LoreEntry, Timers
from npc_sdk.lore.group import Candidate, HitKind, held_by, settle_groups
from npc_sdk.lore.heard import Heard, Scores
from npc_sdk.lore.key import KEY_BASE, Words
from npc_sdk.lore.rule_table import Ints, Mask, RuleTable
from npc_sdk.lore.scan import Scan
from npc_sdk.lore.timing import advanced, resting
from npc_sdk.lore.word import words as english_words

MAX_READ = 200  # entries a turn whose own words are searched for keys: some 20 ms


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that comes in; index is its place among the entries."""

    index: int
    kind: HitKind
    strength: float
    why: str


@dataclass(frozen=True, slots=True)
class Activated:
    """hits in the order in which they go in. refused are entries that a rule keeps out of this turn, whatever else
    would find them, with the reason; overlooked are those that were too many to be looked at, which a search may find.
    timers are those of earlier turns at this chat length.
    """

    hits: tuple[Hit, ...]
    refused: Mapping[int, str]
    timers: Timers
    overlooked: Mapping[int, str]


class Activator:
    """The rules of a set of entries, ready for any turn."""

    def __init__(self, entries: Sequence[LoreEntry], words: Words = english_words) -> None:
        """Raises: KeyFault for a regular expression that cannot be run."""
        self._table = RuleTable(entries, words)

    @property
    def deepest(self) -> int:
        """How many messages any entry looks at."""
        return self._table.deepest

    def run(self, scan: Scan, known: Mask, likeness: Scores | None = None) -> Activated:
        """What comes in among the entries that are known; likeness decides between too many of equal keys.

        Shapes: known, likeness (entries,).
        """
        return _Turn(self._table, scan, known, Heard(self._table, likeness)).run()


class _Turn:
    """One scan under way."""

    def __init__(self, table: RuleTable, scan: Scan, known: Mask, heard: Heard) -> None:
        self._table, self._scan, self._heard = table, scan, heard
        self._length = scan.chat_length
        self._timers = advanced(scan.timers, self._length, table.rules_of)
        self._lots = Lots(scan.chance, self._length)
        self._is_open = known.copy()
        self._refused: dict[int, str] = {}  # by a rule that nothing said later can change
        self._unmet: dict[int, str] = {}  # by keys that are not as asked for, so far
        self._in: dict[int, tuple[int, Candidate]] = {}  # with the step in which it came
        self._holders: dict[str, str] = {}
        self._read = 0
        self._close()

    def run(self) -> Activated:
        """Takes in what was said, then what that wakes, step by step. Mutates: self."""
        newest = self._scan.messages[::-1][: self._table.deepest]
        for age, message in enumerate(newest):
            self._heard.listen(message, _when(age), self._is_open, age)
        step, fresh, has_woken = 0, self._take(0), False
        while step := self._next_step(step, bool(fresh), has_woken):
            self._listen_to(fresh, step)
            has_woken = True
            fresh = self._take(step)
        return self._outcome()

    def _listen_to(self, fresh: Sequence[Candidate], step: int) -> None:
        """Reads entries for the keys of others. Mutates: what was heard, and the account of those that go unread."""
        hearers = self._is_open & self._table.in_recursion
        left = MAX_READ - self._read
        for one in fresh[:left]:
            self._heard.listen(one.entry.text, f"was said in {one.entry.entry_id!r} (step {step})", hearers)
        for one in fresh[left:]:
            why = f"{one.why}; wakes nobody: {MAX_READ} entries were read for keys already"
            self._in[one.index] = step - 1, dataclasses.replace(one, why=why)
        self._read += min(left, len(fresh))

    def _close(self) -> None:
        """Shuts out what no word can bring in this turn. Mutates: is_open, refused."""
        table = self._table
        self._shut((at, "switched off") for at in table.disabled.tolist())
        delays = ((at, table.entries[at].rules.delay) for at in self._open(table.delayed))
        self._shut((at, f"kept back until message {delay}") for at, delay in delays if self._length < delay)
        ends = ((table.places.get(entry_id), end) for entry_id, end in resting(self._timers).items())
        self._shut((at, f"rests until message {end} (cooldown)") for at, end in ends if at is not None)
        self._shut((at, "never comes in (always: dont_activate)") for at in table.never.tolist())

    def _shut(self, found: Iterable[tuple[int, str]]) -> None:
        for at, why in found:
            if self._is_open[at]:
                self._is_open[at] = False
                self._refused[at] = why

    def _open(self, places: Ints) -> list[int]:
        found: list[int] = places[self._is_open[places]].tolist()
        return found

    def _next_step(self, step: int, is_fresh: bool, has_woken: bool) -> int:
        """The step of recursion that follows, 0 where there is none: words are new, or entries wait for a later one."""
        if is_fresh:
            return step + 1
        return next((level for level in self._table.levels if level > step), 0) if has_woken else 0

    def _take(self, step: int) -> list[Candidate]:
        """Lets in what may come in at a step; returns those whose own words may wake others. Mutates: self."""
        settled = settle_groups(list(self._candidates(step)), self._holders, self._lots.draw)
        for at, why in settled.lost.items():
            self._refused.setdefault(at, why)
        entered = [candidate for candidate in settled.kept if self._passes_roll(candidate)]
        for one in entered:
            self._in[one.index] = step, one
            self._refused.pop(one.index, None)
            self._holders |= dict.fromkeys(one.entry.rules.groups, one.entry.entry_id)
        return [one for one in entered if self._table.wakes_others(one.index)]

    def _candidates(self, step: int) -> Iterator[Candidate]:
        """The entries that their own rules let in, each by the first of them."""
        may_enter = self._is_open & self._table.at_step(step)
        offered: set[int] = set()
        for candidate in self._offers(step, may_enter):
            if candidate.index not in offered and candidate.index not in self._in:
                offered.add(candidate.index)
                yield candidate

    def _offers(self, step: int, may_enter: Mask) -> Iterator[Candidate]:
        table = self._table
        for at in table.always[may_enter[table.always]].tolist():
            yield self._candidate(at, "always", "always in (always: activate)")
        for at in table.constant[may_enter[table.constant]].tolist():
            yield self._candidate(at, "constant", "always in")
        if step == 0:  # what is in since an earlier turn asks no recursion flag
            yield from self._sticky()
        yield from self._keyed(step, may_enter)

    def _sticky(self) -> Iterator[Candidate]:
        for entry_id, end in sorted(self._timers.sticky.items()):
            at = self._table.places.get(entry_id)
            if at is not None and self._is_open[at]:
                yield self._candidate(at, "sticky", f"still in since an earlier turn (sticky, until message {end})")

    def _candidate(self, at: int, kind: HitKind, why: str) -> Candidate:
        entry = self._table.entries[at]
        is_sticky = entry.entry_id in self._timers.sticky
        return Candidate(at, entry, kind, KEY_BASE, why, self._heard.count(at), is_sticky)

    def _keyed(self, step: int, may_enter: Mask) -> Iterator[Candidate]:
        """Mutates: unmet, which holds why the others stay out."""
        for at in self._heard.spoken_for():
            if at in self._in:
                continue
            verdict = self._heard.verdict(at)
            if verdict.kept_out:
                self._unmet[at] = verdict.kept_out
            elif may_enter[at]:
                entry = self._table.entries[at]
                self._unmet.pop(at, None)
                yield Candidate(at, entry, "key", verdict.strength, verdict.why, verdict.heard)
            elif self._table.level[at] > step:
                level = self._table.level[at]
                self._unmet[at] = f"{verdict.why}, but it comes in by recursion only (from step {level})"

    def _passes_roll(self, candidate: Candidate) -> bool:
        """Mutates: is_open, refused; who fails is not asked again in this turn."""
        rules = candidate.entry.rules
        if candidate.is_sticky or rules.probability >= 100:
            return True
        lot = 100 * self._lots.draw(candidate.entry.entry_id)
        if lot < rules.probability:
            return True
        self._is_open[candidate.index] = False
        self._refused[candidate.index] = f"chance: {rules.probability:g} %, drew {math.floor(lot) + 1}"
        return False

    def _outcome(self) -> Activated:
        heard = self._heard
        overlooked = {at: why for at, why in heard.overlooked() if at not in self._in}
        barred = {at: why for at, why in overlooked.items() if heard.is_barred(at)}
        refused = {**barred, **dict(heard.excluded()), **dict(self._rivals()), **self._unmet, **self._refused}
        for at in self._in:
            refused.pop(at, None)
        entered = sorted(self._in.values(), key=_precedence)
        hits = tuple(Hit(one.index, one.kind, one.strength, one.why) for _, one in entered)
        return Activated(hits, MappingProxyType(refused), self._timers, MappingProxyType(overlooked))

    def _rivals(self) -> Iterator[tuple[int, str]]:
        """Entries of a group that another holds: to find them by other ways would bring in two of it."""
        for name, holder in self._holders.items():
            members = np.array(self._table.groups[name], np.int64)
            yield from ((at, held_by(name, holder)) for at in self._open(members))


def _when(age: int) -> str:
    if age == 0:
        return "was said"
    return f"was said {age} message{'s' if age > 1 else ''} before"


def _precedence(entered: tuple[int, Candidate]) -> tuple[bool, int, int, float, str]:
    """Those still in from earlier turns, then by order; a key that was said before one that was read in an entry."""
    step, one = entered
    return not one.is_sticky, -one.entry.rules.order, step, -one.strength, one.entry.entry_id
