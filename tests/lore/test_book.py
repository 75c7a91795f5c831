"""What a character recalls when something is said, and the reasons given for the rest."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from npc_sdk.lore.book import LoreBook
from npc_sdk.lore.content import load_world
from npc_sdk.lore.entry import LoreEntry
from npc_sdk.lore.word import content_words, words

ENTRIES = (
    LoreEntry("mill", "The old mill burned down nine years ago.", ("mill", "old mill")),
    LoreEntry("fire", "A lamp fell over and set the mill on fire.", ("mill fire",), frozenset({"tobin"})),
    LoreEntry("forge", "Mara works at the forge from dawn to dusk.", ("forge", "smithy")),
    LoreEntry("flood", "The great flood took six houses and a bridge.", ("flood",)),
    LoreEntry("tracks", "Tracks lead to the tower.", ("tracks",), frozenset({"corvin", "elsbeth"})),
    LoreEntry("bridge", "The bridge has three arches of stone.", ()),
    LoreEntry("well", "Moonpetals grow around it at night.", ("old well",)),
)
BOOK = LoreBook(ENTRIES)


def _found(query: str, npc_id: str = "mara", limit: int = 4) -> list[str]:
    return [match.entry.entry_id for match in BOOK.search(query, npc_id=npc_id, limit=limit).matches]


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
        pytest.param("mill", "key 'old mill' was said", id="most specific key"),
        pytest.param("bridge", "words in common: stone, bridge (rank 1)", id="words, as said"),
        pytest.param("flood", "words in common: bridge (rank 2); place 3, only 2 are taken", id="late"),
        pytest.param("forge", "no key or word of it was said", id="not said"),
        pytest.param("tracks", "known only to corvin, elsbeth", id="scope"),
    ],
)
def test_every_entry_is_accounted_for(entry_id: str, why: str) -> None:
    result = BOOK.search("Is the stone bridge by the old mill?", npc_id="mara", limit=2)
    account = {match.entry.entry_id: match.why for match in (*result.matches, *result.passed_over)}
    assert len(result.matches) == 2
    assert set(account) == {entry.entry_id for entry in ENTRIES}
    assert account[entry_id] == why


def test_scope_is_settled_before_ranking() -> None:
    private = [LoreEntry(f"p{n}", "The king hid gold.", ("gold",), frozenset({"tobin"})) for n in range(9)]
    book = LoreBook([*private, LoreEntry("known", "Gold is dear.", ("gold",))])
    result = book.search("gold", npc_id="mara", limit=4)
    assert [match.entry.entry_id for match in result.matches] == ["known"]
    assert all(match.score == 0 for match in result.passed_over)


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_limit_holds(limit: int) -> None:
    assert len(_found("mill forge flood bridge", limit=limit)) == limit


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param((), id="none"),
        pytest.param((LoreEntry("a", "..."),), id="no word at all"),
        pytest.param((LoreEntry("a", "It is what it is."),), id="small words only"),
        pytest.param((LoreEntry("a", "Gold."),), id="one word"),
    ],
)
def test_tiny_books_are_searched(entries: tuple[LoreEntry, ...]) -> None:
    result = LoreBook(entries).search("gold and silver", npc_id="mara")
    assert len(result.matches) + len(result.passed_over) == len(entries)


def test_searching_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    LoreBook(ENTRIES).search("mill", npc_id="mara")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_large_book_is_searched_within_a_frame_or_two() -> None:
    entries = [LoreEntry(f"e{n}", f"House {n} stands in street {n % 97}.", (f"house {n}",)) for n in range(2000)]
    book = LoreBook(entries)
    book.search("street 5", npc_id="mara")
    start = time.process_time()
    result = book.search("Where is house 77?", npc_id="mara")
    assert result.matches[0].entry.entry_id == "e77"
    assert time.process_time() - start < 0.5  # some 10 ms on an idle core


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mills", "mill"),
        ("burned", "burning"),
        ("houses", "house"),
        ("wolf's", "wolf"),
        ("parties", "party"),
        ("foxes", "fox"),
        ("robbed", "robbing"),
        ("forged", "forge"),
        ("Straße", "strasse"),
    ],
)
def test_forms_of_a_word_are_one(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("glass", "glas"), ("ring", "r"), ("bed", "b"), ("bus", "bu"), ("king", "k")]
)
def test_endings_that_belong_to_the_word_stay(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_small_words_are_no_content() -> None:
    assert [word for _, word in content_words("Don't you know where the mill's wheel is?")] == ["mill", "wheel"]


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
    result = LoreBook(content.lore).search(query, npc_id=npc_id)
    assert result.matches[0].entry.entry_id == first
