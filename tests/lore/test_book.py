"""What a character recalls when something is said, and the reasons given for the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import load_world
from npc_sdk.lore.entry import NO_TIMERS, LoreEntry, Rules, Scope, SearchResult
from npc_sdk.lore.index import Weights
from npc_sdk.lore.lexical import Floats
from npc_sdk.lore.scan import Scan, Viewer
from npc_sdk.lore.semantic import OnDone
from npc_sdk.lore.timing import started
from npc_sdk.lore.turn import POOL
from tests.effort import effort_below

ENTRIES = (
    LoreEntry("mill", "The old mill burned down nine years ago.", ("mill", "old mill")),
    LoreEntry("fire", "A lamp fell over and set the mill on fire.", ("mill fire",), Scope(frozenset({"tobin"}))),
    LoreEntry("forge", "Mara works at the forge from dawn to dusk.", ("forge", "smithy")),
    LoreEntry("flood", "The great flood took six houses and a bridge.", ("flood",)),
    LoreEntry("tracks", "Tracks lead to the tower.", ("tracks",), Scope(frozenset({"corvin", "elsbeth"}))),
    LoreEntry("bridge", "The bridge has three arches of stone.", ()),
    LoreEntry("well", "Moonpetals grow around it at night.", ("old well",)),
)
BOOK = LoreBook(ENTRIES)


def _scan(*messages: str, npc_id: str = "mara", learned: Sequence[str] = ()) -> Scan:
    return Scan(Viewer(npc_id, learned=frozenset(learned)), messages)


def _ids(result: SearchResult) -> list[str]:
    return [match.entry.entry_id for match in result.matches]


def _found(query: str, npc_id: str = "mara", limit: int = 4) -> list[str]:
    return _ids(BOOK.search(_scan(query, npc_id=npc_id), limit=limit))


def _account(result: SearchResult) -> dict[str, str]:
    told = [*result.matches, *result.passed_over, *result.rest()]
    account = {match.entry.entry_id: match.why for match in told}
    assert len(account) == len(told), "every entry is told of once"
    return account


@pytest.mark.parametrize(
    ("query", "npc_id", "found"),
    [
        pytest.param("Where is the forge?", "mara", ["forge"], id="key"),
        pytest.param("WHERE IS THE FORGE", "mara", ["forge"], id="case"),
        pytest.param("Are there forges?", "mara", ["forge"], id="plural"),
        pytest.param("the forge's door", "mara", ["forge"], id="possessive"),
        pytest.param("What of the forgery?", "mara", [], id="a key is a whole word"),
        pytest.param("What of the old well?", "mara", ["well"], id="key of two words"),
        pytest.param("Who lost houses?", "mara", ["flood"], id="word in common"),
        pytest.param("the flood at the smithy", "mara", ["forge", "flood"], id="longer key first"),
        pytest.param("Was it a mill fire?", "tobin", ["fire", "mill"], id="more specific key first"),
        pytest.param("Was it a mill fire?", "mara", ["mill"], id="known only to another"),
        pytest.param("the stone bridge", "mara", ["bridge", "flood"], id="more words in common first"),
        pytest.param("bridge, forge", "mara", ["forge", "bridge", "flood"], id="keys before words"),
        pytest.param("Do you know what to do?", "mara", [], id="small words only"),
        pytest.param("What is a moonpettal?", "mara", ["well"], id="misspelt"),
        pytest.param("", "mara", [], id="nothing said"),
        pytest.param("?!... 🙂", "mara", [], id="no words"),
        pytest.param("tracks", "stranger", [], id="unknown character knows what all know"),
    ],
)
def test_search_finds(query: str, npc_id: str, found: list[str]) -> None:
    assert _found(query, npc_id) == found


@pytest.mark.parametrize(
    ("entry_id", "why"),
    [
        pytest.param("mill", "key 'old mill' was said; words in common: mill (rank 2)", id="key and words"),
        pytest.param("bridge", "words in common: stone, bridge (rank 1)", id="words, as said"),
        pytest.param("flood", "words in common: bridge (rank 3); place 3, only 2 are taken", id="late"),
        pytest.param("forge", "no key or word of it was said", id="not said"),
        pytest.param("tracks", "known only to corvin, elsbeth", id="scope"),
    ],
)
def test_every_entry_is_accounted_for(entry_id: str, why: str) -> None:
    result = BOOK.search(_scan("Is the stone bridge by the old mill?"), limit=2)
    account = _account(result)
    assert len(result.matches) == 2
    assert set(account) == {entry.entry_id for entry in ENTRIES}
    assert account[entry_id] == why


def test_a_misspelt_word_is_told_with_what_it_was_taken_for() -> None:
    (match,) = BOOK.search(_scan("a moonpettal")).matches
    assert match.why == "words in common: moonpettal (for moonpetal) (rank 1)"


def test_scope_is_settled_before_ranking() -> None:
    private = [LoreEntry(f"p{n}", "The king hid gold.", ("gold",), Scope(frozenset({"tobin"}))) for n in range(9)]
    book = LoreBook([*private, LoreEntry("known", "Gold is dear.", ("gold",))])
    result = book.search(_scan("gold"))
    assert _ids(result) == ["known"]
    assert not result.passed_over
    assert all(match.score == 0 and match.why == "known only to tobin" for match in result.rest())


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_limit_holds(limit: int) -> None:
    assert len(_found("mill forge flood bridge", limit=limit)) == limit


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param((), id="none"),
        pytest.param((LoreEntry("a", "..."),), id="no word at all"),
        pytest.param((LoreEntry("a", "It is what it is."),), id="small words only"),
        pytest.param((LoreEntry("a", "It is."), LoreEntry("b", "Gold.")), id="small words only, then a word"),
        pytest.param((LoreEntry("a", "Gold."),), id="one word"),
    ],
)
def test_tiny_books_are_searched(entries: tuple[LoreEntry, ...]) -> None:
    result = LoreBook(entries).search(_scan("gold and silver"))
    assert len(_account(result)) == len(entries)


def test_searching_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    LoreBook(ENTRIES).search(_scan("mill"))
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


class TestRules:
    """What the lorebook's rules do to the search."""

    def test_a_constant_entry_stands_first_and_outside_the_limit(self) -> None:
        constant = LoreEntry("law", "Nobody draws steel in the village.", rules=Rules(is_constant=True))
        result = LoreBook([*ENTRIES, constant]).search(_scan("Is the stone bridge by the old mill?"), limit=2)
        assert _ids(result) == ["law", "mill", "bridge"]
        assert result.matches[0].why == "always in"

    def test_what_a_rule_keeps_out_is_not_brought_in_by_words(self) -> None:
        rules = Rules(secondary_keys=("silver",), is_searchable=True)
        book = LoreBook([LoreEntry("gold", "Gold lies under the hill.", ("gold",), rules=rules)])
        result = book.search(_scan("Is there gold under the hill?"))
        assert not result.matches
        assert "key 'gold' was said, but" in result.passed_over[0].why

    def test_what_is_switched_off_says_so(self) -> None:
        book = LoreBook([LoreEntry("gold", "Gold lies under the hill.", ("gold",), rules=Rules(is_enabled=False))])
        assert _account(book.search(_scan("gold"))) == {"gold": "switched off"}

    def test_an_entry_that_may_not_be_searched_comes_in_by_its_keys_alone(self) -> None:
        rules = Rules(is_searchable=False)
        book = LoreBook([LoreEntry("gold", "Gold lies under the hill.", ("treasure",), rules=rules)])
        assert _account(book.search(_scan("Is there gold?"))) == {
            "gold": "only its keys bring it in, and none was said"
        }
        assert _ids(book.search(_scan("Is there treasure?"))) == ["gold"]

    def test_the_same_words_are_not_brought_in_twice(self) -> None:
        twin = LoreEntry("twin", "Bridge has three arches, of stone", ())
        result = LoreBook([*ENTRIES, twin]).search(_scan("the stone bridge"))
        assert _ids(result) == ["bridge", "flood"]
        assert result.passed_over[0].why.endswith("; the same words as bridge")

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param("The bridge has no three arches of stone.", id="denied"),
            pytest.param("The bridge has four arches of stone.", id="another number"),
            pytest.param("The stone has three arches of bridge.", id="another order"),
        ],
    )
    def test_nearly_the_same_words_may_say_something_else(self, other: str) -> None:
        assert "other" in _ids(LoreBook([*ENTRIES, LoreEntry("other", other)]).search(_scan("the stone bridge")))

    def test_more_than_the_pool_are_told_of_by_the_rest(self) -> None:
        book = LoreBook([LoreEntry(f"e{n}", f"Gold lies at place {n}.") for n in range(POOL + 5)])
        result = book.search(_scan("gold"))
        assert len(result.matches) + len(result.passed_over) == POOL
        assert {match.why for match in result.rest()} == {f"words in common, but {POOL} others fit better"}


class TestLearned:
    """What a character came to know in play."""

    def test_an_entry_of_another_is_known_once_it_was_learned(self) -> None:
        assert _ids(BOOK.search(_scan("the mill fire", learned=["fire"]))) == ["fire", "mill"]

    def test_a_new_entry_takes_part_in_every_rank(self) -> None:
        learned = [LoreEntry("told", "Varn hides his gold in the mill.", source="told by the player")]
        result = BOOK.search(_scan("Where does Varn hide gold?"), learned=learned)
        assert _ids(result) == ["told"]
        assert result.matches[0].why == "words in common: varn, hide, gold (rank 1)"

    def test_keys_of_a_new_entry_are_heard(self) -> None:
        learned = [LoreEntry("told", "Varn hides something.", ("dragon hoard",))]
        assert _ids(BOOK.search(_scan("What of the dragon hoard?"), learned=learned)) == ["told"]

    def test_what_one_learned_another_does_not_know(self) -> None:
        learned = [LoreEntry("told", "Varn hides his gold.")]
        assert _ids(BOOK.search(_scan("Varn's gold"), learned=learned)) == ["told"]
        assert not _found("Varn's gold", "tobin")
        assert not _found("Varn's gold")

    def test_every_entry_is_accounted_for_with_them(self) -> None:
        account = _account(BOOK.search(_scan("Where is the forge?"), learned=[LoreEntry("told", "Gold is dear.")]))
        assert account["told"] == "no key or word of it was said"
        assert len(account) == len(ENTRIES) + 1

    def test_it_keeps_its_own_time(self) -> None:
        book = LoreBook([LoreEntry("song", "A song of gold.", ("song",), rules=Rules(sticky=4))])
        learned = [LoreEntry("told", "The hoard is cursed.", ("hoard",), rules=Rules(sticky=2))]
        first = book.search(_scan("song and hoard"), learned=learned)
        assert first.timers == NO_TIMERS
        timers = started(first.timers, [match.entry for match in first.matches], 1)
        assert dict(timers.sticky) == {"song": 5, "told": 3}
        later = dataclasses.replace(_scan("song and hoard", "Yes.", "Go on."), timers=timers)
        result = book.search(later, learned=learned)
        assert _ids(result) == ["song"]
        assert dict(result.timers.sticky) == {"song": 5}

    def test_an_entry_of_the_world_is_not_taken_twice(self) -> None:
        account = _account(BOOK.search(_scan("the mill fire", learned=["fire"]), learned=[ENTRIES[1]]))
        assert len(account) == len(ENTRIES)


class _Colours:
    """An embedder of three meanings: red, green and everything else."""

    fingerprint = "colours"

    def passages(self, texts: Sequence[str], on_done: OnDone | None = None) -> Floats:  # noqa: ARG002 - the protocol's
        return np.asarray([self.query(text) for text in texts], dtype=np.float32).reshape(len(texts), 3)

    def query(self, text: str) -> Floats:
        red = any(word in text.lower() for word in ("ruby", "blood", "rose"))
        green = any(word in text.lower() for word in ("leaf", "grass"))
        return np.asarray([red, green, not (red or green)], dtype=np.float32)


class TestMeaning:
    """The search with an embedder."""

    entries = (
        LoreEntry("ruby", "The ruby lies in the chest."),
        LoreEntry("grass", "Grass grows in the yard."),
        LoreEntry("blood", "Blood is on the stairs.", scope=Scope(frozenset({"tobin"}))),
    )
    book = LoreBook.build(entries, embedder=_Colours())

    def test_meaning_finds_what_no_word_does(self) -> None:
        result = self.book.search(_scan("Have you seen a rose?"))
        assert [(match.entry.entry_id, match.why) for match in result.matches] == [("ruby", "meaning 1.00 (rank 1)")]

    def test_meaning_finds_nothing_that_is_not_known(self) -> None:
        account = _account(self.book.search(_scan("Have you seen a rose?")))
        assert account["blood"] == "known only to tobin"
        assert account["grass"] == "no key or word of it was said, and nothing like it meant"

    def test_what_was_learned_is_found_by_meaning(self) -> None:
        result = self.book.search(_scan("a leaf"), learned=[LoreEntry("told", "The grass is poisoned.")])
        assert _ids(result) == ["grass", "told"]

    def test_all_ranks_that_found_it_are_told(self) -> None:
        (first, *_) = self.book.search(_scan("the ruby")).matches
        assert first.why == "words in common: ruby (rank 1); meaning 1.00 (rank 1)"

    @pytest.mark.parametrize(
        ("weights", "found"),
        [
            pytest.param(Weights(1, 0, 0), [], id="keys"),
            pytest.param(Weights(0, 1, 0), ["grass"], id="words"),
            pytest.param(Weights(0, 0, 1), ["ruby"], id="meaning"),
        ],
    )
    def test_a_rank_without_weight_is_not_asked(self, weights: Weights, found: list[str]) -> None:
        assert _ids(self.book.weighted(weights).search(_scan("a rose in the yard"))) == found


def test_another_language_is_searched_by_its_own_words() -> None:
    book = LoreBook.build([LoreEntry("m", "Die alte Mühle ist abgebrannt.")], language="German")
    (match,) = book.search(_scan("Was ist mit den Mühlen?")).matches
    assert match.why == "words in common: mühlen (rank 1)"
    assert not book.search(_scan("Was ist das?")).matches


def test_a_large_book_is_searched_within_a_frame() -> None:
    entries = [LoreEntry(f"e{n}", f"House {n} stands in street {n % 97}.", (f"house {n}",)) for n in range(2000)]
    book = LoreBook(entries)
    book.search(_scan("street 5"))
    with effort_below(0.1):  # a few ms on an idle core
        result = book.search(_scan("Where is house 77?"))
        assert result.matches[0].entry.entry_id == "e77"


@pytest.mark.parametrize(
    ("query", "npc_id", "first"),
    [
        ("What happened to the old mill?", "mara", "places.the-old-mill"),
        ("Where do moonpetals grow?", "elsbeth", "seasons.moonpetals"),
        ("Have you seen the wolf tracks?", "corvin", "shared_secrets.the-wolf-tracks"),
        ("Have you seen the wolf tracks?", "pip", "dangers.wolves"),
        ("Is there a hole in the wall?", "pip", "pip.own.the-hole-in-the-wall"),
        ("Where is the inn?", "pip", "places.the-gilded-goose"),
        ("When is the lantern feast?", "tobin", "seasons.the-lantern-feast"),
    ],
)
def test_the_village_knows_its_own(query: str, npc_id: str, first: str) -> None:
    content = load_world(Path(__file__).parents[2] / "personas")
    result = LoreBook(content.lore).search(_scan(query, npc_id=npc_id))
    assert result.matches[0].entry.entry_id == first
