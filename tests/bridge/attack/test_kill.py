"""B6, the short version: a model's process that is killed costs the replies that were under way, and nothing else."""

from __future__ import annotations

import pytest

from game_bridge.attack import kill

PACE = ("s",)  # units of figures that a loaded machine makes worse: `npc bench attack kill` judges them


@pytest.mark.timeout(600)  # a model is loaded several times
def test_a_killed_model_ends_each_reply_once_and_comes_back() -> None:
    told: list[str] = []
    verdict = kill.attack(3, told.append, hang_s=60.0)  # a busy machine is no hang
    figures = {figure.name: figure for figure in verdict.figures}
    assert [figure for figure in verdict.figures if figure.unit not in PACE and not figure.is_kept] == []
    assert figures["processes killed"].value == len(told) == 3
    assert figures["requests"].value >= 7
