"""A server of bare bytes, as far as a client of another language gets with it: handshake, welcome, a talk, a say."""

from __future__ import annotations

import socket

import msgpack

from game_bridge import vectors

GREETING = bytes.fromhex("ff00000000000000007f0300") + b"NULL".ljust(20, b"\0") + bytes(32)
READY = bytes.fromhex("0429055245414459") + b"\x0bSocket-Type\0\0\0\6ROUTER\x08Identity\0\0\0\0"
LIMITS = next(row for row in vectors.load_valid() if row.name == "welcome").body["limits"]


def message(body: object) -> bytes:
    """A map as a frame of one byte's length, or of eight."""
    data: bytes = msgpack.packb(body)
    return (b"\0" + bytes([len(data)]) if len(data) < 256 else b"\2" + len(data).to_bytes(8, "big")) + data


def exactly(peer: socket.socket, size: int) -> bytes:
    """So many bytes, in however many pieces they come."""
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        assert piece, f"the client hung up after {len(data)} of {size} bytes"
        data += piece
    return data


def hear(peer: socket.socket, count: int) -> bytes:
    """Reads until so many frames of a message came, all shorter than 256 bytes; the last of them."""
    frame = b""
    while count > 0:
        flags, size = exactly(peer, 2)
        frame = exactly(peer, size)
        count -= flags & 4 == 0
    return frame


def shake_hands(peer: socket.socket) -> None:
    peer.sendall(GREETING)
    exactly(peer, 64)
    peer.sendall(READY)


def welcome(peer: socket.socket, **more: object) -> None:
    """Hello, its welcome, a talk, its talking, and a say that is still open. A ping comes along."""
    shake_hands(peer)
    hear(peer, 1)
    npcs = [{"npc_id": "mara", "name": "Mara"}]
    fields = {"protocol": 1, "server": "fake", "capabilities": [], "limits": LIMITS, "npcs": npcs}
    peer.sendall(message({"type": "welcome", "ref": 1, **fields, **more}))
    hear(peer, 1)
    talking = {"type": "talking", "session_id": "s", "npc_id": "mara", "greeting": ""}
    # the ping and the talk may come in either order
    for ref in (2, 3):
        peer.sendall(message({**talking, "ref": ref}))
    hear(peer, 2)
