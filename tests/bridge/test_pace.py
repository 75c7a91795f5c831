"""How fast one connection may go, by a clock that the test sets."""

from __future__ import annotations

import pytest

from game_bridge.pace import Bucket


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
