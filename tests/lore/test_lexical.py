"""The words of passages as an index: its scores are BM25's, whatever the size, and only what is allowed is ranked."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.lore.lexical import K1, B, LexicalIndex, best_of, build_lexical
from npc_sdk.lore.spelling import Spelling

WORDS = ("stone", "bridge", "mill", "wolf", "salt", "tower")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=12)


def _bm25(texts: list[list[str]], stem: str, at: int) -> float:
    """The formula as it is printed."""
    holding = sum(stem in text for text in texts)
    count, length = texts[at].count(stem), len(texts[at])
    mean = sum(map(len, texts)) / len(texts)
    rarity = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
    return rarity * count / (count + K1 * (1 - B + B * length / mean)) if count else 0.0


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, query=st.lists(st.sampled_from(WORDS), unique=True, max_size=4))
def test_scores_are_those_of_the_formula(texts: list[list[str]], query: list[str]) -> None:
    scores = build_lexical(texts).scores(query)
    wanted = [sum(_bm25(texts, stem, at) for stem in query) for at in range(len(texts))]
    np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, query=st.lists(st.sampled_from(WORDS), unique=True, max_size=4))
def test_a_text_beside_the_index_scores_as_one_in_it(texts: list[list[str]], query: list[str]) -> None:
    index = build_lexical(texts)
    beside = [index.score_text(query, text) for text in texts]
    np.testing.assert_allclose(beside, index.scores(query), rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, stem=st.sampled_from((*WORDS, "unknown")))
def test_which_passages_hold_a_word_is_known(texts: list[list[str]], stem: str) -> None:
    every = np.arange(len(texts))
    assert build_lexical(texts).holds(stem, every).tolist() == [stem in text for text in texts]


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    count=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_the_best_are_those_of_a_full_sort(scores: list[int], count: int, seed: int) -> None:
    allowed = [random.Random(seed + at).random() < 0.7 for at in range(len(scores))]
    order = [at for at in range(len(scores)) if allowed[at] and scores[at] > 0]
    wanted = sorted(order, key=lambda at: (-scores[at], at))[:count]
    found = best_of(np.asarray(scores, dtype=np.float32), np.asarray(allowed), count)
    assert list(found.indices) == wanted
    assert list(found.scores) == [scores[at] for at in wanted]


def test_words_that_no_passage_holds_are_not_heard() -> None:
    index = build_lexical([["stone", "bridge"]])
    assert index.heard({"stone": "stones", "xyzzy": "xyzzy"}) == {"stone": "stones"}


def test_a_misspelt_word_is_heard_as_what_it_may_mean() -> None:
    index = build_lexical([["blacksmith"], ["tower"]])
    assert index.heard({"blaksmith": "blaksmith"}) == {"blacksmith": "blaksmith (for blacksmith)"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("blaksmith", "blacksmith", id="a letter missing"),
        pytest.param("moonpettal", "moonpetal", id="a letter too many"),
        pytest.param("lanturn", "lantern", id="a wrong letter"),
        pytest.param("gaurd", "guard", id="two letters in each other's place"),
        pytest.param("flod", "flood", id="a short word, a letter missing"),
        pytest.param("blacksmit", "blacksmith", id="the last letter missing"),
    ],
)
def test_one_mistake_is_seen_through(said: str, meant: str) -> None:
    spelling = Spelling(["blacksmith", "moonpetal", "lantern", "guard", "flood", "tower"])
    assert spelling.near(said) == [meant]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        pytest.param("horse", "house", id="a wrong letter in a short word"),
        pytest.param("goat", "boat", id="another first letter"),
        pytest.param("cat", "cart", id="very short"),
        pytest.param("blksmith", "blacksmith", id="two letters missing"),
        pytest.param("1042", "1043", id="numbers"),
        pytest.param("abcdef", "badcef", id="two changes of place"),
    ],
)
def test_another_word_is_left_alone(said: str, known: str) -> None:
    assert Spelling([known]).near(said) == []


def test_an_index_of_no_word_scores_nothing() -> None:
    index = build_lexical([[], []])
    assert isinstance(index, LexicalIndex)
    assert index.scores(["stone"]).tolist() == [0.0, 0.0]
