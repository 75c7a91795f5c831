"""Keys: each kind of match, regular expressions in linear time, and very many of them at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.key import Key, KeyFault, check_key, compile_regex, stands_alone
from npc_sdk.lore.key_index import KeyIndex
from npc_sdk.lore.language import Language
from npc_sdk.lore.regex_index import Effort
from npc_sdk.lore.word import words
from tests.effort import effort_below


def _found(key: Key, text: str) -> bool:
    index = KeyIndex([key], words)
    matched, _ = index.regexes.find(text, np.ones(len(index.regexes.numbers), np.bool_), Effort())
    return [*index.find(text).tolist(), *index.regexes.numbers[matched].tolist()] == [0]


@pytest.mark.parametrize(
    ("key", "text", "is_found"),
    [
        pytest.param(Key("mill"), "the MILLS burned", True, id="words: endings and capitals"),
        pytest.param(Key("mill"), "a million", False, id="words: whole words"),
        pytest.param(Key("old mill"), "the old, mill", True, id="words: signs between"),
        pytest.param(Key("old mill"), "the old grey mill", False, id="words: nothing between"),
        pytest.param(Key("Mara's forge"), "mara forges", True, id="words: possessive"),
        pytest.param(Key("mill", is_case_sensitive=True), "the mills", True, id="cased words: endings"),
        pytest.param(Key("mill", is_case_sensitive=True), "the Mills", False, id="cased words: capital said"),
        pytest.param(Key("Will", is_case_sensitive=True), "ask Will", True, id="cased words: capital asked for"),
        pytest.param(Key("Will", is_case_sensitive=True), "I will", False, id="cased words: small letter said"),
        pytest.param(Key("THE END", is_case_sensitive=True), "THE END", True, id="cased words: all capitals"),
        pytest.param(Key("THE END", is_case_sensitive=True), "The End", False, id="cased words: first capitals"),
        pytest.param(Key("mill", "whole"), "the mill.", True, id="whole: the word"),
        pytest.param(Key("mill", "whole"), "the mills", False, id="whole: no endings"),
        pytest.param(Key("MILL", "whole"), "the mill", True, id="whole: any case"),
        pytest.param(Key("MILL", "whole", True), "the mill", False, id="whole: case as asked"),
        pytest.param(Key("o'brien", "whole"), "Ask O’Brien.", True, id="whole: sign inside"),
        pytest.param(Key("x-ray", "whole"), "an x ray", False, id="whole: sign missing"),
        pytest.param(Key("x-ray", "whole"), "x ray, then x-ray", True, id="whole: sign there the second time"),
        pytest.param(Key("x-ray", "whole"), "an x-rays", False, id="whole: sign inside, word goes on"),
        pytest.param(Key("old mill", "whole"), "the cold mills", True, id="whole: several words are plain text"),
        pytest.param(Key("!!", "whole"), "No!!!", True, id="whole: signs alone are plain text"),
        pytest.param(Key("mill", "plain"), "a million", True, id="plain: anywhere"),
        pytest.param(Key("Mill", "plain"), "a MILLION", True, id="plain: any case"),
        pytest.param(Key("Mill", "plain", True), "a million", False, id="plain: case as asked"),
        pytest.param(Key("old mill", "plain"), "the old\n  mill", True, id="plain: blanks are one"),
        pytest.param(Key("x", "plain"), "axe", True, id="plain: one letter"),
        pytest.param(Key("old mills", "plain"), "the old mill", False, id="plain: longer than what was said"),
        pytest.param(Key("ﬁre", "plain"), "FIRE", True, id="plain: one spelling of a character"),
        pytest.param(Key("Straße", "plain"), "STRASSE", True, id="plain: folded"),
        pytest.param(Key("🙂", "plain"), "fine 🙂", True, id="plain: a picture"),
        pytest.param(Key("   ", "plain"), "a   b", False, id="blanks are never found"),
        pytest.param(Key("..."), "...", False, id="words: no word is never found"),
        pytest.param(Key("/mills?/"), "two mills", True, id="regex"),
        pytest.param(Key("/mills?/"), "two MILLS", False, id="regex: case"),
        pytest.param(Key("/mills?/i"), "two MILLS", True, id="regex: i"),
        pytest.param(Key("/^gold/"), "no\ngold", False, id="regex: the whole message"),
        pytest.param(Key("/^gold/m"), "no\ngold", True, id="regex: m"),
        pytest.param(Key("/old.mill/"), "old\nmill", False, id="regex: a line"),
        pytest.param(Key("/old.mill/s"), "old\nmill", True, id="regex: s"),
        pytest.param(Key("/mühle/u"), "die mühle", True, id="regex: u"),
        pytest.param(Key("/a\\/b/"), "a/b", True, id="regex: a slash inside"),
        pytest.param(Key("/gold, (silver|iron)/"), "gold, iron", True, id="regex: commas"),
        pytest.param(Key("/mill/", "plain"), "a mill", True, id="regex whatever the match"),
        pytest.param(Key("/mill", "plain"), "a mill", False, id="one slash is plain text"),
        pytest.param(Key("/go.d/"), "go\ud800d", True, id="half a character said"),
    ],
)
def test_a_key_is_found(key: Key, text: str, *, is_found: bool) -> None:
    assert _found(key, text) is is_found


@pytest.mark.parametrize(
    ("key", "told", "hint"),
    [
        pytest.param(Key("/(?=king)/"), "invalid perl operator: (?=", "look-around", id="look-ahead"),
        pytest.param(Key("/(?<!a)b/"), "invalid perl operator: (?<!", "look-around", id="look-behind"),
        pytest.param(Key(r"/(a)\1/"), r"invalid escape sequence: \1", "back-references", id="back-reference"),
        pytest.param(Key("/a++/"), "bad repetition operator: ++", "possessive", id="possessive"),
        pytest.param(Key("/[a/"), "missing ]", "needs no slashes", id="open bracket"),
        pytest.param(Key("/a{1001}/"), "invalid repetition size", "needs no slashes", id="too often"),
        pytest.param(Key("/((.{60}){10}){3}/"), "", "needs no slashes", id="too large"),
        pytest.param(Key("/mill/x"), "the flag 'x'", "known flags: i, m, s, u", id="unknown flag"),
        pytest.param(Key("/\ud800/"), "half a character", "", id="half a character"),
        pytest.param(Key("..."), "the key '...' holds no word", "one or more words", id="no word"),
        pytest.param(Key("  ", "plain"), "the key '  ' is empty", "take it out", id="empty"),
    ],
)
def test_a_key_that_cannot_be_used_is_told(key: Key, told: str, hint: str) -> None:
    with pytest.raises(KeyFault) as caught:
        check_key(key, words)
    assert told in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("pattern", ["/(a+)+$/", "/(a|a)*b/", "/(.*)(.*)(.*)(.*)x/", "/(a?){60}a{60}/"])
def test_no_pattern_takes_long(pattern: str) -> None:
    compiled = compile_regex(pattern)
    with effort_below(0.5):
        compiled.search(b"a" * 4000 + b"!")


@given(st.lists(st.tuples(st.text("ab -", min_size=1, max_size=9), st.booleans())), st.text("abAB -", max_size=30))
@settings(max_examples=200, deadline=None)
def test_plain_keys_are_found_as_a_search_of_each_would(keys: list[tuple[str, bool]], text: str) -> None:
    index = KeyIndex([Key(key, "plain", cased) for key, cased in keys], words)
    spelled = " ".join(text.split())
    expected = [
        number
        for number, (key, cased) in enumerate(keys)
        if (plain := " ".join(key.split())) and (plain in spelled if cased else plain in spelled.lower())
    ]
    assert index.find(text).tolist() == expected


@given(st.lists(st.text("ab ", min_size=1, max_size=9)), st.text("ab ", max_size=30))
@settings(max_examples=200, deadline=None)
def test_word_keys_are_found_as_a_search_of_each_would(keys: list[str], text: str) -> None:
    index = KeyIndex([Key(key) for key in keys], words)
    said = f" {' '.join(words(text))} "
    expected = [n for n, key in enumerate(keys) if words(key) and f" {' '.join(words(key))} " in said]
    assert index.find(text).tolist() == expected


@pytest.mark.parametrize(
    ("literal", "text", "alone"),
    [("ab", "ab", True), ("ab", "cab ab", True), ("ab", "abc", False), ("ab", "_ab", False), ("ab", "", False)],
)
def test_standing_alone(literal: str, text: str, *, alone: bool) -> None:
    assert stands_alone(literal, text) is alone


def test_keys_go_by_the_words_of_their_language() -> None:
    german = Language.named("German").words
    assert KeyIndex([Key("Mühle")], german).find("die alten Mühlen").tolist() == [0]


@pytest.mark.parametrize("match", ["words", "whole", "plain"])
def test_very_many_keys_are_searched_in_a_moment(match: str) -> None:
    keys = [Key(f"house {n}", match) for n in range(30_000)]  # type: ignore[arg-type]  # each is a KeyMatch
    index = KeyIndex(keys, words)
    with effort_below(0.1):  # under a millisecond on an idle core
        found = index.find("Who lives in house 77, and who in house 20000? " * 8)
    assert {77, 20000} <= set(found.tolist())
