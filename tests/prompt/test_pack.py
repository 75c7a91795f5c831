"""Which lore gets in: essentials whatever else is, the rest by priority and value a token, and every loser is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.errors import PromptTooLong
from npc_sdk.lore.entry import Book, LoreEntry, Match, Rules, Scope
from npc_sdk.messages import Message
from npc_sdk.prompt.compile import CompiledPrompt, PromptSource, compile_prompt
from npc_sdk.prompt.formats import chat_format
from npc_sdk.prompt.pack import Budget, is_lasting, pack
from npc_sdk.requests import Segment

from .test_compile import FORMATS, PERSONA, WORLD, count_joined, count_words


def _entry(name: str, tokens: int = 5, book: Book | None = None, scope: Scope | None = None, **rules: object) -> Match:
    entry = LoreEntry(
        name,
        f"{name} " + "w " * (tokens - 1),
        scope=scope or Scope(),
        rules=Rules(**rules),  # type: ignore[arg-type]
        book=book or Book(),
    )
    return Match(entry, 1.0, "key 'x' was said")


def _pack(*matches: Match, room: int = 100, constant_room: int = 40) -> tuple[list[str], list[str], dict[str, object]]:
    budget = Budget(room)
    lore = pack(matches, budget, lambda entry: len(entry.text.split()), constant_room)
    names = [[text.split()[0] for text in texts] for texts in (lore.constants, lore.told)]
    return names[0], names[1], {part.name: part for part in budget.parts}


def test_an_essential_takes_its_room_before_all_others() -> None:
    front, told, parts = _pack(_entry("a", 9), _entry("b", 30, is_essential=True), room=35)
    assert (front, told) == ([], ["b"])
    assert parts["a"].displaced_by == ("b",)  # type: ignore[attr-defined]
    assert "9 tokens, 2 left; displaced by b" in parts["a"].why  # type: ignore[attr-defined]


def test_an_essential_that_cannot_fit_is_told_as_lost() -> None:
    _, told, parts = _pack(_entry("big", 60, is_essential=True), _entry("a"), room=50)
    assert told == ["a"]
    assert parts["big"].is_essential  # type: ignore[attr-defined]
    assert not parts["big"].is_in  # type: ignore[attr-defined]


def test_the_loser_names_who_took_its_room() -> None:
    dear = dataclasses.replace(_entry("dear", 20), score=9.0)
    _, told, parts = _pack(dear, _entry("cheap", 25), room=100)
    assert told == ["dear"]
    assert parts["cheap"].displaced_by == ("dear",)  # type: ignore[attr-defined]
    assert parts["cheap"].why == "key 'x' was said; 25 tokens, 20 left; displaced by dear"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        pytest.param(_entry("a", 30), _entry("b", 30, priority=1), "b", id="priority"),
        pytest.param(_entry("a", 35), _entry("b", 20), "b", id="more value a token"),
        pytest.param(_entry("a", 5), _entry("b", 38, is_constant=True, scope=Scope(when="x")), "b", id="constant"),
        pytest.param(_entry("a", 35, ignores_budget=True), _entry("b", 20), "ab", id="no budget holds it"),
    ],
)
def test_the_share_goes_to_the_better_one(first: Match, second: Match, winner: str) -> None:
    assert sorted(_pack(first, second, room=100)[1]) == sorted(winner)


def test_a_book_keeps_to_its_budget() -> None:
    book = Book("taverns", budget_tokens=12)
    _, told, parts = _pack(_entry("a", 8, book), _entry("b", 8, book), _entry("c", 8))
    assert told == ["a", "c"]
    assert "8 tokens, 4 left of the 12 of book 'taverns'; displaced by a" in parts["b"].why  # type: ignore[attr-defined]
    assert parts["b"].displaced_by == ("a",)  # type: ignore[attr-defined]


def test_passages_stand_by_their_order_and_then_by_their_rank() -> None:
    assert _pack(_entry("a"), _entry("b", order=5), _entry("c"), _entry("d", order=200))[1] == ["b", "a", "c", "d"]


@pytest.mark.parametrize(
    ("match", "is_so"),
    [
        pytest.param(_entry("a", is_constant=True), True, id="constant"),
        pytest.param(_entry("a", is_constant=True, scope=Scope(frozenset({"mara"}))), True, id="of one NPC"),
        pytest.param(_entry("a", is_constant=True, scope=Scope(when="x")), False, id="under a condition"),
        pytest.param(_entry("a", is_constant=True, scope=Scope(since=3)), False, id="since a day"),
        pytest.param(_entry("a", is_constant=True, probability=50), False, id="by chance"),
        pytest.param(_entry("a", is_constant=True, sticky=2), False, id="with a timer"),
        pytest.param(_entry("a", is_constant=True, delays_until_recursion=1), False, id="woken by others"),
        pytest.param(_entry("a"), False, id="by key"),
    ],
)
def test_what_never_changes_stands_in_the_front(match: Match, is_so: bool) -> None:
    assert is_lasting(match.entry) is is_so


def test_of_constants_the_highest_order_stays() -> None:
    few = [_entry("low", 15, is_constant=True, order=10), _entry("high", 15, is_constant=True, order=200)]
    assert _pack(*few, constant_room=20)[0] == ["high"]


def test_constants_leave_the_larger_part_of_the_window_to_the_turn() -> None:
    front, _, parts = _pack(*(_entry(f"c{n}", 15, is_constant=True) for n in range(4)), room=100, constant_room=40)
    assert front == ["c0", "c1"]
    assert parts["c2"].displaced_by == ("c1",)  # type: ignore[attr-defined]


def _compiled(
    matches: Sequence[Match], history: Sequence[int], window: int, name: str, count: object
) -> CompiledPrompt:
    talk = [
        message
        for words in history
        for message in (Message("user", "q " * (words + 1)), Message("assistant", "a " * (words + 1)))
    ]
    source = PromptSource(
        PERSONA, WORLD, history=tuple(talk), turn=(Message("user", "Any work for me?"),), matches=tuple(matches)
    )
    return compile_prompt(
        source,
        chat_format=chat_format(name),
        count=count,  # type: ignore[arg-type]
        window_tokens=window,
        reply_tokens=160,
    )


_MATCHES = st.lists(
    st.builds(
        lambda number, tokens, score, essential, constant, priority, order, budget: dataclasses.replace(
            _entry(
                f"e{number}",
                tokens,
                Book("book", budget_tokens=budget) if budget else None,
                is_essential=essential,
                is_constant=constant,
                priority=priority,
                order=order,
            ),
            score=score,
        ),
        number=st.integers(0, 10_000),
        tokens=st.integers(1, 60),
        score=st.floats(0.01, 10),
        essential=st.integers(0, 5).map(lambda n: n == 0),
        constant=st.booleans(),
        priority=st.integers(-2, 2),
        order=st.integers(0, 200),
        budget=st.sampled_from([None, None, 40]),
    ),
    max_size=40,
    unique_by=lambda match: match.entry.entry_id,
)


@settings(max_examples=150, deadline=None)
@given(
    matches=_MATCHES,
    history=st.lists(st.integers(0, 60), max_size=30),
    name=st.sampled_from(FORMATS),
    count=st.sampled_from([count_words, count_joined]),
)
def test_at_1024_tokens_essentials_are_in_losers_are_named_and_the_window_holds(
    matches: list[Match], history: list[int], name: str, count: object
) -> None:
    prompt = _compiled(matches, history, 1024, name, count)
    trace = prompt.trace
    assert trace.total_tokens + trace.reply_tokens <= 1024
    assert trace.total_tokens == count(prompt.segments)  # type: ignore[operator]
    lore = {part.name: part for part in trace.parts if part.kind in ("lore", "constant")}
    assert set(lore) == {match.entry.entry_id for match in matches}
    text = "".join(segment.text for segment in prompt.segments)
    for match in matches:
        assert lore[match.entry.entry_id].is_in is (match.entry.text.strip() in text)
    essential = [match for match in matches if match.entry.rules.is_essential]
    if sum(len(match.entry.text) for match in essential) < 600:  # what any of the two counts finds room for
        assert trace.lost_essentials == ()
    for part in lore.values():
        if not part.is_in:
            assert " left" in part.why
            assert all(lore[name].is_in for name in part.displaced_by)
    assert sum(total.tokens_in for total in trace.books) == sum(p.tokens for p in lore.values() if p.is_in and p.book)


@pytest.mark.parametrize(("count", "enough"), [(count_words, 330), (count_joined, 420)])
def test_constants_give_way_to_long_words_before_the_prompt_is_refused(count: object, enough: int) -> None:
    lasting = [_entry(f"c{n}", 40, is_constant=True) for n in range(6)]
    with pytest.raises(PromptTooLong):
        _compiled(lasting, (), 180, "nemotron", count)
    assert _compiled(lasting, (), enough, "nemotron", count).trace.total_tokens <= enough - 160


def test_the_front_is_the_same_whatever_was_said_and_however_long_it_was() -> None:
    lasting = [_entry(f"c{n}", 20, is_constant=True) for n in range(4)]

    def front(prompt: CompiledPrompt) -> list[Segment]:
        return list(prompt.segments[: prompt.stable_segments])

    alone = _compiled(lasting, (), 1024, "nemotron", count_words)
    busy = _compiled([*lasting, _entry("told", 50)], (30, 30, 30), 1024, "nemotron", count_words)
    assert front(alone) == front(busy)
    assert any("c0" in segment.text for segment in front(alone))
