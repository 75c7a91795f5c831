"""B1 in short: broken messages to a server in-process and over a socket, and that the attack sees what it looks for."""

from __future__ import annotations

import asyncio

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game_bridge import message as wire
from game_bridge import protocol
from game_bridge.attack import message_desk, message_line
from game_bridge.vectors import load_valid
from npc_sdk.errors import NpcError

HEADS = [vector.frames[0] for vector in load_valid() if vector.sender == "client"]
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(max_size=20)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def nobody(_told: str) -> None:
    """Progress is of no interest here."""


async def test_broken_messages_are_refused_with_a_type_and_break_nothing() -> None:
    tally = await message_desk.attack(3_000, 5, nobody)
    assert tally.crashes == []
    assert tally.sent == 3_000
    refused = sum(tally.refusals.values())
    assert {"protocol", "too_large", "unknown_session", "connection_lost"} <= tally.refusals.keys()
    assert tally.answers > refused, "sound ones are answered as such"


async def test_a_fault_of_the_server_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_opened: protocol.Opened) -> wire.ClientMessage:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(protocol, "read_client", fails)
    tally = await message_desk.attack(20, 5, nobody)
    assert any("ZeroDivisionError: a bug" in crash for crash in tally.crashes)


async def test_broken_messages_over_sockets_leave_an_honest_client_served() -> None:
    tally = await asyncio.to_thread(message_line.attack, 400, 6, nobody)
    assert tally.wrong == []
    assert tally.sent == 400
    assert tally.refusals > 0
    assert tally.is_alive
    assert tally.trips_s


def check_read_or_refused(frames: list[bytes]) -> None:
    refusal = None
    try:
        message = protocol.decode_client(frames)
    except NpcError as exc:
        refusal = exc
    if refusal is None:
        assert protocol.decode_client([protocol.encode(message)[0], *frames[1:]]) == message
    else:
        assert refusal.code in ("protocol", "too_large", "version")
        assert len(str(refusal)) < 1_000


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_frames_are_read_or_refused(frames: list[bytes]) -> None:
    check_read_or_refused(frames)


@settings(deadline=None, max_examples=300)
@given(
    head=st.sampled_from(HEADS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), max_size=3),
)
def test_changed_golden_frames_are_read_or_refused(head: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, cut, put in changes:
        at = at % (len(head) + 1)
        head = head[:at] + put + head[at + cut :]
    check_read_or_refused([head])


@settings(deadline=None, max_examples=300)
@given(vector=st.sampled_from(HEADS), field=st.text(max_size=8), value=VALUES)
def test_golden_bodies_with_any_field_are_read_or_refused(vector: bytes, field: str, value: object) -> None:
    body = msgpack.unpackb(vector)
    for name in (*body, field):
        try:
            head = msgpack.packb({**body, name: value})
        except UnicodeEncodeError:
            return
        check_read_or_refused([head])
