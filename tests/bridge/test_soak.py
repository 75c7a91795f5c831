"""A short storm against the real world, a short count of streamed words, and the judges of both."""

from __future__ import annotations

from collections import Counter

import pytest

from game_bridge.attack.soak import figures_of
from game_bridge.soak.__main__ import main
from game_bridge.soak.counter import Score
from game_bridge.soak.counting import Count, word_at
from game_bridge.soak.player import ACTIONS, Tally
from game_bridge.soak.storm import judge, run_soak
from game_bridge.soak.stream import StreamReport, run_stream


async def test_every_request_of_a_storm_ends_exactly_once() -> None:
    report = await run_soak(requests=80, clients=6, seed=12)
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("resume_share", [0.0, 1.0], ids=["begun anew", "resumed"])
async def test_every_word_comes_once_though_connections_are_cut(resume_share: float) -> None:
    report = await run_stream(8_000, 8, seed=7, cut_share=0.5, resume_share=resume_share)
    score = report.score
    assert report.is_clean, str(report)
    assert score.events >= 8_000
    assert score.cuts > 0
    assert score.resumed + score.not_resumed == score.cuts * resume_share
    assert score.finished + score.abandoned == score.asked
    assert "every word came once" in str(report)


@pytest.mark.parametrize(
    ("numbers", "tag", "lost", "doubled", "misrouted"),
    [
        pytest.param([0, 1, 2, 3], "A", 0, 0, 0, id="clean"),
        pytest.param([0, 2, 3], "A", 1, 0, 0, id="lost"),
        pytest.param([0, 1, 2], "A", 1, 0, 0, id="lost at the end"),
        pytest.param([0, 1, 1, 2, 3], "A", 0, 1, 0, id="doubled"),
        pytest.param([0, 2, 1, 3], "A", 1, 1, 0, id="out of order"),
        pytest.param([0, 1, 2, 3], "B", 4, 0, 4, id="misrouted"),
    ],
)
def test_a_count_sees_what_is_wrong(numbers: list[int], tag: str, lost: int, doubled: int, misrouted: int) -> None:
    count = Count("A", 4)
    for number in numbers:
        count.hear(" " + word_at(tag, number, 16))
    count.end()
    assert (count.lost, count.doubled, count.misrouted) == (lost, doubled, misrouted)


def test_a_reply_left_in_its_midst_has_lost_nothing_that_was_sent_to_it() -> None:
    score, count = Score(), Count("A", 4)
    count.hear(word_at("A", 0, 16))
    score.close(count, is_whole=False)
    assert (score.lost, score.abandoned, score.finished) == (0, 1, 0)
    score.close(count, is_whole=True)
    assert (score.lost, score.finished) == (3, 1)


@pytest.mark.parametrize("wrong", ["lost", "doubled", "misrouted", "left", "broken", "growth"])
def test_the_verdict_of_the_soak_breaks_on(wrong: str) -> None:
    score = Score(events=10)
    if wrong in ("lost", "doubled", "misrouted"):
        setattr(score, wrong, 1)
    elif wrong == "broken":
        score.broken["timeout"] += 1
    after_mb = 90.0 if wrong == "growth" else 50.0
    report = StreamReport(score, 2, 1.0, 40.0, 50.0, after_mb, after_mb, left=int(wrong == "left"))
    assert report.is_clean == (wrong == "growth")
    assert not all(figure.is_kept for figure in figures_of(report, is_whole=True))


def test_the_command_counts_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--events", "500", "--clients", "2", "--resumed", "0"]) == 0
    assert "lost: 0  doubled: 0  misrouted: 0" in capsys.readouterr().out
