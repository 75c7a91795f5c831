"""The gate before a socket that only lists what is written: whose turn it is, and how many writes all of it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from game_bridge import gate_line, gate_turn, zmtp
from game_bridge.gate import Gate

from .asking import eventually
from .gate_peer import open_hall


class FakeSocket(asyncio.Transport):
    """Writes into a list."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_read = True
        self.on_end: Callable[[None], None] = print

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def write_eof(self) -> None:
        asyncio.get_running_loop().call_soon(self.on_end, None)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


async def run_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def line_of(gate: Gate) -> tuple[Callable[[bytes], None], FakeSocket]:
    line, fake = gate._new_line(), FakeSocket()
    fake.on_end = line.connection_lost
    line.connection_made(fake)
    line.data_received(zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", b"\x0bSocket-Type\0\0\0\6DEALER"))
    fake.writes.clear()
    return line.data_received, fake


async def test_one_connection_has_its_turn_and_then_others_have() -> None:
    async with open_hall() as hall:
        (feed, fake), (feed_other, _) = line_of(hall.gate), line_of(hall.gate)
        feed(b"\x00\x01a" * 100)
        assert not fake.is_read
        feed_other(b"\x00\x01b")
        await run_turns(20)
        assert [frames[0] for _, frames in hall.came] == [b"a"] * 16 + [b"b"] + [b"a"] * 84
        assert fake.is_read


async def test_many_megabytes_that_nobody_needs_any_more_go_a_few_at_a_time() -> None:
    async with open_hall() as hall:
        feed, fake = line_of(hall.gate)
        feed(b"\x00\x05hello\x02" + (3_000_000).to_bytes(8, "big"))
        for _ in range(40):
            feed(b"x" * 50_000)
        fake.on_end(None)
        left = []
        while hall.gate._leftovers._parts:
            left.append(sum(map(len, hall.gate._leftovers._parts)))
            await asyncio.sleep(0)
        assert left[0] == 2_000_000
        steps = [before - after for before, after in zip(left, [*left[1:], 0], strict=True)]
        assert max(steps) < 1_300_000
        assert hall.gate._all_held_bytes == 0


async def test_all_of_one_turn_is_one_write() -> None:
    async with open_hall() as hall:
        feed, fake = line_of(hall.gate)
        feed(b"\x00\x01a" * 10 + zmtp.encode_command(b"PING", b"\0\1"))
        assert fake.writes == []
        await run_turns(2)
        assert fake.writes == [b"\x00\x01a" * 10 + b"\x04\x05\x04PONG"]


async def test_a_stream_is_gathered_and_an_answer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_line, "GATHER_S", 5.0)  # a moment that is not over while the test still posts
    monkeypatch.setattr(gate_turn, "GATHER_S", 0.2)
    async with open_hall() as hall:
        feed, fake = line_of(hall.gate)
        (line,) = hall.gate._lines.values()
        for number in range(5):
            line.post(b"%d" % number)
            await run_turns(2)
        assert fake.writes[0] == b"0"
        await eventually(lambda: b"".join(fake.writes) == b"01234")
        assert len(fake.writes) < 5
        written = len(fake.writes)
        for _ in range(3):
            feed(zmtp.encode_command(b"PING", b"\0\1"))
            await run_turns(2)
        assert len(fake.writes) == written + 3
