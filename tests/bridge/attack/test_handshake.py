"""B2 in a few seconds: every kind of malformed ZMTP once, and the server serves on."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from game_bridge.attack import handshake, malformed
from game_bridge.attack.handshake import Course, figures_of
from game_bridge.attack.victim import Victim

SLOW = {
    "how many times the p99 before"
}  # other programs may hold everything up: `npc bench attack handshake` judges it


@pytest.mark.timeout(600)
def test_nothing_malformed_brings_the_server_down() -> None:
    said: list[str] = []
    with Victim() as victim:
        course = handshake.attack(victim, baseline_s=0.2, assault_s=0.1, say=said.append)
    figures = figures_of(course)
    assert {one.name for one in figures if not one.is_kept} <= SLOW, figures
    assert list(course.trips_ms) == [assault.__name__ for assault in malformed.ASSAULTS]
    assert len(said) == len(malformed.ASSAULTS)
    assert course.steps > 512


def test_limits_are_judged() -> None:
    worse = Course([1.0] * 100, {"pings": [3.0] * 100}, 10, start_mb=50, most_mb=400, errors=1, crashes=1)
    broken = [one.name for one in figures_of(worse) if not one.is_kept]
    assert len(broken) == 4
    assert "how many times the p99 before" in broken


def test_a_server_that_hangs_up_on_a_sound_handshake_is_no_success() -> None:
    def hang_up() -> None:
        listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        target = malformed.Target("127.0.0.1", listener.getsockname()[1], b"token", time.monotonic() + 1)
        with pytest.raises(ConnectionError):
            target.shake_hands()
        thread.join()
