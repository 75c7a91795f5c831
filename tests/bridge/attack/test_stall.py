"""B4 in a few seconds: some clients stop reading, and the others do not notice."""

from __future__ import annotations

import pytest

from game_bridge.attack import stall
from game_bridge.attack.verdict import Figure
from game_bridge.attack.victim import Victim


@pytest.mark.timeout(300)
async def test_the_others_lose_nothing_and_the_stalled_are_cut() -> None:
    said: list[str] = []
    with Victim("game_bridge.soak.server", ("--delay=0.01",)) as victim:
        figures = {one.name: one for one in await stall.attack(victim, clients=6, stalled=2, say=said.append)}
        assert victim.is_alive
    broken = [name for name, one in figures.items() if not one.is_kept]
    # how long the cut took belongs into `npc bench attack stall`: here other programs may hold everything up
    assert set(broken) <= {"until all that stall are cut"}, figures
    assert figures["words to the others"].value > 0
    assert said[0] == "2 of 6 clients stop reading"


def test_a_client_that_is_never_cut_breaks_the_limit() -> None:
    figure = next(one for one in _figures(cut_s=2 * stall.CUT_LIMIT_S) if one.name == "until all that stall are cut")
    assert not figure.is_kept


def _figures(cut_s: float) -> tuple[Figure, ...]:
    return stall.figures_of(
        stall.Score(words=10, replies=1), cut_s, served=1, honest=1, start_mb=1, peak_mb=2, stalled=1
    )
