"""Several ranks made into one."""

from __future__ import annotations

import pytest

from npc_sdk.lore.fuse import K, Voice, fuse
from npc_sdk.lore.lexical import Ranking


def _voice(name: str, *indices: int, weight: float = 1.0) -> Voice:
    ranking = Ranking(indices, tuple(float(len(indices) - at) for at in range(len(indices))))
    return Voice(ranking, weight, lambda at: f"{name} {at + 1}")


@pytest.mark.parametrize(
    ("voices", "order"),
    [
        pytest.param([], [], id="nobody speaks"),
        pytest.param([_voice("a")], [], id="nothing found"),
        pytest.param([_voice("a", 3, 1, 2)], [3, 1, 2], id="one rank is kept"),
        pytest.param([_voice("a", 1, 2), _voice("b", 2, 3)], [2, 1, 3], id="what two found goes first"),
        pytest.param([_voice("a", 1, weight=2), _voice("b", 2)], [1, 2], id="weight"),
        pytest.param([_voice("a", 2), _voice("b", 1)], [1, 2], id="equal ones in the order of the index"),
    ],
)
def test_order(voices: list[Voice], order: list[int]) -> None:
    assert [one.index for one in fuse(voices)] == order


def test_scores_are_those_of_the_paper() -> None:
    first, second = fuse([_voice("a", 7, 8), _voice("b", 8)])
    assert (first.index, first.score) == (8, pytest.approx(1 / (K + 2) + 1 / (K + 1)))
    assert (second.index, second.score) == (7, pytest.approx(1 / (K + 1)))


def test_every_rank_that_found_it_gives_its_reason() -> None:
    assert fuse([_voice("key", 7, 8), _voice("word", 8)])[0].why == "key 2; word 1"


def test_ties_share_a_place_so_that_others_decide() -> None:
    tied = Voice(Ranking((1, 2, 3), (5.0, 5.0, 1.0)), 1.0, str, is_tied=True)
    assert tied.places() == [1, 1, 3]
    assert [one.index for one in fuse([tied, _voice("b", 2)])] == [2, 1, 3]
