"""What waits for one connection: in order, bounded in number and patience, and never blocking whoever posts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from game_bridge.outbox import Outbox
from game_bridge.transport import SendOutcome

from .asking import eventually
from .conftest import PATIENCE_S


class Line:
    """A connection whose state the test sets."""

    def __init__(self, state: SendOutcome = "sent") -> None:
        self.state = state
        self.sent: list[bytes] = []
        self.broken: list[str] = []

    def send(self, frames: Sequence[bytes]) -> SendOutcome:
        if self.state == "sent":
            self.sent += frames
        return self.state

    def outbox(self, *, max_messages: int = 10, max_bytes: int = 1_000, patience_s: float = 0.1) -> Outbox:
        limits = {"max_messages": max_messages, "max_bytes": max_bytes}
        return Outbox(self.send, self.broken.append, patience_s=patience_s, **limits)


async def test_messages_keep_their_order_through_a_short_block() -> None:
    line = Line("blocked")
    outbox = line.outbox(patience_s=PATIENCE_S)
    for number in range(5):
        outbox.post([b"%d" % number])
    await asyncio.sleep(0.05)
    line.state = "sent"
    await outbox.close(PATIENCE_S)
    assert (line.sent, line.broken) == ([b"0", b"1", b"2", b"3", b"4"], [])


@pytest.mark.parametrize(
    ("state", "posts", "reason"),
    [("blocked", 1, "slow"), ("gone", 1, "gone"), ("blocked", 11, "slow")],
    ids=["patience", "gone", "full"],
)
async def test_a_broken_connection_is_reported_once(state: SendOutcome, posts: int, reason: str) -> None:
    line = Line(state)
    outbox = line.outbox()
    for _ in range(posts):
        outbox.post([b"x"])
    await eventually(lambda: line.broken)
    line.state = "sent"
    outbox.post([b"too late"])
    await outbox.close(1)
    assert (line.broken, line.sent) == ([reason], [])


async def test_a_few_large_messages_are_as_many_as_many_small_ones() -> None:
    line = Line("blocked")
    outbox = line.outbox(patience_s=60)
    for _ in range(3):
        outbox.post([b"x" * 400])
    await asyncio.sleep(0)
    assert line.broken == ["slow"]


async def test_a_trickle_is_cut_too() -> None:
    line = Line("blocked")
    outbox = line.outbox(max_messages=10_000, max_bytes=100_000, patience_s=0.1)
    for number in range(1_000):
        outbox.post([b"%d" % number])

    def one_at_a_time(frames: Sequence[bytes]) -> SendOutcome:
        line.state = "blocked" if line.state == "sent" else "sent"
        line.sent += frames if line.state == "sent" else []
        return line.state

    outbox._send = one_at_a_time
    await eventually(lambda: line.broken)
    assert line.broken == ["slow"]
    assert 0 < len(line.sent) < 1_000


@pytest.mark.parametrize("act", [lambda _: None, lambda outbox: outbox.post([b"x"])], ids=["empty", "blocked"])
async def test_close_gives_up_in_time(act: Callable[[Outbox], None]) -> None:
    line = Line("blocked")
    outbox = line.outbox(patience_s=60)
    act(outbox)
    async with asyncio.timeout(PATIENCE_S / 2):
        await outbox.close(0.05)
    outbox.post([b"after"])
    assert (line.sent, line.broken) == ([], [])
