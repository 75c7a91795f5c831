"""Filters keep what they should, seeds repeat, and bad values and logits are refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from npc_sdk.decoding import sampling as subject
from npc_sdk.decoding.sampling import TokenSampler, check_sampling, filter_probs, penalize
from npc_sdk.errors import EngineError, RequestError
from npc_sdk.requests import Sampling

PROBS = torch.tensor([0.05, 0.4, 0.1, 0.3, 0.15])
OFF: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        pytest.param({}, [1, 3, 4, 2, 0], id="none"),
        pytest.param({"top_k": 2}, [1, 3], id="top-k"),
        pytest.param({"top_k": 99}, [1, 3, 4, 2, 0], id="top-k beyond the vocabulary"),
        pytest.param({"top_p": 0.69}, [1, 3], id="top-p"),
        pytest.param({"top_p": 0.71}, [1, 3, 4], id="top-p keeps the token that crosses it"),
        pytest.param({"top_p": 1e-6}, [1], id="top-p keeps one at least"),
        pytest.param({"min_p": 0.3}, [1, 3, 4], id="min-p"),
        pytest.param({"min_p": 1.0}, [1], id="min-p keeps the best"),
        pytest.param({"top_k": 3, "top_p": 0.8}, [1, 3], id="top-p counts within top-k"),
        pytest.param({"top_p": 0.9, "min_p": 0.5}, [1, 3], id="top-p and min-p"),
    ],
)
def test_filters_keep(filters: dict[str, Any], kept: list[int]) -> None:
    probs, ids = filter_probs(PROBS, **{**OFF, **filters})
    assert ids.tolist() == kept
    assert torch.equal(probs.argsort(descending=True), torch.arange(len(kept)))


@pytest.mark.parametrize("filters", [{"top_p": 0.95}, {"top_p": 0.2}, {"min_p": 0.001}, {"min_p": 0.9}, {"top_p": 1.0}])
def test_a_short_head_changes_no_result(monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]) -> None:
    probs = torch.softmax(torch.randn(5000, generator=torch.Generator().manual_seed(1)), 0)
    monkeypatch.setattr(subject, "HEAD_TOKENS", 5000)
    whole = filter_probs(probs, **{**OFF, **filters})
    monkeypatch.setattr(subject, "HEAD_TOKENS", 20)
    short = filter_probs(probs, **{**OFF, **filters})
    assert whole[0].shape == short[0].shape
    assert torch.equal(whole[0], short[0])


def test_greedy_takes_the_best() -> None:
    assert TokenSampler(Sampling(temperature=0)).choose(torch.tensor([0.0, 3.0, 1.0]), []) == 1


@pytest.mark.parametrize("sampling", [Sampling(seed=7), Sampling(seed=7, top_p=1.0), Sampling(seed=7, top_k=20)])
def test_a_seed_repeats_and_another_differs(sampling: Sampling) -> None:
    logits = torch.randn(300, generator=torch.Generator().manual_seed(1))

    def draw(which: Sampling) -> list[int]:
        sampler = TokenSampler(which)
        torch.rand(3)  # what others draw from torch's own generator is of no effect
        return [sampler.choose(logits, []) for _ in range(30)]

    assert draw(sampling) == draw(sampling)
    other = Sampling(seed=8, top_p=sampling.top_p, top_k=sampling.top_k)
    assert draw(sampling) != draw(other)


def test_without_a_seed_runs_differ() -> None:
    logits = torch.zeros(1000)
    runs = {tuple(TokenSampler(Sampling(top_p=1.0)).choose(logits, []) for _ in range(8)) for _ in range(4)}
    assert len(runs) == 4


def test_draws_follow_the_distribution() -> None:
    sampler = TokenSampler(Sampling(temperature=1.0, top_p=1.0, seed=3))
    counts = Counter(sampler.choose(PROBS.log(), []) for _ in range(4000))
    for token_id, prob in enumerate(PROBS.tolist()):
        assert counts[token_id] / 4000 == pytest.approx(prob, abs=0.03)


def test_low_temperature_sharpens() -> None:
    sampler = TokenSampler(Sampling(temperature=0.05, top_p=1.0, seed=3))
    assert {sampler.choose(PROBS.log(), []) for _ in range(200)} == {1}


def test_repetition_penalty_lowers_seen_tokens_of_either_sign() -> None:
    scores = torch.tensor([2.0, -2.0, 2.0])
    assert penalize(scores, [0, 1, 1], 2.0).tolist() == [1.0, -4.0, 2.0]
    assert scores.tolist() == [2.0, -2.0, 2.0]
    sampler = TokenSampler(Sampling(temperature=0, repetition_penalty=2.0))
    assert sampler.choose(torch.tensor([3.0, 2.0]), [0]) == 1


@pytest.mark.parametrize("temperature", [1e-7, 1e-40, 1e-300], ids=str)
def test_next_to_no_temperature_is_greedy(temperature: float) -> None:
    sampler = TokenSampler(Sampling(temperature=temperature, seed=1))
    assert {sampler.choose(torch.tensor([1.0, 90.0, 89.9]), []) for _ in range(20)} == {1}


@pytest.mark.parametrize("penalty", [0.01, 100.0])
def test_the_strongest_penalties_leave_numbers(penalty: float) -> None:
    sampler = TokenSampler(Sampling(repetition_penalty=penalty, seed=1))
    assert sampler.choose(torch.tensor([80.0, -80.0, 1.0]), [0, 1]) in {0, 1, 2}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_logits_that_are_no_numbers_are_an_error(bad: float) -> None:
    with pytest.raises(EngineError, match="not finite"):
        TokenSampler(Sampling()).choose(torch.tensor([0.0, bad, 1.0]), [])


def test_masked_tokens_are_never_drawn() -> None:
    sampler = TokenSampler(Sampling(top_p=1.0, seed=1))
    logits = torch.tensor([float("-inf"), 0.0, float("-inf"), 0.0])
    assert {sampler.choose(logits, []) for _ in range(50)} == {1, 3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 1.5},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": 1e-300},
        {"repetition_penalty": 1e300},
        {"max_new_tokens": 0},
        {"seed": -1},
        {"seed": 2**64},
        {"stop": ("",)},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))) as caught:
        check_sampling(Sampling(**wrong))
    assert caught.value.hint
