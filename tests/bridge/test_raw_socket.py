"""A client of nothing but a TCP socket and msgpack, with the very bytes of PROTOCOL.md."""

from __future__ import annotations

import re
import socket
from asyncio import to_thread
from pathlib import Path
from typing import Any

import msgpack
import pytest

import game_bridge
from game_bridge.server import BridgeServer

from .conftest import PATIENCE_S, quick_settings
from .fakes import FakeWorld

DOCUMENT = (Path(game_bridge.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")


def quoted(label: str) -> bytes:
    (found,) = re.findall(rf"^{label}: ([0-9a-f ]+)$", DOCUMENT, re.MULTILINE)
    return bytes.fromhex(found)


class Wire:
    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        self.pings = 0

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data

    def frame(self) -> tuple[int, bytes]:
        (flags,) = self.read(1)
        return flags, self.read(int.from_bytes(self.read(8 if flags & 2 else 1), "big"))

    def message(self) -> dict[str, Any]:
        """The next message that is no sign of life; PINGs on the way are answered."""
        while True:
            flags, body = self.frame()
            if flags & 4:
                assert body[:5] == b"\x04PING"
                self.pings += 1
                pong = b"\x04PONG" + body[7:]
                self.socket.sendall(bytes([4, len(pong)]) + pong)
                continue
            message: dict[str, Any] = msgpack.unpackb(body)
            if message != {"type": "pong"}:
                return message

    def send(self, body: dict[str, Any]) -> None:
        data = msgpack.packb(body)
        self.socket.sendall(
            (bytes([0, len(data)]) if len(data) < 256 else b"\x02" + len(data).to_bytes(8, "big")) + data
        )


def shake_hands(line: Wire, token: str) -> None:
    """As the document says it, with a token or without."""
    line.socket.sendall(quoted("greeting with a token" if token else "greeting"))
    greeting = line.read(64)
    mechanism = b"PLAIN" if token else b"NULL\0"
    assert (greeting[0], greeting[9], greeting[10], greeting[12:17]) == (0xFF, 0x7F, 3, mechanism)
    if token:
        line.socket.sendall(quoted("token").replace(b"s3cret", token.encode()))
        assert line.read(10) == quoted("welcome of the token")
    line.socket.sendall(quoted("initiate" if token else "ready"))
    flags, ready = line.frame()
    assert (flags, ready[:6], b"ROUTER" in ready) == (4, b"\x05READY", True)


def play(address: str, token: str = "") -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    line = Wire(address)
    with line.socket:
        shake_hands(line, token)
        line.socket.sendall(quoted("hello on the socket"))
        welcome = line.message()
        line.send({"type": "talk", "ref": 2, "npc_id": "mara"})
        session_id = line.message()["session_id"]
        line.send({"type": "say", "request_id": "q-1", "session_id": session_id, "text": "w" * 300})
        events = [line.message() for _ in range(3)]
        while not line.pings:
            line.send({"type": "ping", "ref": 3})
            line.message()
        line.send({"type": "bye", "ref": 4})
        events.append(line.message())
        return welcome, events, line.pings


@pytest.mark.parametrize("token", ["", "s3cret", "other!"])
async def test_the_documents_bytes_are_enough_to_play(world: FakeWorld, token: str) -> None:
    asks = {"token": token, "allow_anonymous": False} if token else {}
    async with BridgeServer(world, quick_settings(**asks)) as server:
        welcome, events, pings = await to_thread(play, server.address, token)
    assert (welcome["ref"], welcome["protocol"]) == (1, 1)
    assert [event["type"] for event in events] == ["text", "sentence", "finished", "goodbye"]
    assert events[2]["text"] == "w" * 300
    assert pings


async def test_a_wrong_token_is_answered_and_then_cut_off(world: FakeWorld) -> None:
    def show() -> tuple[bytes, bytes]:
        line = Wire(server.address)
        with line.socket:
            line.socket.sendall(quoted("greeting with a token"))
            line.read(64)
            line.socket.sendall(quoted("token"))
            return line.read(10), line.socket.recv(100) + line.socket.recv(100)

    async with BridgeServer(world, quick_settings(token="another", allow_anonymous=False)) as server:
        answer, rest = await to_thread(show)
    assert answer != quoted("welcome of the token")
    assert len(rest) < 10


def test_greeting_and_ready_have_the_lengths_that_zmtp_wants() -> None:
    assert len(quoted("greeting")) == len(quoted("greeting with a token")) == 64
    for command in ("ready", "initiate", "token", "welcome of the token"):
        assert quoted(command)[1] == len(quoted(command)) - 2
