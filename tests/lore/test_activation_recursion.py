"""Recursion: what came in brings in what its own words are keys of, step by step, and it ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.activation import MAX_READ
from npc_sdk.lore.entry import Book, LoreEntry
from tests.lore.turns import RECURSIVE, ids, lore, reasons, turn, why_in

FLAT = Book("flat")


def _one(entry_id: str, *keys: str, text: str = "…", book: Book = RECURSIVE, **rules: Any) -> LoreEntry:
    return lore(entry_id, *keys, text=text, book=book, **rules)


def _chain(count: int, book: Book = RECURSIVE) -> list[LoreEntry]:
    """Entries of which each speaks of the next."""
    return [_one(f"e{n}", f"key{n}", text=f"see key{n + 1}", book=book) for n in range(count)]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param([_one("a", "gold", text="a ring"), _one("b", "ring")], ["a", "b"], id="one wakes another"),
        pytest.param(
            [_one("a", "gold", text="a ring", book=FLAT), _one("b", "ring", book=FLAT)], ["a"], id="off unless asked"
        ),
        pytest.param(
            [_one("a", "gold", text="a ring", book=FLAT), _one("b", "ring")], ["a"], id="a flat book wakes nobody"
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "ring", book=FLAT)], ["a"], id="nor is a flat book woken"
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "ring", book=Book("c", is_recursive=True))],
            ["a", "b"],
            id="from one recursive book to another",
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "ring", excludes_recursion=True)],
            ["a"],
            id="exclude_recursion",
        ),
        pytest.param(
            [_one("a", "gold", text="a ring", prevents_recursion=True), _one("b", "ring")],
            ["a"],
            id="prevent_recursion",
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "gold", delays_until_recursion=1)],
            ["a", "b"],
            id="delay_until_recursion: a key said before counts",
        ),
        pytest.param([_one("b", "gold", delays_until_recursion=1)], [], id="delay_until_recursion without recursion"),
        pytest.param(
            [_one("a", "gold"), _one("b", "gold", delays_until_recursion=3)],
            ["a", "b"],
            id="a later step comes though nothing new was said",
        ),
        pytest.param(
            [
                _one("a", "gold", book=Book("b", is_recursive=True, max_steps=2)),
                _one("b", "gold", delays_until_recursion=3),
            ],
            ["a", "b"],
            id="each entry goes by the steps of its own book",
        ),
        pytest.param(
            [_one("a", "gold"), _one("b", "x", is_constant=True, delays_until_recursion=1)],
            ["a", "b"],
            id="a constant of recursion",
        ),
        pytest.param(
            [_one("a", is_constant=True, text="a ring"), _one("b", "ring")], ["a", "b"], id="a constant wakes others"
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "ring", secondary_keys=("gold",))],
            ["a", "b"],
            id="secondary key in the message, key in the entry",
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "gold", secondary_keys=("ring",))],
            ["a", "b"],
            id="key in the message, secondary key in the entry",
        ),
        pytest.param(
            [_one("a", "gold", text="a ring"), _one("b", "ring", scan_depth=0)], ["a"], id="depth 0 hears no entry"
        ),
        pytest.param(
            [_one("a", "gold", text="a ring of gold"), _one("b", "ring", text="gold")], ["a", "b"], id="a circle ends"
        ),
        pytest.param(
            [_one("a", "gold", text="ring", probability=0), _one("b", "ring")], [], id="who failed wakes nobody"
        ),
        pytest.param(
            [_one("a", "gold", text="iron"), _one("b", "gold", excluded_keys=("iron",))],
            ["a", "b"],
            id="what is in stays, though an excluded key is read later",
        ),
    ],
)
def test_recursion(entries: list[LoreEntry], found: list[str]) -> None:
    assert ids(entries, turn(entries, "gold")) == found


def test_it_is_told_who_woke_whom_and_when() -> None:
    entries = _chain(3)
    assert why_in(entries, turn(entries, "key0")) == {
        "e0": "key 'key0' was said",
        "e1": "key 'key1' was said in 'e0' (step 1)",
        "e2": "key 'key2' was said in 'e1' (step 2)",
    }


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_it_goes_as_many_steps_as_the_book_says(steps: int) -> None:
    entries = _chain(12, Book("b", is_recursive=True, max_steps=steps))
    assert len(turn(entries, "key0").hits) == 1 + steps


@pytest.mark.parametrize(
    ("level", "step"), [pytest.param(1, 1, id="1"), pytest.param(2, 2, id="2"), pytest.param(4, 4, id="4")]
)
def test_who_waits_for_a_step_comes_in_that_step(level: int, step: int) -> None:
    entries = [*_chain(6), _one("late", "key1", text="late", delays_until_recursion=level)]
    found = turn(entries, "key0")
    order = ids(entries, found)
    assert order.index("late") in {order.index(f"e{step}") - 1, order.index(f"e{step}") + 1}


def test_a_failed_roll_is_remembered_through_the_steps() -> None:
    entries = [*_chain(8), _one("rare", "key0", "key1", "key2", "key3", probability=30)]
    for n in range(40):
        one = turn(entries, "key0", chance=str(n))
        alone = turn([entries[-1]], "key0", chance=str(n))
        assert ("rare" in ids(entries, one)) == bool(alone.hits)


def test_what_only_an_entry_said_keeps_nobody_from_being_found_by_search() -> None:
    entries = [
        _one("a", "gold", text="ring and iron"),
        _one("b", "ring", secondary_keys=("silver",), excludes_recursion=True),
        _one("c", "x", excluded_keys=("iron",), book=FLAT),
    ]
    assert reasons(entries, turn(entries, "gold")) == {}


def test_only_so_many_entries_are_read_for_keys_and_it_is_told() -> None:
    entries = [_one(f"a{n:03}", "gold", text="ring") for n in range(MAX_READ + 5)]
    found = turn(entries, "gold")
    assert len(found.hits) == MAX_READ + 5
    assert sum("wakes nobody" in hit.why for hit in found.hits) == 5


WORDS = st.sampled_from([f"w{n}" for n in range(8)])
ENTRY = st.tuples(
    st.lists(WORDS, min_size=1, max_size=2),
    st.lists(WORDS, max_size=4),
    st.fixed_dictionaries(
        {
            "excludes_recursion": st.booleans(),
            "prevents_recursion": st.booleans(),
            "delays_until_recursion": st.integers(0, 4),
            "probability": st.sampled_from((50, 100)),
        }
    ),
    st.integers(1, 5),
)


@given(st.lists(ENTRY, max_size=12), st.lists(WORDS, max_size=3), st.text(max_size=2))
@settings(max_examples=150, deadline=None)
def test_recursion_ends_and_obeys_its_flags(entries: list[Any], said: list[str], chance: str) -> None:
    made = [
        _one(f"e{n}", *keys, text=" ".join(text), book=Book(f"b{steps}", is_recursive=True, max_steps=steps), **rules)
        for n, (keys, text, rules, steps) in enumerate(entries)
    ]
    found = turn(made, " ".join(said), chance=chance)
    assert len({hit.index for hit in found.hits}) == len(found.hits)
    for hit in found.hits:
        entry = made[hit.index]
        woken = "(step " in hit.why
        assert not (woken and entry.rules.excludes_recursion)
        assert woken or set(entry.keys) & set(said)
        if woken:
            assert int(hit.why.split("(step ")[1].split(")")[0]) <= entry.book.max_steps
            waker = hit.why.split(" in '")[1].split("'")[0]
            assert not made[int(waker[1:])].rules.prevents_recursion
