"""Guesses from what stands there already, drafts only where they pay, and replies that end as if there were none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
import torch

from npc_sdk.engine.local import sequence as sequence_module
from npc_sdk.engine.local.batch import Batch
from npc_sdk.engine.local.block_pool import BLOCK_TOKENS
from npc_sdk.engine.local.decoder import Decoder
from npc_sdk.engine.local.engine import LocalEngine
from npc_sdk.engine.local.limits import Limits
from npc_sdk.engine.local.speculation import (
    FIRST_RATES,
    STALE_STEPS,
    TRIED_ROWS,
    Guess,
    Guesser,
    Speculation,
    StepTimes,
)
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.engine.local.worker import Worker
from npc_sdk.errors import SettingsError
from npc_sdk.events import Usage

from .prophet import Book, Prophet
from .streams import PROMPT, Start, ask, ask_together, assert_nobody_lives, collect, encode


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        pytest.param([1, 2, 3, 4, 5, 1, 2, 3], (4, 5, 1), id="what followed the last three"),
        pytest.param([1, 2, 3, 7, 2, 3, 8, 1, 2, 3], (7, 2, 3), id="three in common before two that came later"),
        pytest.param([9, 2, 3, 7, 5, 2, 3, 8, 6, 2, 3], (8, 6, 2), id="of two alike the later one"),
        pytest.param([4, 1, 5, 6, 1], (5, 6, 1), id="one in common"),
        pytest.param([1, 2, 1, 2, 1], (2, 1, 2), id="a run that begins again"),
        pytest.param([7, 7], (7, 7, 7), id="one token over and over"),
        pytest.param([1, 2, 3, 4], (), id="nothing in common"),
        pytest.param([1], (), id="one token"),
    ],
)
def test_a_reply_goes_on_as_its_last_words_did_before(tokens: list[int], expected: tuple[int, ...]) -> None:
    assert Guesser(tokens).guess(3).ids == expected


def test_tokens_that_came_since_count_as_well() -> None:
    tokens = [1, 2, 3]
    guesser = Guesser(tokens)
    assert guesser.guess(2).ids == ()
    tokens += [8, 9, 8]
    assert guesser.guess(2).ids == (9, 8)
    tokens += [9, 4, 9]
    assert guesser.guess(2).ids == (4, 9)
    assert guesser.guess(0).ids == ()


def test_more_in_common_raises_hopes_and_each_further_token_lowers_them() -> None:
    first = [Guesser([*range(10), *range(10 - count, 10)]).guess(3).hopes[0] for count in (1, 2, 3, 4, 5)]
    assert first == [*FIRST_RATES, FIRST_RATES[-1]]
    one, two, three = FIRST_RATES[:3]
    assert Guesser([5, 6, 7, 5]).guess(3).hopes == pytest.approx((one, one * two, one * two * three))


def test_hopes_follow_what_came_true_whether_or_not_it_was_drafted() -> None:
    tokens = [1, 2, 3, 1]
    guesser = Guesser(tokens)
    hopes = [guesser.guess(1).hopes[0]]
    for drawn in ([2], [2], [9]):
        guesser.note(drawn)
        hopes.append(guesser.guess(1).hopes[0])
    assert hopes[0] < hopes[1] < hopes[2] > hopes[3]
    guesser.guess(1)
    guesser.note([2])
    learned = guesser.guess(1).hopes[0]
    guesser.note([2])
    guesser.note([2])  # no guess since
    assert guesser.guess(1).hopes[0] == pytest.approx(learned + 0.1 * (1 - learned))


def test_times_are_medians_on_a_line_and_beyond_hopeful() -> None:
    times = StepTimes()
    assert times.curve(1, 5) == []
    for took_s in (0.010, 0.500, 0.010):
        times.note(1, took_s)
    times.note(5, 0.030)
    expected = [0.010, 0.015, 0.020, 0.025, 0.030] + [0.030] * TRIED_ROWS
    assert times.curve(1, 100) == pytest.approx(expected)
    assert times.curve(1, 2) == pytest.approx(expected[:2])
    assert times.curve(2, 5) == []


def test_a_time_measured_long_ago_is_tried_again() -> None:
    times = StepTimes()
    times.note(1, 0.01)
    times.note(5, 9.0)
    for _ in range(STALE_STEPS + 1):
        times.note(1, 0.01)
    assert times.curve(1, 5) == [0.01] * 5


def _measured(cost: Callable[[int], float], sequences: int = 1, most: int = 7) -> Speculation:
    speculation = Speculation(most)
    for rows in range(sequences, sequences * (most + 1) + 1):
        speculation.note_step(sequences, rows, cost(rows))
    return speculation


def _guess(*rates: float) -> Guess:
    hopes = [1.0]
    for rate in rates:
        hopes.append(hopes[-1] * rate)
    return Guess(tuple(range(len(rates))), tuple(hopes[1:]))


@pytest.mark.parametrize(
    ("cost", "guesses", "expected"),
    [
        pytest.param(lambda _rows: 1.0, [_guess(*[0.9] * 7)], [7], id="rows that cost nothing"),
        pytest.param(lambda rows: float(rows), [_guess(*[0.9] * 7)], [0], id="rows that cost as much as steps"),
        pytest.param(lambda rows: 1.0 if rows < 5 else 2.0, [_guess(*[0.9] * 7)], [3], id="up to a kernel's tile"),
        pytest.param(lambda rows: 1.3 if 1 < rows < 5 else 1.0, [_guess(0.2, 0.9, 0.9, 0.9)], [4], id="past a hill"),
        pytest.param(lambda rows: 1 + 0.2 * (rows - 1), [_guess(0.1, 0.1)], [0], id="hardly ever right"),
        pytest.param(lambda rows: 1 + 0.2 * (rows - 2), [_guess(0.1), _guess(0.9, 0.9)], [0, 2], id="the surer of two"),
        pytest.param(lambda _rows: 1.0, [Guess(), _guess(0.5)], [0, 1], id="no guess beside one"),
        pytest.param(lambda _rows: 1.0, [Guess(), Guess()], [0, 0], id="no guesses"),
    ],
)
def test_as_much_is_drafted_as_makes_tokens_come_fastest(
    cost: Callable[[int], float], guesses: list[Guess], expected: list[int]
) -> None:
    assert _measured(cost, len(guesses)).share_out(guesses) == expected


def test_nothing_is_drafted_before_a_step_without_was_measured_and_then_a_little_is_tried() -> None:
    speculation = Speculation(9)
    sure = [_guess(*[0.9] * 9)]
    assert speculation.share_out(sure) == [0]
    speculation.note_step(1, 1, 0.01)
    assert speculation.share_out(sure) == [TRIED_ROWS]
    speculation.note_step(2, 2, 0.01)
    assert speculation.share_out([*sure, *sure, *sure]) == [0, 0, 0]  # three together were never measured


# A whole engine from here on, that knows the reply to a prompt from the second time on, lies, and drafts all of it.


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    """What replies will be: what the first to a prompt was. Every guess goes into a step."""
    written: Book = {}
    submit = Worker.submit

    def note(self: Worker, sequence: sequence_module.Sequence) -> None:
        written.setdefault(tuple(sequence.tokens), sequence.tokens)
        submit(self, sequence)

    monkeypatch.setattr(Worker, "submit", note)
    monkeypatch.setattr(sequence_module, "Guesser", lambda tokens: Prophet(tokens, written, Random(3)))
    monkeypatch.setattr(Speculation, "share_out", lambda _self, guesses: [len(guess.ids) for guess in guesses])
    return written


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """Every batch that passes through a model from now on."""
    seen: list[Batch] = []
    hidden = Decoder.hidden

    def watch(self: Decoder, batch: Batch, *rest: object) -> torch.Tensor:
        seen.append(batch)
        return hidden(self, batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "hidden", watch)
    return seen


async def _with_and_without(start: Start, **options: Any) -> tuple[LocalEngine, list[tuple[str, str, Usage]]]:
    """An engine that drafted, and what it said beside what one without drafts says."""
    plain = start(limits=Limits(draft_tokens=0))
    expected = await collect(plain, ask(**options))
    assert plain.stats().drafted_tokens == 0
    engine = start()
    said = await collect(engine, ask(**options))
    return engine, [(text, end.finish_reason, end.usage) for text, end in (said, expected)]


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"max_new_tokens": 90}, id="greedy"),
        pytest.param({"temperature": 1.0, "seed": 4, "max_new_tokens": 90}, id="seeded"),
        pytest.param(
            {"temperature": 0.8, "top_p": 0.9, "repetition_penalty": 1.2, "seed": 4, "max_new_tokens": 50},
            id="filtered and penalized",
        ),
        *(pytest.param({"max_new_tokens": count}, id=f"a limit of {count}") for count in (1, 2, 3, 11)),
        pytest.param({"text": "q" * 150, "max_new_tokens": 500}, id="the window's end"),
    ],
)
async def test_a_draft_changes_nothing_but_the_number_of_steps(
    start: Start, steps: list[Batch], options: dict[str, Any]
) -> None:
    engine, (said, expected) = await _with_and_without(start, **options)
    assert said == expected
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()
    stats = engine.stats()
    reply = stats.requests[0]
    assert stats.steps == reply.new_tokens - stats.accepted_tokens
    assert stats.accepted_tokens > 0 or reply.new_tokens < 4
    rows = sum(len(batch.ids) for batch in steps[-stats.steps :])
    assert rows == reply.prompt_tokens + stats.steps - 1 + stats.drafted_tokens


@pytest.mark.usefixtures("book")
async def test_a_stop_string_in_a_draft_ends_the_reply_there(start: Start) -> None:
    whole, _ = await collect(start(limits=Limits(draft_tokens=0)), ask(max_new_tokens=60))
    for at in range(6, 30, 5):
        stop = whole[at : at + 3]
        engine, (said, expected) = await _with_and_without(start, max_new_tokens=60, stop=(stop,))
        assert said == expected
        await assert_nobody_lives(engine)
        assert engine.stats().cache.kept_bytes > 0  # nothing went wrong on the way
        assert said[:2] == (whole[: whole.index(stop)], "stop")


async def test_a_stop_token_in_a_draft_ends_the_reply_there(start: Start, book: Book) -> None:
    engine = start()
    await collect(engine, ask("a", max_new_tokens=40))
    ((prompt, whole),) = book.items()
    at = next(i for i in range(len(prompt) + 10, len(whole)) if whole[i] not in whole[len(prompt) : i])
    engine._rules = sequence_module.EndRules(frozenset({whole[at]}), (), frozenset())
    _, end = await collect(engine, ask("b", max_new_tokens=40))
    assert (end.finish_reason, end.usage.completion_tokens) == ("stop", at + 1 - len(prompt))
    assert engine.stats().accepted_tokens > 0


@pytest.mark.usefixtures("book")
async def test_a_cancel_in_a_draft_takes_no_further_token(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = await _with_and_without(start, max_new_tokens=60)
    take = sequence_module.Sequence._take
    taken: list[int] = []

    def cancel_at_ten(self: sequence_module.Sequence, token_id: int) -> None:
        take(self, token_id)
        taken.append(token_id)
        self.is_cancelled = len(taken) >= 10

    monkeypatch.setattr(sequence_module.Sequence, "_take", cancel_at_ten)
    _, end = await collect(engine, ask("again", max_new_tokens=60))
    assert (end.finish_reason, end.usage.completion_tokens) == ("cancelled", 10)
    await assert_nobody_lives(engine)
    engine.prefix_cache.check_integrity()


async def test_what_was_drafted_in_vain_is_kept_for_nobody(
    start: Start, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = await _with_and_without(start, max_new_tokens=100)
    (whole,) = book.values()
    longer = [*whole, *encode(" and then?")]
    monkeypatch.setattr(ModelTokenizer, "encode", lambda _self, _segments: longer)
    expected, _ = await collect(start(limits=Limits(draft_tokens=0)), ask(max_new_tokens=30))
    said, end = await collect(engine, ask(max_new_tokens=30))
    assert said == expected
    assert end.usage.cached_tokens == len(whole) - 1  # the last one drawn has passed through no model


@pytest.mark.usefixtures("book")
async def test_a_block_that_a_draft_filled_at_the_very_end_is_kept(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prophet, "honesty", 1.0)
    engine, (said, expected) = await _with_and_without(start, max_new_tokens=BLOCK_TOKENS + 1 - len(encode(PROMPT)))
    assert said == expected
    await assert_nobody_lives(engine)
    assert engine.prefix_cache.kept_blocks == 1
    assert engine.stats().accepted_tokens > 20


@pytest.mark.usefixtures("book")
async def test_the_last_token_is_drawn_without_a_draft_behind_it(start: Start) -> None:
    engine, _ = await _with_and_without(start, max_new_tokens=2)
    assert engine.stats().drafted_tokens == 0


@pytest.mark.usefixtures("book")
async def test_no_draft_takes_a_block(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = await _with_and_without(start, max_new_tokens=100)
    runner = engine._worker._runner
    assert runner is not None
    run, blocks = runner.run, []

    def watch(members: Sequence[sequence_module.Sequence], *rest: object) -> list[torch.Tensor | None]:
        before = engine.stats().cache.used_bytes
        result = run(members, *rest)  # type: ignore[arg-type]
        assert engine.stats().cache.used_bytes == before
        blocks.append([len(one.draft) for one in members])
        return result

    monkeypatch.setattr(runner, "run", watch)
    _, end = await collect(engine, ask("again", max_new_tokens=100))
    assert end.usage.completion_tokens == 100
    assert max(blocks) == [7]


@pytest.mark.usefixtures("book")
async def test_nobody_drafts_beside_a_prompt(start: Start, steps: list[Batch]) -> None:
    await _with_and_without(start, max_new_tokens=60)
    engine = start(limits=Limits(busy_chunk_tokens=16))
    asked = ask("speaker", max_new_tokens=60), ask("long", "zy" * 70, max_new_tokens=1)
    await asyncio.gather(*await ask_together(engine, *asked))
    with_prompt = [batch for batch in steps if len(batch.sampled) < len(batch.ids)]
    assert sum(len(batch.sampled) == 1 and len(batch.ids) == 17 for batch in with_prompt) >= 4
    assert all(len(batch.sampled) <= 2 for batch in with_prompt)
    assert engine.stats().accepted_tokens > 0


def test_a_negative_draft_is_refused() -> None:
    with pytest.raises(SettingsError, match="draft_tokens"):
        Limits(draft_tokens=-1)
