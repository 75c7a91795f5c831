"""Servers that mean no good, of bare bytes: what each sends, and what it waits for in between."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgpack

RUN_S = 180.0
PEER_S = 60.0
GREETING = bytes.fromhex("ff00000000000000017f03") + b"\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
PLAIN = GREETING.replace(b"NULL\0", b"PLAIN")
_READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00"
OPENED = GREETING + _READY
_LIMITS = {"heartbeat_s": 0.2, "idle_s": 1.0, "reply_timeout_s": 60.0}


def frame(body: dict[str, object]) -> bytes:
    data: bytes = msgpack.packb(body)
    return bytes([2]) + len(data).to_bytes(8, "big") + data


def welcome(**limits: object) -> bytes:
    cast = [{"npc_id": "mara", "name": "Mara"}]
    body = {"type": "welcome", "ref": 1, "protocol": 1, "server": "bad", "capabilities": ["images"], "npcs": cast}
    return frame({**body, "limits": {**_LIMITS, **limits}})


TALKING = frame({"type": "talking", "ref": 2, "session_id": "s-1", "npc_id": "mara", "greeting": ""})
TEXT = frame({"type": "text", "request_id": "q-1", "text": "Good "})
PONG = frame({"type": "pong"})
_PING = b"\x04\x07\x04PING\x00\x00"

Behaviour = Callable[[socket.socket], None]
Turn = tuple[bytes, bytes]  # what is waited for, and what is sent then

WELCOMED: tuple[Turn, ...] = ((b"", OPENED), (b"hello", welcome()))
TALKED: tuple[Turn, ...] = (*WELCOMED, (b"talk", TALKING))
PATIENT: tuple[Turn, ...] = ((b"", OPENED), (b"hello", welcome(idle_s=60.0)), (b"talk", TALKING))


def play(peer: socket.socket, turns: Sequence[Turn]) -> None:
    for awaited, data in turns:
        heard = b""
        while awaited not in heard:
            piece = peer.recv(4096)
            if not piece:
                return
            heard += piece
        peer.sendall(data)


def sends(data: bytes = b"", *, turns: Sequence[Turn] = ()) -> Behaviour:
    """Sends, and reads until the client has had enough."""

    def serve(peer: socket.socket) -> None:
        play(peer, [*turns, (b"", data)])
        while peer.recv(65536):
            pass

    return serve


def closes_after(turns: Sequence[Turn]) -> Behaviour:
    def serve(peer: socket.socket) -> None:
        play(peer, turns)

    return serve


def beats_after(turns: Sequence[Turn], beat: bytes) -> Behaviour:
    """Reads nothing any more; goes on with beats until the client closes."""

    def serve(peer: socket.socket) -> None:
        play(peer, turns)
        for _ in range(600):
            peer.sendall(beat)
            time.sleep(0.1)

    return serve


def hangs_up(peer: socket.socket) -> None:
    peer.recv(64)


def drips(peer: socket.socket) -> None:
    for number in range(64):
        peer.sendall(GREETING[number : number + 1])
        time.sleep(0.2)


def floods_pings(peer: socket.socket) -> None:
    play(peer, WELCOMED)
    while True:
        peer.sendall(_PING * 1_000)


@contextmanager
def bad_server(*behaviours: Behaviour) -> Iterator[int]:
    """Serves one connection after the other in these ways, and then nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PEER_S)

        def serve() -> None:
            for left, behaviour in zip(range(len(behaviours) - 1, -1, -1), behaviours, strict=True):
                with suppress(OSError):
                    peer, _ = listening.accept()
                    if left == 0:
                        listening.close()
                    with peer, suppress(OSError):
                        peer.settimeout(PEER_S)
                        behaviour(peer)

        port = int(listening.getsockname()[1])
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            thread.join(RUN_S)
            assert not thread.is_alive()


_KEY = "0123456789abcdef01234567"


def keyed(ref: int, **fields: object) -> bytes:
    """A welcome whose connection may break."""
    limits = {**_LIMITS, "idle_s": 60.0}
    body = {"type": "welcome", "ref": ref, "protocol": 1, "server": "bad", "capabilities": ["resume"], "npcs": []}
    return frame({**body, "limits": limits, "resume": _KEY, "resume_s": 60.0, **fields})


def goes_on_after(*turns: Turn) -> Behaviour:
    return sends(turns=((b"", OPENED), *turns))
