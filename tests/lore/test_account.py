"""What a search takes, what it passes over and what it never looked at: each with the reason that is true."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from npc_sdk.errors import NpcError, RequestError
from npc_sdk.lore.book import MAX_HINTED, LoreBook
from npc_sdk.lore.entry import PLAIN, Book, LoreEntry, Rules, SearchResult
from npc_sdk.lore.heard import CROWDED, MAX_HEARD
from npc_sdk.lore.scan import Scan, Viewer
from npc_sdk.lore.timing import started
from npc_sdk.lore.turn import POOL

ESSENTIAL = Rules(is_essential=True)


def _scan(*messages: str, query: str = "") -> Scan:
    return Scan(Viewer("mara"), messages, query=query)


def _ids(result: SearchResult) -> list[str]:
    return [match.entry.entry_id for match in result.matches]


def _account(result: SearchResult) -> dict[str, str]:
    told = [*result.matches, *result.passed_over, *result.rest()]
    account = {match.entry.entry_id: match.why for match in told}
    assert len(account) == len(told), "every entry is told of once"
    return account


def _golden(count: int, rules: Rules = PLAIN) -> list[LoreEntry]:
    return [LoreEntry(f"g{n}", f"Place {n} is rich.", ("gold",), rules=rules) for n in range(count)]


class TestEssential:
    """Entries that a writer never wants to miss once their keys were said."""

    @pytest.mark.parametrize("limit", [0, 1, 4])
    def test_they_stand_outside_the_limit(self, limit: int) -> None:
        needed = [LoreEntry(f"n{n}", f"Rule {n} holds.", ("gold",), rules=ESSENTIAL) for n in range(6)]
        result = LoreBook([*_golden(9), *needed]).search(_scan("gold"), limit=limit)
        assert {entry.entry_id for entry in needed} <= set(_ids(result))
        assert len(result.matches) == len(needed) + limit

    @pytest.mark.parametrize(
        "twin",
        [
            pytest.param(LoreEntry("twin", "The king is dead.", ("dead king",)), id="a better key"),
            pytest.param(LoreEntry("twin", "The king is dead.", ("king",)), id="the same key"),
            pytest.param(LoreEntry("twin", "The king is dead."), id="words alone"),
        ],
    )
    def test_the_other_one_of_twins_goes(self, twin: LoreEntry) -> None:
        needed = LoreEntry("needed", "The king is dead.", ("king",), rules=ESSENTIAL)
        result = LoreBook([twin, needed]).search(_scan("Is the dead king here?"))
        assert _ids(result) == ["needed"]
        assert result.passed_over[0].why.endswith("; the same words as needed")

    def test_one_that_words_found_takes_the_place_of_its_twin(self) -> None:
        twin = LoreEntry("twin", "The king is dead.", ("king",))
        result = LoreBook([twin, LoreEntry("needed", "King is dead", rules=ESSENTIAL)]).search(
            _scan("the king"), limit=1
        )
        assert _ids(result) == ["needed"]
        assert _account(result)["twin"].startswith("key 'king' was said")

    def test_both_stay_where_both_are_essential(self) -> None:
        twins = [LoreEntry(f"n{n}", "The king is dead.", ("king",), rules=ESSENTIAL) for n in range(2)]
        assert sorted(_ids(LoreBook(twins).search(_scan("king"), limit=1))) == ["n0", "n1"]

    def test_without_a_key_they_count_like_others(self) -> None:
        needed = [LoreEntry(f"n{n}", f"Gold {n}.", rules=ESSENTIAL) for n in range(6)]
        assert len(LoreBook(needed).search(_scan("gold"), limit=2).matches) == 2


class TestManyKeys:
    """More keys said than anything could take in."""

    def test_each_is_told_with_its_key(self) -> None:
        account = _account(LoreBook(_golden(3 * POOL)).search(_scan("gold")))
        assert all(why.startswith("key 'gold' was said") for why in account.values())

    def test_those_never_looked_at_are_told_apart(self) -> None:
        result = LoreBook([*_golden(MAX_HEARD + 20), LoreEntry("well", "A well.", ("well",))]).search(_scan("gold"))
        account = _account(result)
        assert len(result.matches) + len(result.passed_over) == MAX_HEARD
        assert [why for why in account.values() if why == CROWDED] == [CROWDED] * 20
        assert account["well"] == "no key or word of it was said"

    @pytest.mark.parametrize(
        "best",
        [
            pytest.param(LoreEntry("best", "A chest.", ("gold chest",)), id="a longer key"),
            pytest.param(LoreEntry("best", "It lies in a chest.", ("gold",)), id="words in common"),
            pytest.param(LoreEntry("best", "It is far.", ("gold",), rules=ESSENTIAL), id="essential"),
        ],
    )
    def test_the_best_is_looked_at_wherever_it_stands(self, best: LoreEntry) -> None:
        result = LoreBook([*_golden(2 * MAX_HEARD), best]).search(_scan("the gold chest"), limit=1)
        assert _ids(result)[0] == "best"

    @pytest.mark.parametrize(
        "rules",
        [
            pytest.param(Rules(secondary_keys=("silver",)), id="secondary keys"),
            pytest.param(Rules(probability=0), id="chance"),
        ],
    )
    def test_words_do_not_bring_in_what_a_rule_might_keep_out(self, rules: Rules) -> None:
        result = LoreBook(_golden(2 * MAX_HEARD, rules)).search(_scan("gold of a rich place"))
        assert not result.matches

    def test_words_bring_in_what_no_rule_keeps_out(self) -> None:
        strong = [LoreEntry(f"s{n}", "…", ("gold chest",)) for n in range(MAX_HEARD)]
        rich = LoreEntry("rich", "The gold chest of the abbot.", ("gold",))
        result = LoreBook([*strong, rich]).search(_scan("the gold chest of the abbot"))
        assert "words in common" in _account(result)["rich"]

    def test_an_older_message_adds_to_what_was_looked_at(self) -> None:
        entries = [*_golden(MAX_HEARD), *(LoreEntry(f"w{n}", f"Well {n}.", ("well",)) for n in range(9))]
        account = _account(LoreBook(entries).search(_scan("well", "gold")))
        assert {account[f"w{n}"] for n in range(9)} == {CROWDED}


class TestQuery:
    """What is searched for is not always what the player said."""

    entries = (LoreEntry("mill", "The mill burned.", ("mill",)), LoreEntry("well", "A deep well."))

    def test_words_go_by_the_query_and_keys_by_what_was_said(self) -> None:
        result = LoreBook(self.entries).search(_scan("And the mill?", query="the deep well"))
        assert {match.entry.entry_id: match.why for match in result.matches} == {
            "mill": "key 'mill' was said",
            "well": "words in common: deep (rank 1)",
        }

    def test_the_query_wakes_no_keys(self) -> None:
        keyed = LoreEntry("key", "…", ("deep",), rules=Rules(sticky=3))
        (found,) = LoreBook([keyed]).search(_scan("Go on.", query="deep")).matches
        assert found.why == "words in common: deep (rank 1)"


class TestTimers:
    """Timed rules, which a prompt starts and not a search."""

    @pytest.mark.parametrize("said", ["the hammer", "an anvil"], ids=["key", "words"])
    def test_a_cooldown_holds_whatever_found_the_entry(self, said: str) -> None:
        book = LoreBook([LoreEntry("hammer", "It lies by the anvil.", ("hammer",), rules=Rules(cooldown=4))])
        first = book.search(_scan(said))
        timers = started(first.timers, [match.entry for match in first.matches], 1)
        again = book.search(dataclasses.replace(_scan(said, "Yes.", "the hammer and the anvil"), timers=timers))
        assert _ids(first) == ["hammer"]
        assert _account(again) == {"hammer": "rests until message 5 (cooldown)"}

    def test_a_search_alone_starts_nothing(self) -> None:
        book = LoreBook([LoreEntry("hammer", "An anvil.", ("hammer",), rules=Rules(cooldown=4, sticky=2))])
        timers = book.search(_scan("hammer")).timers
        assert (dict(timers.sticky), dict(timers.cooldown)) == ({}, {})


@pytest.mark.parametrize("key", ["/(?<!a)b/", "/[/", "/(.{60}){1000}/"])
def test_a_learned_key_that_cannot_be_run_is_the_callers_mistake(key: str) -> None:
    with pytest.raises(RequestError, match="what 'mara' learned: the key"):
        LoreBook(()).search(_scan("b"), learned=[LoreEntry("told", "…", (key,))])


@pytest.mark.parametrize("said", ["\ud800", "\x00", "/(/", "%s {{ x }}", "🙂" * 5000, "a" * 100_000])
@pytest.mark.parametrize("key", ["\ud800", "...", "", "/a\\/", "\x00", "/a+$/", "{{ x }}"])
def test_a_search_raises_none_but_our_errors(said: str, key: str) -> None:
    entry = LoreEntry("told", key, (key,), rules=Rules(secondary_keys=(key,), excluded_keys=(key,)))
    try:
        result = LoreBook(()).search(_scan(said, said, query=said), learned=[entry, LoreEntry("plain", said, (said,))])
    except NpcError:
        return
    assert len(_account(result)) == 2


class TestIds:
    """What a game may ask of the book by an entry's id."""

    book = LoreBook([LoreEntry("places.mill", "…"), LoreEntry("places.well", "…")])

    def test_it_says_what_it_has(self) -> None:
        assert [self.book.has(entry_id) for entry_id in ("places.mill", "mill", "")] == [True, False, False]

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            pytest.param("places.mil", "did you mean 'places.mill'?", id="near"),
            pytest.param("x", "known entries: places.mill, places.well", id="far"),
        ],
    )
    def test_it_hints_at_what_was_meant(self, wrong: str, hint: str) -> None:
        assert self.book.near_ids(wrong) == hint

    def test_too_many_are_not_compared(self) -> None:
        entries: Sequence[LoreEntry] = [LoreEntry(f"e{n}", "…", book=Book("b")) for n in range(MAX_HINTED + 1)]
        assert not LoreBook(entries).near_ids("e")
