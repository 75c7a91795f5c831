"""Inclusion groups: one entry of each comes in, and it is told which and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.entry import Book, LoreEntry, Timers
from tests.lore.turns import RECURSIVE, ids, lore, reasons, turn

LONG = {"sticky": 20}
BOTH_STICKY = Timers({"a": 9, "b": 9}, {})
A_STICKY = Timers({"a": 9}, {})
A_RESTS = Timers({}, {"a": 9})


def _one(entry_id: str, *keys: str, **rules: Any) -> LoreEntry:
    return lore(entry_id, *(keys or ("gold",)), **{"groups": ("g",), **rules})


@pytest.mark.parametrize(
    ("entries", "timers", "winner", "why"),
    [
        pytest.param(
            [_one("a", is_group_first=True), _one("b")], Timers(), "a", "in the group 'g', 'a' goes first", id="first"
        ),
        pytest.param(
            [_one("a", is_group_first=True, order=1), _one("b", is_group_first=True, order=2)],
            Timers(),
            "b",
            "in the group 'g', 'b' goes first",
            id="of several first the highest order",
        ),
        pytest.param(
            [_one("a", is_group_first=True, order=1), _one("b", order=900)],
            Timers(),
            "a",
            "in the group 'g', 'a' goes first",
            id="order alone does not go first",
        ),
        pytest.param(
            [_one("a", group_weight=0), _one("b", group_weight=1)],
            Timers(),
            "b",
            "lost the draw of group 'g' to 'b'",
            id="no weight, no chance",
        ),
        pytest.param(
            [_one("a", is_group_scored=True), _one("b", "gold", "ring", is_group_scored=True)],
            Timers(),
            "b",
            "group 'g': more keys of 'b' were said",
            id="scored",
        ),
        pytest.param(
            [
                _one("a", "gold", secondary_keys=("ring",), is_group_scored=True),
                _one("b", is_group_scored=True),
            ],
            Timers(),
            "a",
            "group 'g': more keys of 'a' were said",
            id="secondary keys score",
        ),
        pytest.param(
            [_one("a", is_group_scored=True, is_group_first=True), _one("b", "gold", "ring")],
            Timers(),
            "b",
            "group 'g': more keys of 'b' were said",
            id="scores before who goes first",
        ),
        pytest.param(
            [_one("a", **LONG), _one("b", is_group_first=True)],
            A_STICKY,
            "a",
            "the group 'g' is kept by 'a' (sticky)",
            id="sticky before who goes first",
        ),
        pytest.param(
            [_one("a", is_group_scored=True, **LONG), _one("b", "gold", "ring")],
            A_STICKY,
            "a",
            "the group 'g' is kept by 'a' (sticky)",
            id="sticky before scores",
        ),
        pytest.param(
            [_one("a", **LONG), _one("b", order=200, **LONG)],
            BOTH_STICKY,
            "b",
            "the group 'g' is kept by 'b' (sticky)",
            id="of two sticky the higher order",
        ),
        pytest.param(
            [_one("a", cooldown=20, is_group_first=True), _one("b")],
            A_RESTS,
            "b",
            "rests until message 9 (cooldown)",
            id="who rests does not take part",
        ),
        pytest.param(
            [_one("a", is_enabled=False, is_group_first=True), _one("b")],
            Timers(),
            "b",
            "switched off",
            id="who is off does not take part",
        ),
        pytest.param(
            [_one("a", is_constant=True, is_group_first=True, scan_depth=0), _one("b")],
            Timers(),
            "a",
            "in the group 'g', 'a' goes first",
            id="a constant takes part",
        ),
        pytest.param(
            [_one("a"), _one("b", "silver")],
            Timers(),
            "a",
            "the group 'g' is held by 'a'",
            id="the silent one may not be found by search",
        ),
    ],
)
def test_one_of_a_group_comes_in(entries: list[LoreEntry], timers: Timers, winner: str, why: str) -> None:
    found = turn(entries, "a gold ring", timers=timers)
    assert ids(entries, found) == [winner]
    assert list(reasons(entries, found).values()) == [why]


def test_draws_go_by_weight() -> None:
    entries = [_one("a", group_weight=10), _one("b", group_weight=30), _one("c", group_weight=60)]
    won = Counter(ids(entries, turn(entries, "gold", chance=str(n)))[0] for n in range(600))
    assert won["a"] < won["b"] < won["c"]
    assert 20 < won["a"] < 110


def test_where_nobody_has_weight_all_are_alike() -> None:
    entries = [_one("a", group_weight=0), _one("b", group_weight=0)]
    won = Counter(ids(entries, turn(entries, "gold", chance=str(n)))[0] for n in range(100))
    assert min(won["a"], won["b"]) > 25


def test_who_wins_the_group_and_fails_the_roll_leaves_it_empty() -> None:
    entries = [_one("a", is_group_first=True, probability=0), _one("b")]
    found = turn(entries, "gold")
    assert found.hits == ()
    assert set(reasons(entries, found)) == {"a", "b"}


def test_the_group_is_drawn_before_the_roll() -> None:
    entries = [_one("a", probability=0), _one("b")]
    won = {tuple(ids(entries, turn(entries, "gold", chance=str(n)))) for n in range(40)}
    assert won == {("b",), ()}, "a roll before the draw would let b in each time"


def test_groups_of_other_names_do_not_meet() -> None:
    entries = [_one("a"), _one("b", groups=("h",)), _one("c", groups=())]
    assert sorted(ids(entries, turn(entries, "gold"))) == ["a", "b", "c"]


def test_who_lost_in_one_group_takes_no_other() -> None:
    entries = [_one("a", is_group_first=True), _one("b", groups=("g", "h"), is_group_first=True, order=1), _one("c")]
    entries[2] = _one("c", groups=("h",))
    assert sorted(ids(entries, turn(entries, "gold"))) == ["a", "c"]


@pytest.mark.parametrize("book", [RECURSIVE, Book("two", is_recursive=True, max_steps=1)])
def test_what_recursion_wakes_does_not_take_a_group_that_is_held(book: Book) -> None:
    entries = [
        lore("a", "gold", text="it is hidden", groups=("g",), book=book),
        lore("b", "hidden", groups=("g",), is_group_first=True, book=book),
    ]
    found = turn(entries, "gold")
    assert ids(entries, found) == ["a"]
    assert reasons(entries, found) == {"b": "the group 'g' is held by 'a'"}


RULES = st.fixed_dictionaries(
    {
        "groups": st.lists(st.sampled_from("ghk"), max_size=2, unique=True).map(tuple),
        "group_weight": st.integers(0, 3),
        "is_group_first": st.booleans(),
        "is_group_scored": st.booleans(),
        "order": st.integers(0, 3),
        "probability": st.sampled_from((0, 50, 100)),
        "is_constant": st.booleans(),
        "sticky": st.sampled_from((0, 20)),
    }
)


@given(st.lists(RULES, max_size=8), st.sets(st.integers(0, 7)), st.text(max_size=3))
@settings(max_examples=150, deadline=None)
def test_at_most_one_of_a_group_is_in(rules: list[dict[str, Any]], sticky: set[int], chance: str) -> None:
    texts = ("gold silver", "silver", "iron", "gold")
    entries = [
        lore(f"e{n}", *texts[n % 3].split(), text=texts[n % 4], book=RECURSIVE, **rule) for n, rule in enumerate(rules)
    ]
    found = turn(entries, "gold iron", timers=Timers({f"e{n}": 9 for n in sticky}, {}), chance=chance)
    held = Counter(name for hit in found.hits for name in entries[hit.index].rules.groups)
    assert all(count == 1 for count in held.values())
    assert not {hit.index for hit in found.hits} & set(found.refused)
