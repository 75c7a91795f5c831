"""A lorebook's rules in one turn, in the order in which they are asked: what comes in, what stays out, and why."""

from __future__ import annotations

import pytest

from npc_sdk.lore.entry import Book, LoreEntry, Timers
from npc_sdk.lore.key import KEY_BASE, KeyFault
from tests.lore.turns import RECURSIVE, ids, lore, reasons, turn, why_in

ALL = {"logic": "and_all", "secondary_keys": ("silver", "coin")}
ANY = {"logic": "and_any", "secondary_keys": ("silver", "coin")}
NONE = {"logic": "not_any", "secondary_keys": ("silver", "coin")}
SOME = {"logic": "not_all", "secondary_keys": ("silver", "coin")}
STICKY = Timers({"a": 9}, {})
RESTING = Timers({}, {"a": 9})
LONG = {"sticky": 20, "cooldown": 20}  # spans in which the timers above may have begun


@pytest.mark.parametrize(
    ("entry", "said", "why"),
    [
        pytest.param(lore("a", "gold"), "Is there gold?", "key 'gold' was said", id="key"),
        pytest.param(lore("a", "gold", "old mill"), "Gold in the old mill", "key 'old mill' was said", id="best key"),
        pytest.param(lore("a", "ore", "gold"), "gold and ore", "key 'gold' was said", id="longer key"),
        pytest.param(lore("a", "gold", "gold"), "gold", "key 'gold' was said", id="key given twice"),
        pytest.param(lore("a", is_constant=True), "", "always in", id="constant without a word"),
        pytest.param(lore("a", "gold", is_constant=True), "gold", "always in", id="constant before its key"),
        pytest.param(
            lore("a", is_constant=True, is_essential=True, scan_depth=0), "x", "always in", id="essential constant"
        ),
        pytest.param(lore("a", always="activate"), "x", "always in (always: activate)", id="always"),
        pytest.param(
            lore("a", always="activate", is_constant=True), "x", "always in (always: activate)", id="before constant"
        ),
        pytest.param(lore("a", "gold", **ANY), "gold coin", "key 'gold' was said", id="and_any: one of two"),
        pytest.param(lore("a", "gold", **ANY), "gold, silver, coin", "key 'gold' was said", id="and_any: both"),
        pytest.param(lore("a", "gold", **ALL), "gold, silver, coin", "key 'gold' was said", id="and_all: both"),
        pytest.param(lore("a", "gold", **NONE), "gold", "key 'gold' was said", id="not_any: none"),
        pytest.param(lore("a", "gold", **SOME), "gold", "key 'gold' was said", id="not_all: none"),
        pytest.param(lore("a", "gold", **SOME), "gold coin", "key 'gold' was said", id="not_all: one of two"),
        pytest.param(lore("a", "gold", logic="and_all"), "gold", "key 'gold' was said", id="logic without keys"),
        pytest.param(lore("a", "gold", excluded_keys=("iron",)), "gold", "key 'gold' was said", id="none excluded"),
        pytest.param(
            lore("a", is_constant=True, excluded_keys=("iron",)), "iron", "always in", id="constant asks no keys"
        ),
        pytest.param(
            lore("a", is_constant=True, logic="not_any", secondary_keys=("iron",)), "iron", "always in", id="nor logic"
        ),
        pytest.param(lore("a", "gold", delay=1), "gold", "key 'gold' was said", id="delay over"),
        pytest.param(lore("a", "gold", probability=100), "gold", "key 'gold' was said", id="chance of 100"),
        pytest.param(lore("a", "gold", groups=("g",)), "gold", "key 'gold' was said", id="alone in its group"),
        pytest.param(lore("a", "/go+ld/i"), "GOOOLD!", "key '/go+ld/i' was said", id="regular expression"),
        pytest.param(lore("a", "gold", is_searchable=False), "gold", "key 'gold' was said", id="keys alone"),
        pytest.param(lore("a", "gold", excludes_recursion=True), "gold", "key 'gold' was said", id="exclude_recursion"),
    ],
)
def test_an_entry_comes_in(entry: LoreEntry, said: str, why: str) -> None:
    found = turn([entry], said)
    assert why_in([entry], found) == {"a": why}
    assert found.refused == {}


@pytest.mark.parametrize(
    ("entry", "said", "why"),
    [
        pytest.param(lore("a", "gold", is_enabled=False), "gold", "switched off", id="switched off"),
        pytest.param(lore("a", is_enabled=False, is_constant=True), "", "switched off", id="off before constant"),
        pytest.param(lore("a", is_enabled=False, always="activate"), "", "switched off", id="off before always"),
        pytest.param(lore("a", "gold", delay=6), "gold", "kept back until message 6", id="delay"),
        pytest.param(lore("a", delay=6, is_constant=True), "", "kept back until message 6", id="delay before constant"),
        pytest.param(lore("a", delay=6, always="activate"), "", "kept back until message 6", id="delay before always"),
        pytest.param(
            lore("a", "gold", always="dont_activate"),
            "gold",
            "never comes in (always: dont_activate)",
            id="dont_activate",
        ),
        pytest.param(
            lore("a", always="dont_activate", is_constant=True),
            "",
            "never comes in (always: dont_activate)",
            id="dont_activate before constant",
        ),
        pytest.param(
            lore("a", "gold", **ANY),
            "gold",
            "key 'gold' was said, but neither was 'silver' nor 'coin'",
            id="and_any: none",
        ),
        pytest.param(
            lore("a", "gold", secondary_keys=("silver",)),
            "gold",
            "key 'gold' was said, but 'silver' was not",
            id="and_any of one",
        ),
        pytest.param(
            lore("a", "gold", **ALL), "gold coin", "key 'gold' was said, but 'silver' was not", id="and_all: one"
        ),
        pytest.param(
            lore("a", "gold", **ALL),
            "gold",
            "key 'gold' was said, but 'silver' and 'coin' were not",
            id="and_all: none",
        ),
        pytest.param(
            lore("a", "gold", **NONE), "gold coin", "key 'gold' was said, but 'coin' was too", id="not_any: one"
        ),
        pytest.param(
            lore("a", "gold", **SOME),
            "gold, silver, coin",
            "key 'gold' was said, but 'silver' and 'coin' were too",
            id="not_all: both",
        ),
        pytest.param(
            lore("a", "gold", excluded_keys=("iron",)),
            "gold and iron",
            "key 'gold' was said, but the excluded 'iron' was too",
            id="excluded",
        ),
        pytest.param(
            lore("a", "gold", excluded_keys=("iron",)),
            "iron",
            "the excluded key 'iron' was said",
            id="excluded without a key",
        ),
        pytest.param(
            lore("a", "gold", excluded_keys=("iron",), **ANY),
            "gold, coin, iron",
            "key 'gold' was said, but the excluded 'iron' was too",
            id="excluded though the logic holds",
        ),
        pytest.param(
            lore("a", "gold", delays_until_recursion=1),
            "gold",
            "key 'gold' was said, but it comes in by recursion only (from step 1)",
            id="delay_until_recursion",
        ),
        pytest.param(lore("a", "gold", probability=0), "gold", "chance: 0 %, drew ", id="no chance"),
        pytest.param(lore("a", probability=0, is_constant=True), "", "chance: 0 %, drew ", id="a constant rolls too"),
    ],
)
def test_a_rule_keeps_an_entry_out(entry: LoreEntry, said: str, why: str) -> None:
    found = turn([entry], said)
    assert found.hits == ()
    assert reasons([entry], found)["a"].startswith(why)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param(lore("a", "gold"), "silver", id="no key said"),
        pytest.param(lore("a", "gold"), "", id="nothing said"),
        pytest.param(lore("a"), "gold", id="no keys"),
        pytest.param(lore("a", "gold", **ANY), "silver", id="secondary key alone"),
        pytest.param(lore("a", "gold", scan_depth=0), "gold", id="depth 0 reads nothing"),
        pytest.param(lore("a", "gold", book=Book(scan_depth=0)), "gold", id="a book of depth 0"),
        pytest.param(lore("a", "gold", probability=0), "silver", id="no roll where no key was said"),
        pytest.param(lore("a", is_constant=True, delays_until_recursion=1), "", id="constant of recursion alone"),
    ],
)
def test_nothing_speaks_for_an_entry(entry: LoreEntry, said: str) -> None:
    found = turn([entry], said)
    assert (found.hits, found.refused) == ((), {})


@pytest.mark.parametrize(
    ("entry", "timers", "kind", "why"),
    [
        pytest.param(
            lore("a", **LONG),
            STICKY,
            "sticky",
            "still in since an earlier turn (sticky, until message 9)",
            id="sticky",
        ),
        pytest.param(lore("a", is_constant=True, **LONG), STICKY, "constant", "always in", id="constant before sticky"),
        pytest.param(
            lore("a", always="activate", **LONG), STICKY, "always", "always in (always: activate)", id="always first"
        ),
        pytest.param(lore("a", **LONG), RESTING, "", "rests until message 9 (cooldown)", id="cooldown"),
        pytest.param(
            lore("a", is_constant=True, **LONG),
            RESTING,
            "",
            "rests until message 9 (cooldown)",
            id="cooldown before constant",
        ),
        pytest.param(
            lore("a", always="activate", **LONG), RESTING, "", "rests until message 9", id="cooldown before always"
        ),
        pytest.param(
            lore("a", **LONG), Timers({"a": 9}, {"a": 9}), "sticky", "still in since", id="cooldown unless sticky"
        ),
        pytest.param(lore("a", delay=6, **LONG), STICKY, "", "kept back until message 6", id="delay before sticky"),
        pytest.param(lore("a", is_enabled=False, **LONG), STICKY, "", "switched off", id="off before sticky"),
        pytest.param(
            lore("a", always="dont_activate", **LONG), STICKY, "", "never comes in", id="dont_activate before sticky"
        ),
        pytest.param(
            lore("a", delays_until_recursion=1, **LONG), STICKY, "sticky", "still in", id="sticky asks no recursion"
        ),
        pytest.param(lore("a", probability=0, **LONG), STICKY, "sticky", "still in", id="sticky does not roll again"),
        pytest.param(
            lore("a", excluded_keys=("gold",), **LONG), STICKY, "sticky", "still in", id="sticky asks no keys"
        ),
    ],
)
def test_the_order_of_the_rules_with_timers(entry: LoreEntry, timers: Timers, kind: str, why: str) -> None:
    found = turn([entry], "gold", timers=timers)
    assert [hit.kind for hit in found.hits] == ([kind] if kind else [])
    told = why_in([entry], found) if kind else reasons([entry], found)
    assert told["a"].startswith(why)


@pytest.mark.parametrize(
    ("depth", "own", "heard"),
    [
        pytest.param(2, None, ["newest", "middle"], id="the book's depth"),
        pytest.param(1, None, ["newest"], id="the player's words alone"),
        pytest.param(2, 3, ["newest", "middle", "oldest"], id="the entry's own depth is deeper"),
        pytest.param(3, 1, ["newest"], id="the entry's own depth is shallower"),
        pytest.param(3, 0, [], id="the entry's own depth is 0"),
        pytest.param(50, None, ["newest", "middle", "oldest"], id="deeper than the conversation"),
    ],
)
def test_keys_are_looked_for_as_deep_as_asked(depth: int, own: int | None, heard: list[str]) -> None:
    book = Book(scan_depth=depth)
    entries = [lore(key, key, book=book, scan_depth=own) for key in ("newest", "middle", "oldest")]
    assert sorted(ids(entries, turn(entries, "oldest", "middle", "newest"))) == sorted(heard)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        pytest.param(("gold", "well"), "key 'gold' was said 1 message before", id="one back"),
        pytest.param(("gold", "well", "yes"), "key 'gold' was said 2 messages before", id="two back"),
        pytest.param(("gold", "gold"), "key 'gold' was said", id="the newest is told"),
    ],
)
def test_an_older_message_is_named(messages: tuple[str, ...], why: str) -> None:
    entries = [lore("a", "gold", scan_depth=5)]
    assert why_in(entries, turn(entries, *messages)) == {"a": why}


def test_secondary_keys_may_be_in_another_message() -> None:
    entries = [lore("a", "gold", secondary_keys=("silver",))]
    assert ids(entries, turn(entries, "silver", "gold")) == ["a"]


def test_a_key_does_not_reach_over_two_messages() -> None:
    entries = [lore("a", "old mill"), lore("b", "old mill", match="plain")]
    assert ids(entries, turn(entries, "it is old", "mill it is")) == []


@pytest.mark.parametrize("entry", [lore("a", "gold"), lore("a", is_constant=True), lore("a", always="activate")])
def test_what_is_not_known_neither_comes_in_nor_is_told_of(entry: LoreEntry) -> None:
    found = turn([entry], "gold", unknown=frozenset({"a"}))
    assert (found.hits, found.refused) == ((), {})


def test_what_is_not_known_is_not_in_though_it_was_sticky_and_keeps_its_time() -> None:
    entries = [lore("a", "gold", **LONG)]
    found = turn(entries, "gold", timers=STICKY, unknown=frozenset({"a"}))
    assert found.hits == ()
    assert found.timers.sticky == {"a": 9}


def test_hits_go_in_sticky_first_then_by_order_then_by_key() -> None:
    entries = [
        lore("low", "gold", order=1),
        lore("short", "gold"),
        lore("long", "gold ring"),
        lore("woken", "hidden", book=RECURSIVE),
        lore("waker", "gold", text="hidden", book=RECURSIVE),
        lore("high", "gold", order=200),
        lore("held", order=0, **LONG),
    ]
    found = turn(entries, "a gold ring", timers=Timers({"held": 9}, {}))
    assert ids(entries, found) == ["held", "high", "long", "short", "waker", "woken", "low"]


def test_a_key_of_more_words_is_stronger_whatever_its_length() -> None:
    entries = [lore("a", "the mill"), lore("b", "blacksmithing"), lore("c", "/mill/"), lore("d", is_constant=True)]
    found = turn(entries, "blacksmithing at the mill")
    strength = {entries[hit.index].entry_id: hit.strength for hit in found.hits}
    assert strength["a"] > strength["b"] > strength["c"] > strength["d"] == KEY_BASE


def test_a_pattern_that_cannot_be_run_is_told_when_the_book_is_made() -> None:
    with pytest.raises(KeyFault, match="is no regular expression") as caught:
        turn([lore("a", "/(?<!the )king/")], "king")
    assert "look-around" in caught.value.hint


@pytest.mark.parametrize("chance", ["a", "b", "c", "d"])
def test_a_roll_shows_what_was_drawn(chance: str) -> None:
    entries = [lore("a", "gold", probability=30)]
    found = turn(entries, "gold", chance=chance)
    if found.refused:
        shown = int(reasons(entries, found)["a"].removeprefix("chance: 30 %, drew "))
        assert 30 < shown <= 100


def test_rolls_come_out_by_their_chance() -> None:
    entries = [lore(f"e{n}", "gold", probability=30) for n in range(400)]
    assert 500 < sum(len(turn(entries, "gold", chance=chance).hits) for chance in "abcde") < 700
