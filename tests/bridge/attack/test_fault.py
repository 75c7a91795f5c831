"""B7, the short version: each fault of a model ends one reply with a typed error and a bark; the next is served."""

from __future__ import annotations

import pytest

from game_bridge.attack import fault

PACE = ("s",)  # units of figures that a loaded machine makes worse: `npc bench attack fault` judges them


@pytest.mark.timeout(600)  # a model is loaded several times
def test_a_model_that_goes_wrong_ends_a_reply_and_serves_the_next() -> None:
    told: list[str] = []
    verdict = fault.attack(1, told.append, hang_s=6.0)  # a busy machine is no hang
    assert [figure for figure in verdict.figures if figure.unit not in PACE and not figure.is_kept] == []
    assert len(told) == 8
