"""Regular expressions among the keys: what they read, what they may cost, and what is told of those not tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npc_sdk.lore.activation import Activator
from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.entry import Book, LoreEntry, Rules
from npc_sdk.lore.heard import UNTRIED
from npc_sdk.lore.key import compile_regex
from npc_sdk.lore.regex_index import MAX_CHARS, Effort, RegexIndex
from npc_sdk.lore.scan import Scan, Viewer
from tests.effort import effort_below
from tests.lore.turns import RECURSIVE, ids, lore, reasons, turn

DEAR = r"/(\w+ ?){1,30}zz%d$/i"  # many states: some 2 ms over what is read of a message
LONG = ("the old mill and so on " * 400)[:8000]
TOO_MANY = 60  # of the dear ones, for one turn
EVERYONE = Viewer("mara")


def _matches(pattern: str, text: str) -> bool:
    matched, _ = RegexIndex({pattern: [0]}).find(text, np.ones(1, np.bool_), Effort())
    return bool(matched[0])


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        pytest.param("/gold/", "gold" + "x" * (MAX_CHARS - 4), True, id="at the edge of what is read"),
        pytest.param("/gold/", "gold" + "x" * MAX_CHARS, False, id="before what is read"),
        pytest.param("/gold$/", "x" * 9000 + "gold", True, id="the end is read"),
        pytest.param("/^x/", "x" * (MAX_CHARS + 9), False, id="a cut is no beginning"),
        pytest.param("/^x/", "x" * MAX_CHARS, True, id="the beginning"),
        pytest.param("/mühle/", "ü" * MAX_CHARS + "mühle", True, id="letters of several bytes"),
        pytest.param("/ü{1000}/", "ü" * MAX_CHARS, True, id="characters are counted, not bytes"),
        pytest.param("/go.d/", "go\ud800d", True, id="half a character"),
    ],
)
def test_the_last_of_a_message_is_read(pattern: str, text: str, *, is_found: bool) -> None:
    assert _matches(pattern, text) is is_found


def test_keys_of_one_expression_are_told_apart() -> None:
    index = RegexIndex({"/a/": [3, 5], "/b/": [4]})
    matched, untried = index.find("ab", np.array([False, True, True]), Effort())
    assert index.numbers[matched].tolist() == [5, 4]
    assert not untried.any()


@pytest.mark.parametrize(("work", "tried"), [(0, 0), (10, 1), (29, 1), (30, 2), (99, 2), (100, 3)])
def test_an_effort_ends_for_good(work: int, tried: int) -> None:
    effort = Effort(work)
    assert effort.spend(np.array([10, 20, 70])) == tried
    if tried < 3:
        assert effort.spend(np.array([1])) == 0


class _Counting:
    """A regular expression that counts its runs."""

    programsize = 5

    def __init__(self, *, is_found: bool) -> None:
        self.runs = 0
        self._found = is_found or None

    def search(self, text: bytes, pos: int = 0) -> object:  # noqa: ARG002 - the protocol's
        self.runs += 1
        return self._found


def _runs(monkeypatch: pytest.MonkeyPatch, entries: list[LoreEntry], *messages: str, **how: bool) -> int:
    """How often any regular expression is run in a turn."""
    counting = _Counting(is_found=how.get("is_found", False))
    monkeypatch.setattr("npc_sdk.lore.regex_index.compile_regex", lambda _: counting)
    Activator(entries).run(Scan(EVERYONE, messages), np.full(len(entries), not how.get("is_hidden")))
    return counting.runs


def test_an_expression_reads_as_deep_as_its_own_entries_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [lore("deep", "gold", scan_depth=100), lore("a", "/a/"), lore("b", "/b/", scan_depth=1), lore("c", "/c/")]
    assert _runs(monkeypatch, entries, *["…"] * 100) == 2 + 1 + 2


def test_expressions_of_what_is_not_known_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _runs(monkeypatch, [lore("a", "/a/")], "a", is_hidden=True)


def test_an_expression_that_was_said_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _runs(monkeypatch, [lore("a", "/a/", scan_depth=9)], *["a"] * 9, is_found=True) == 1


@pytest.mark.parametrize(
    ("entries", "messages"),
    [
        pytest.param([lore(f"e{n}", DEAR % n) for n in range(100)], (LONG, LONG), id="dear expressions"),
        pytest.param(
            [lore(f"e{n}", f"/zz{n}q/i", text="…", book=RECURSIVE) for n in range(1000)]
            + [lore(f"r{n}", "gold", text=f"Reading {n} tells much. " * 4, book=RECURSIVE) for n in range(200)],
            ("gold",),
            id="read in many entries",
        ),
        pytest.param(
            [lore("deep", "/gold/", scan_depth=100), *(lore(f"e{n}", f"/zz{n}q/") for n in range(500))],
            ("some words of the player, not very many",) * 100,
            id="one entry that reads deep",
        ),
    ],
)
def test_a_turn_is_never_slow(entries: list[LoreEntry], messages: tuple[str, ...]) -> None:
    activator, known = Activator(entries), np.ones(len(entries), np.bool_)
    with effort_below(0.25):  # some 50 ms on an idle core
        activator.run(Scan(EVERYONE, messages), known)


class TestUntried:
    """Past the effort of one turn."""

    def _entries(self, last: LoreEntry) -> list[LoreEntry]:
        return [*(lore(f"e{n}", DEAR % n) for n in range(TOO_MANY)), last]

    def test_each_entry_is_told_so(self) -> None:
        book = LoreBook(self._entries(lore("last", "/mill/")))
        result = book.search(Scan(EVERYONE, (LONG,)))
        told = {match.entry.entry_id: match.why for match in (*result.matches, *result.passed_over, *result.rest())}
        assert told["last"] == UNTRIED
        assert told["e0"] == "no key or word of it was said"

    def test_words_may_still_find_it(self) -> None:
        book = LoreBook(self._entries(LoreEntry("last", "The old mill.", ("/mill/",))))
        assert [match.entry.entry_id for match in book.search(Scan(EVERYONE, (LONG,))).matches] == ["last"]

    def test_other_keys_of_it_are_heard(self) -> None:
        entries = self._entries(lore("last", "/never/", "old mill"))
        assert ids(entries, turn(entries, LONG)) == ["last"]

    @pytest.mark.parametrize(
        "rules",
        [
            pytest.param({"excluded_keys": ("/mill/",)}, id="excluded"),
            pytest.param({"secondary_keys": ("/never/",), "logic": "not_any"}, id="not_any"),
        ],
    )
    def test_what_might_have_been_kept_out_stays_out(self, rules: dict[str, Any]) -> None:
        last = LoreEntry("last", "The old mill.", ("mill",), rules=Rules(**rules))
        entries = self._entries(last)
        found = turn(entries, LONG)
        assert (found.hits, reasons(entries, found)) == ((), {"last": f"key 'mill' was said, but {UNTRIED}"})
        assert not LoreBook(entries).search(Scan(EVERYONE, (LONG,))).matches

    def test_it_is_the_same_each_time(self) -> None:
        entries = self._entries(lore("last", "/mill/"))
        assert turn(entries, LONG).overlooked == turn(entries, LONG).overlooked

    def test_a_short_chat_tries_many(self) -> None:
        entries = [lore(f"e{n}", f"/(king|queen) of (the )?land{n}$/i", book=Book("b", 4)) for n in range(300)]
        found = turn(entries, *["Tell me who is the queen of land299"] * 4)
        assert (ids(entries, found), found.overlooked) == (["e299"], {})


def test_the_worst_expression_that_is_taken_runs_within_what_is_reckoned() -> None:
    pattern = compile_regex("/(.{1,100}){2}q/")
    with effort_below(1e-7 * pattern.programsize * MAX_CHARS):
        pattern.search(LONG[:MAX_CHARS].encode())
