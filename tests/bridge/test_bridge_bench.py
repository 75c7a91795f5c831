"""The bridge's bench, very small: every figure comes, from both sides, and a lost piece is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import msgpack
import pytest

from game_bridge.bench import bare, run
from game_bridge.bench.client import ENDED, Client, Crowd
from game_bridge.bench.run import ASYNCIO, BLOCKING, OURS, Size
from npc_sdk.errors import ConnectionLost

SMALL = Size(pings=40, pieces=200, words=20)


class Silent:
    """Watches without a word."""

    def say(self, text: str) -> None:
        """Nothing."""

    def advance(self, done: int, total: int, what: str) -> None:
        """Nothing."""


@pytest.mark.timeout(300)
def test_every_figure_comes_for_the_bridge_and_for_bare_sockets(tmp_path: Path) -> None:
    board = run.run(json_path=tmp_path / "bridge.json", runs=1, watch=Silent(), clients=(1, 3), size=SMALL)
    assert board.skipped == {}
    found = {(one.what, one.who): one.series.median for one in board.rows()}
    assert {who for _, who in found} == {OURS, BLOCKING, ASYNCIO}
    assert len(found) == 3 * 2 * 4
    assert all(value > 0 for value in found.values())
    assert found["round trip, 3 clients, median", OURS] <= found["round trip, 3 clients, p99", OURS]
    aims = [one for one in board.comparisons if one.target is not None]
    assert [one.what for one in aims] == [
        "streamed tokens over bare echo, 1 client",
        "streamed tokens over bare echo, 3 clients",
    ]
    assert json.loads((tmp_path / "bridge.json").read_text())["is_whole"] is True


def test_the_bare_server_echoes_one_frame_and_streams_for_two() -> None:
    assert list(bare.answers([b"x"])) == [b"x"]
    *pieces, end = bare.answers([b"say", b"3"])
    assert [msgpack.unpackb(piece)["type"] for piece in pieces] == ["text"] * 3
    assert end.startswith(ENDED, 1)


class Playback:
    """A socket that hands out frames."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames

    def recv(self, _flags: int = 0) -> bytes:
        return self.frames.pop(0)


@pytest.mark.parametrize("kind", ["failed", "error"])
def test_a_reply_that_fails_ends_the_bench(kind: str) -> None:
    frame = msgpack.packb({"type": kind, "code": "overloaded"})
    crowd = Crowd("tcp://127.0.0.1:1", "", 0, is_bare=True)
    try:
        with pytest.raises(ConnectionLost, match="overloaded"):
            crowd._take_pieces(Client(Playback([frame])), 1)  # type: ignore[arg-type]
    finally:
        crowd.close()
