"""The held-out questions: valid for the village, answerable by whom they are put to, and none of those tuned on."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from npc_sdk.evals.lore.case import VILLAGE, Case, barred_wants, read_cases
from npc_sdk.lore.content import WorldContent, load_world

PERSONAS = Path(__file__).parents[2] / "personas"
HELD_OUT = VILLAGE.with_name("held_out.yaml")


@pytest.fixture(scope="module")
def content() -> WorldContent:
    return load_world(PERSONAS)


@pytest.fixture(scope="module")
def cases(content: WorldContent) -> tuple[Case, ...]:
    return read_cases(HELD_OUT, content)


def _words(case: Case) -> str:
    """The question alone: neither case nor punctuation makes it another one."""
    return " ".join(re.findall(r"\w+", case.ask.casefold()))


def test_it_holds_every_kind_and_asks_everybody(content: WorldContent, cases: tuple[Case, ...]) -> None:
    kinds = Counter(case.kind for case in cases)
    assert len(cases) >= 60
    assert min(kinds[kind] for kind in ("key", "paraphrase", "role", "misspelling", "follow-up", "chatter")) >= 8
    assert {case.npc for case in cases} == set(content.personas)
    assert all(bool(case.expects) != (case.kind == "chatter") for case in cases)
    assert all(bool(case.before) == (case.kind == "follow-up") for case in cases)


def test_no_question_is_there_twice(cases: tuple[Case, ...]) -> None:
    assert [words for words, times in Counter(map(_words, cases)).items() if times > 1] == []


def test_no_question_is_among_those_tuned_on(content: WorldContent, cases: tuple[Case, ...]) -> None:
    tuned_on = {_words(case) for case in read_cases(VILLAGE, content)}
    assert [case.ask for case in cases if _words(case) in tuned_on] == []


def test_what_is_wanted_may_be_known_by_whom_it_is_asked(content: WorldContent, cases: tuple[Case, ...]) -> None:
    assert [(cases[number].ask, why) for number, _, why in barred_wants(content, cases)] == []
