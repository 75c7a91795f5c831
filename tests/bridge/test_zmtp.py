"""ZMTP by bytes alone: what a handshake takes, what frames are, and where it stops listening."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game_bridge import zmtp
from game_bridge.zmtp import Bounds, FrameReader, Handshake, Refused, encode_command, encode_frame, encode_message
from npc_sdk.errors import BridgeError, ProtocolError, TooLarge

BOUNDS = Bounds(frame_bytes=100_000, message_bytes=250_000, frames=3, surplus=5)
NULL, PLAIN = zmtp.encode_greeting("NULL"), zmtp.encode_greeting("PLAIN")
DEALER = b"\x0bSocket-Type\x00\x00\x00\x06DEALER"
READY, INITIATE = encode_command(b"READY", DEALER), encode_command(b"INITIATE", DEALER)
HELLO = encode_command(b"HELLO", b"\x04game\x06s3cret")
OPEN = encode_command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00")


def handshake(mechanism: zmtp.Mechanism = "PLAIN") -> Handshake:
    return Handshake(mechanism, lambda name, shown: (name, shown) == (b"game", b"s3cret"))


def read_all(reader: FrameReader, data: bytes) -> list[list[bytes] | bytes]:
    reader.feed(data)
    return list(iter(reader.next, None))


def with_byte(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize(
    ("mechanism", "sent", "answered"),
    [
        pytest.param("NULL", NULL + READY, OPEN, id="null"),
        pytest.param("PLAIN", PLAIN + HELLO + INITIATE, b"\x04\x08\x07WELCOME" + OPEN, id="plain"),
    ],
)
def test_a_handshake_in_pieces_of_any_size(mechanism: zmtp.Mechanism, sent: bytes, answered: bytes, step: int) -> None:
    shaking = handshake(mechanism)
    assert b"".join(shaking.feed(sent[at : at + step]) for at in range(0, len(sent), step)) == answered
    assert shaking.is_done
    assert shaking.rest == b""


def test_what_comes_right_behind_the_handshake_is_not_lost() -> None:
    shaking = handshake("NULL")
    shaking.feed(NULL + READY + b"\x00\x02hi")
    assert shaking.rest == b"\x00\x02hi"


def test_names_count_in_any_case_and_newer_versions_are_welcome() -> None:
    assert handshake("NULL").feed(with_byte(NULL, 10, 4) + READY.replace(b"Socket-Type", b"SOCKET-TYPE")) == OPEN


@pytest.mark.parametrize(
    ("mechanism", "sent", "error", "told"),
    [
        pytest.param("NULL", b"GET", Refused, "not ZMTP", id="another protocol"),
        pytest.param("NULL", with_byte(NULL, 9, 0)[:10], Refused, "not ZMTP", id="half a signature"),
        pytest.param("NULL", with_byte(NULL, 10, 2)[:11], Refused, "speaks ZMTP 2", id="old"),
        pytest.param("NULL", PLAIN, Refused, "mechanism is b'PLAIN'", id="a token unasked"),
        pytest.param("PLAIN", NULL, Refused, "mechanism is b'NULL'", id="no token"),
        pytest.param("PLAIN", with_byte(PLAIN, 30, 1), Refused, "mechanism", id="no padding"),
        pytest.param("PLAIN", PLAIN + INITIATE, ProtocolError, "in place of HELLO", id="not a word of the token"),
        pytest.param("PLAIN", PLAIN + b"\x00\x02hi", ProtocolError, "flags 0x00", id="a message too early"),
        pytest.param("PLAIN", PLAIN + b"\x06" + b"\xff" * 8, TooLarge, "command of", id="a huge command"),
        pytest.param("PLAIN", PLAIN + HELLO.replace(b"s3", b"s4"), Refused, "name or the token", id="wrong token"),
        pytest.param("PLAIN", PLAIN + HELLO.replace(b"game", b"user"), Refused, "name or the token", id="wrong name"),
        pytest.param("PLAIN", PLAIN + b"\x04\x06\x05HELLO", ProtocolError, "add up", id="empty hello"),
        pytest.param("PLAIN", PLAIN + b"\x04\x07\x05HELLO\x00", ProtocolError, "add up", id="half a hello"),
        pytest.param("PLAIN", PLAIN + HELLO + READY, ProtocolError, "in place of INITIATE", id="ready with plain"),
        pytest.param("NULL", NULL + encode_command(b"READY"), Refused, "b'' socket", id="no type"),
        pytest.param("NULL", NULL + READY.replace(b"DEALER", b"PUSHER"), Refused, "PUSHER", id="another type"),
        pytest.param(
            "NULL", NULL + encode_command(b"READY", DEALER[:-1]), ProtocolError, "add up", id="half a property"
        ),
        pytest.param("NULL", NULL + encode_command(b"READY", b"\x0bSo"), ProtocolError, "add up", id="half a name"),
        pytest.param(
            "NULL", NULL + encode_command(b"READY", b"\x01a\xff\xff\xff\xff"), ProtocolError, "add up", id="huge value"
        ),
    ],
)
def test_who_is_not_let_in(mechanism: zmtp.Mechanism, sent: bytes, error: type[BridgeError], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        handshake(mechanism).feed(sent)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("mechanism", "sent", "reply"),
    [
        ("PLAIN", PLAIN + HELLO.replace(b"s3", b"s4"), b"\x04\x09^RROR\x03400"),
        ("NULL", NULL + READY.replace(b"DEALER", b"PUBSUB"), b"\x04\x20\x05ERROR\x19only a DEALER can connect"),
    ],
    ids=["token", "type"],
)
def test_a_refusal_is_told_as_libzmq_reads_it(mechanism: zmtp.Mechanism, sent: bytes, reply: bytes) -> None:
    with pytest.raises(Refused) as caught:
        handshake(mechanism).feed(sent)
    assert caught.value.reply == reply
    assert caught.value.is_stranger == (mechanism == "PLAIN")


@given(st.binary(max_size=200), st.sampled_from([b"", PLAIN, PLAIN + HELLO, PLAIN[:40]]))
def test_no_bytes_break_the_handshake(noise: bytes, before: bytes) -> None:
    shaking = handshake()
    try:
        for at in range(0, len(before + noise), 50):
            shaking.feed((before + noise)[at : at + 50])
    except BridgeError:
        pass
    assert len(shaking.rest) <= 64 + zmtp.MAX_COMMAND_BYTES or shaking.is_done


MESSAGE = [b"map", b"", b"x" * 255, b"y" * 256, b"z" * 90_000][2:]


@pytest.mark.parametrize("step", [1, 2, 9, 300, 65_536, 10**6])
def test_messages_and_commands_in_pieces_of_any_size(step: int) -> None:
    sent = encode_message(MESSAGE) + encode_command(b"PING", b"\0\x01") + encode_message([b""]) + encode_message([b"a"])
    reader = FrameReader(BOUNDS)
    came = [item for at in range(0, len(sent), step) for item in read_all(reader, sent[at : at + step])]
    assert came == [MESSAGE, b"\x04PING\0\x01", [b""], [b"a"]]
    assert (reader.frames, reader.held) == (6, 0)


def test_a_command_between_the_frames_of_a_message() -> None:
    sent = encode_frame(b"a", 1) + encode_command(b"PONG") + encode_frame(b"b")
    assert read_all(FrameReader(BOUNDS), sent) == [b"\x04PONG", [b"a", b"b"]]


def test_frames_too_many_are_thrown_away_but_for_what_tells_the_tale() -> None:
    reader = FrameReader(BOUNDS)
    assert read_all(reader, encode_message([b"x"] * 8)) == [[b"x"] * 3]
    with pytest.raises(TooLarge, match="8 frames"):
        read_all(reader, encode_message([b"x"] * 9))
    assert reader.held < 1_000


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(b"\x02" + b"\xff" * 8, TooLarge, id="the longest of all"),
        pytest.param(b"\x02" + (100_001).to_bytes(8, "big"), TooLarge, id="one too long"),
        pytest.param(encode_frame(b"x" * 90_000, 1) * 3, TooLarge, id="too much in all"),
        pytest.param(b"\x06" + (1_025).to_bytes(8, "big"), TooLarge, id="a long command"),
        pytest.param(b"\x05\x00", ProtocolError, id="a command with more"),
        pytest.param(b"\x08\x00", ProtocolError, id="unknown flag"),
    ],
)
def test_what_ends_a_connection_ends_it_at_the_header(sent: bytes, error: type[BridgeError]) -> None:
    with pytest.raises(error):
        read_all(FrameReader(BOUNDS), sent)


def test_a_length_alone_takes_no_memory_and_held_tells_what_does() -> None:
    reader = FrameReader(BOUNDS)
    assert read_all(reader, b"\x03" + (99_999).to_bytes(8, "big")) == []
    assert reader.held == 0
    assert read_all(reader, b"x" * 50_000) == []
    assert reader.held == 50_000
    assert read_all(reader, b"x" * 49_999 + b"\x00") == []
    assert 99_999 < reader.held < 101_000
    assert read_all(reader, b"\x00") == [[b"x" * 99_999, b""]]


def test_reading_can_stop_between_messages_and_go_on() -> None:
    reader = FrameReader(BOUNDS)
    reader.feed(b"\x00\x01a\x00\x01b\x00")
    assert reader.next() == [b"a"]
    reader.feed(b"\x01c")
    assert list(iter(reader.next, None)) == [[b"b"], [b"c"]]


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_no_bytes_break_the_reader(pieces: list[bytes]) -> None:
    reader = FrameReader(Bounds(frame_bytes=30, message_bytes=60, frames=2, surplus=2))
    try:
        for piece in pieces:
            read_all(reader, piece)
    except BridgeError:
        pass
    assert reader.held <= 60 + 2 * 64


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"\x04PING\0\x05", b"\x04\x05\x04PONG"),
        (b"\x04PING\0\x05" + b"c" * 100, b"\x04\x15\x04PONG" + b"c" * 16),
        (b"\x04PONG", b""),
        (b"\x09SUBSCRIBEall", b""),
        (b"", b""),
    ],
)
def test_commands_are_answered_shortly(command: bytes, answer: bytes) -> None:
    assert zmtp.answer_command(command) == answer


@pytest.mark.parametrize("command", [b"\x04PING\0", b"\x05ERROR\x00"])
def test_commands_that_end_a_connection(command: bytes) -> None:
    with pytest.raises(ProtocolError):
        zmtp.answer_command(command)


@pytest.mark.parametrize(("ttl_s", "told"), [(0.001, b"\0\x01"), (6.0, b"\0\x3c"), (9e9, b"\xff\xff")])
def test_the_time_to_live_is_in_tenths(ttl_s: float, told: bytes) -> None:
    assert zmtp.encode_ping(ttl_s) == b"\x04\x07\x04PING" + told
