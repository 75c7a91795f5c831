"""How fast one connection may go, by a clock that the test sets."""

from __future__ import annotations

import pytest

from game_bridge import pace, zmtp
from game_bridge.pace import BODY_BYTES, Bucket, weight

from .gate_peer import open_hall
from .test_gate_turn import line_of, run_turns


def test_a_bucket_is_full_at_first_and_fills_with_time_up_to_its_size() -> None:
    bucket = Bucket(10.0, 20.0, now_s=100.0)
    bucket.spend(19)
    assert bucket.rest_s == 0
    bucket.spend(1)
    assert bucket.rest_s > 0
    bucket.fill(1_000.0)
    bucket.spend(19)
    assert bucket.rest_s == 0
    bucket.spend(1)
    assert bucket.rest_s > 0


def test_what_is_overdrawn_is_waited_for() -> None:
    bucket = Bucket(10.0, 20.0, now_s=0.0)
    bucket.spend(50)
    assert bucket.rest_s == pytest.approx(3.0)
    bucket.fill(2.0)
    assert bucket.rest_s == pytest.approx(1.0)
    bucket.fill(3.5)
    assert bucket.rest_s == 0


def test_a_wider_bucket_has_what_it_grew_by_and_no_more() -> None:
    bucket = Bucket(1.0, 2.0, now_s=0.0)
    bucket.spend(5)
    for _ in range(2):
        bucket.widen(10.0, 4.0)
    assert bucket.rest_s == pytest.approx(0.1)
    bucket.fill(0.2)
    assert bucket.rest_s == 0
    bucket.fill(60.0)
    bucket.spend(4)
    assert bucket.rest_s > 0


def test_a_body_weighs_by_its_length_and_what_is_short_weighs_nothing() -> None:
    assert [weight(b"x" * length) for length in (0, 60, BODY_BYTES - 1, BODY_BYTES, 20_000)] == [0, 0, 0, 1, 39]


async def test_a_heavy_body_has_its_sender_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BODY_BYTES", 1)  # a rest of a minute and more, which no machine is too slow to see
    async with open_hall() as hall:
        feed, fake = line_of(hall.gate)
        feed(b"".join(zmtp.encode_message([body]) for body in (b"a", b"b" * 100_000, b"c")))
        await run_turns(20)
        assert [frames[0][:1] for _, frames in hall.came] == [b"a", b"b"]
        assert not fake.is_read
