"""Whose a connection is: nobody's has little room and little time. And whether it lives: beats."""

from __future__ import annotations

import pytest

from game_bridge import gate as gate_module
from game_bridge import zmtp
from game_bridge.gate import Gate
from game_bridge.told import Limits

from .gate_peer import BarePeer, gate_settings, open_hall


async def test_who_is_nobodys_for_the_longest_time_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_SPARE_PEERS", 2)
    async with open_hall(gate_settings(max_peers=1)) as hall:
        await BarePeer.greet(hall)
        left = await BarePeer.greet(hall)
        silent = await BarePeer.shake_hands(hall)
        hall.gate.release(hall.came[-1][0])
        third = await BarePeer.greet(hall)
        assert await silent.end() == b""
        await BarePeer.greet(hall)
        assert await left.end() == b""
        refused = await BarePeer.connect(hall)
        refused.write(zmtp.encode_greeting("NULL") + zmtp.encode_command(b"READY", b"\x0bSocket-Type\0\0\0\6DEALER"))
        assert len(await refused.end()) == 64
        third.send([b"ho"])
        assert await third.message() == [b"ho"]
        assert len(hall.gone) == 2


async def test_who_stays_nobodys_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "UNCLAIMED_S", 0.0)
    async with open_hall() as hall:
        claimed, left, again = [await BarePeer.greet(hall) for _ in range(3)]
        ids = [identity for identity, _ in hall.came]
        silent = await BarePeer.shake_hands(hall)
        for identity in ids[1:]:
            hall.gate.release(identity)
        hall.gate.claim(ids[2])
        hall.gate._tick()
        assert await silent.end() == await left.end() == b""
        for peer in (claimed, again):
            peer.send([b"hi"])
            assert await peer.message() == [b"hi"]
        assert ids[1] in hall.gone


async def test_who_was_just_let_in_has_time_to_say_who_it_is() -> None:
    async with open_hall(does_claim=False) as hall:
        peer = await BarePeer.shake_hands(hall)
        hall.gate._tick()
        peer.send([b"hi"])
        assert await peer.message() == [b"hi"]


def test_claims_of_who_is_gone_are_none_of_the_gates_business() -> None:
    gate = Gate(gate_settings(), print, print)
    gate.claim(b"nobody")
    gate.release(b"nobody")
    assert not gate._unclaimed


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(zmtp.encode_frame(b"x" * 600_000), id="frame"),
        pytest.param(zmtp.encode_frame(b"x" * 400_000, 1) * 2, id="message"),
        pytest.param(b"\x01\x00" * 100, id="frames"),
    ],
)
async def test_nobodys_messages_are_small(message: bytes) -> None:
    async with open_hall() as hall:
        nobody, somebody = await BarePeer.shake_hands(hall), await BarePeer.greet(hall)
        for peer in (nobody, somebody):
            peer.write(message)
        await nobody.end()
        somebody.write(zmtp.encode_frame(b"the end"))
        assert await somebody.message()


async def test_what_comes_right_behind_the_first_word_may_be_large() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.shake_hands(hall)
        peer.write(zmtp.encode_message([b"hello"]) + zmtp.encode_message([b"x" * 3_000_000]))
        assert await peer.message() == [b"hello"]
        assert await peer.message() == [b"x" * 3_000_000]


async def test_nobodys_connection_is_read_more_slowly() -> None:
    async with open_hall() as hall:
        await BarePeer.shake_hands(hall)
        (line,) = hall.gate._lines.values()
        for bucket, some in ((line._bytes, 3_000_000), (line._messages, 500)):
            bucket.spend(some)
            assert bucket.rest_s > 0
        hall.gate.claim(line.identity)
        assert line._bytes.rest_s == line._messages.rest_s == 0


async def next_command(peer: BarePeer, start: bytes) -> bytes:
    """The next one that begins so; others, of which there may be any number, are passed over."""
    while True:
        flags, body = await peer.frame()
        if flags & 4 and body.startswith(start):
            return body


async def test_pings_come_and_are_answered() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.shake_hands(hall)
        hall.gate._tick()
        peer.write(zmtp.encode_command(b"PING", b"\0\x01context"))
        await next_command(peer, b"\x04PING")
        assert await next_command(peer, b"\x04PONG") == b"\x04PONGcontext"


async def test_the_silent_are_cut() -> None:
    async with open_hall() as hall:
        peer, other = await BarePeer.greet(hall), await BarePeer.greet(hall)
        for _ in range(3):
            hall.gate._tick()
            await next_command(peer, b"\x04PING")
            await next_command(other, b"\x04PING")
            other.send([b"here"])
            await other.message()
        hall.gate._tick()
        assert await peer.end() == b""
        assert len(hall.gone) == 1


async def test_who_answers_pings_stays() -> None:
    async with open_hall() as hall:
        peer = await BarePeer.greet(hall)
        for number in range(6):
            hall.gate._tick()
            await next_command(peer, b"\x04PING")
            peer.write(zmtp.encode_command(b"PONG") + zmtp.encode_command(b"PING", b"\0\1%d" % number))
            assert await next_command(peer, b"\x04PONG") == b"\x04PONG%d" % number
        assert hall.gone == []


async def test_the_beat_goes_by_itself() -> None:
    async with open_hall(gate_settings(Limits(heartbeat_s=0.3))) as hall:
        peer = await BarePeer.shake_hands(hall)
        await next_command(peer, b"\x04PING")
        await peer.end()
        assert len(hall.gone) == 1
