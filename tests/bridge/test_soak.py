"""A short storm against the real world, and the judge that counts its ends."""

from __future__ import annotations

from collections import Counter

import pytest

from game_bridge.soak.__main__ import main
from game_bridge.soak.player import ACTIONS, Tally
from game_bridge.soak.storm import judge, run_soak


async def test_every_request_of_a_storm_ends_exactly_once() -> None:
    report = await run_soak(requests=80, clients=6, seed=11)
    assert (report.lost, report.doubled, report.open_peers) == ((), (), 0)
    assert len(set(report.tally.asked)) == 80
    assert set(report.tally.actions) >= set(ACTIONS) - {"ignore", "no session", "twice"}
    assert {"stop", "cancelled", "timeout", "engine_crashed"} <= set(report.tally.outcomes)
    assert report.tally.vanished
    assert report.tally.bad_frames
    assert report.is_clean


@pytest.mark.parametrize(
    ("ended", "seen", "lost", "doubled"),
    [
        ({"a": 1, "b": 1}, {"a": 1}, (), ()),
        ({"a": 1}, {"a": 1}, ("b",), ()),
        ({"a": 1, "b": 1}, {}, ("a",), ()),
        ({"a": 2, "b": 1}, {"a": 1}, (), ("a",)),
        ({"a": 1, "b": 1}, {"a": 2}, (), ("a",)),
    ],
    ids=["clean", "never-ended", "never-seen", "ended-twice", "seen-twice"],
)
def test_the_judge_sees_what_is_wrong(
    ended: dict[str, int], seen: dict[str, int], lost: tuple[str, ...], doubled: tuple[str, ...]
) -> None:
    tally = Tally(ends=Counter(seen), asked=["a", "b"], vanished={"b"})
    report = judge(tally, Counter(ended), 0, 1.0)
    assert (report.lost, report.doubled) == (lost, doubled)
    assert report.is_clean == (not lost and not doubled)


def test_the_command_reports_and_exits_by_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--requests", "8", "--clients", "2", "--seed", "3"]) == 0
    assert "lost: 0  doubled: 0" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--clients", "0"])
