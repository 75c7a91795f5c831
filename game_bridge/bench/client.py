"""``python -m game_bridge.bench.client ADDRESS ping|stream --clients N --count M``: clients as cheap as can be.

Bare DEALER sockets of one thread, in a process of their own so that they take nothing from the server's. Prints one
line of JSON. Called by run.py; the bare server imports how an end is known.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import msgpack
import zmq

from game_bridge.credential import USER
from game_bridge.soak.counting import NPC_ID, order
from npc_sdk.bench.series import percentile
from npc_sdk.errors import ConnectionLost

LETTERS = 8
ENDED = b"\xa4type\xa8finished"
_TEXT = b"\xa4type\xa4text"
_PONG = b"\xa4type\xa4pong"
_PATIENCE_MS = 20_000


@dataclass(slots=True)
class Found:
    """Units: messages or pieces of text a second; seconds."""

    rate: float
    median_s: float = 0.0
    p99_s: float = 0.0


@dataclass(slots=True)
class Client:
    """One socket. left counts what it still waits for."""

    socket: zmq.Socket[bytes]
    session_id: str = ""
    left: int = 0
    pieces: int = 0
    asked_s: float = 0.0
    trips_s: list[float] = field(default_factory=list)

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a message and reads its answer."""
        self.socket.send(msgpack.packb(body))
        while True:
            answer: dict[str, Any] = msgpack.unpackb(self.socket.recv())
            if answer.get("ref") == body["ref"]:
                return answer

    def shake_hands(self, is_bare: bool) -> None:
        """Until a session is open; a bare server is only asked whether it is there."""
        if is_bare:
            self.ask({"type": "ping", "ref": 1})
            return
        self.ask({"type": "hello", "ref": 1, "protocol": 1, "client": "bench"})
        self.session_id = self.ask({"type": "talk", "ref": 2, "npc_id": NPC_ID})["session_id"]


class Crowd:
    """All clients of a bench, served by one poller. Raises: ConnectionLost where the server falls silent."""

    def __init__(self, address: str, token: str, clients: int, is_bare: bool) -> None:
        self._context = zmq.Context()
        self._is_bare = is_bare
        self._poller = zmq.Poller()
        self._clients = [Client(self._open(address, token)) for _ in range(clients)]
        self._by_socket = {client.socket: client for client in self._clients}
        for client in self._clients:
            client.shake_hands(is_bare)
            self._poller.register(client.socket, zmq.POLLIN)

    def ping(self, count: int) -> Found:
        """Every client asks again as soon as it is answered, count times in all."""
        body: bytes = msgpack.packb({"type": "ping", "ref": 7})
        for client in self._clients:
            client.left = max(1, count // len(self._clients))
        started_s = time.perf_counter()
        for client in self._clients:
            client.asked_s = time.perf_counter()
            client.socket.send(body)
        while any(client.left for client in self._clients):
            for client in self._ready():
                self._take_pongs(client, body)
        elapsed_s = time.perf_counter() - started_s
        trips_s = [trip_s for client in self._clients for trip_s in client.trips_s]
        return Found(len(trips_s) / elapsed_s, percentile(trips_s, 0.5), percentile(trips_s, 0.99))

    def stream(self, count: int, words: int) -> Found:
        """Every client asks for replies of so many words, one after the other, count words in all."""
        for client in self._clients:
            client.left = max(1, count // len(self._clients) // words)
        wanted = sum(client.left for client in self._clients) * words
        started_s = time.perf_counter()
        for client in self._clients:
            self._say(client, words)
        while any(client.left for client in self._clients):
            for client in self._ready():
                self._take_pieces(client, words)
        elapsed_s = time.perf_counter() - started_s
        pieces = sum(client.pieces for client in self._clients)
        if pieces != wanted:
            raise ConnectionLost(f"{pieces} pieces of text came; {wanted} were asked for", hint="the server lost some")
        return Found(pieces / elapsed_s)

    def close(self) -> None:
        """At once."""
        self._context.destroy(linger=0)

    def _ready(self) -> list[Client]:
        found = self._poller.poll(_PATIENCE_MS)
        if not found:
            raise ConnectionLost("the server fell silent", hint="see what it printed")
        return [self._by_socket[socket] for socket, _ in found]

    def _take_pongs(self, client: Client, body: bytes) -> None:
        frame = client.socket.recv()
        if _PONG in frame and b"\xa3ref" not in frame:
            return  # a sign of life that nobody asked for
        now_s = time.perf_counter()
        client.trips_s.append(now_s - client.asked_s)
        client.left -= 1
        if client.left:
            client.asked_s = now_s
            client.socket.send(body)

    def _take_pieces(self, client: Client, words: int) -> None:
        """All that has come. Raises: ConnectionLost for an end that is none."""
        receive = client.socket.recv
        try:
            while True:
                frame = receive(zmq.NOBLOCK)
                if frame.startswith(_TEXT, 1):
                    client.pieces += 1
                elif frame.startswith(ENDED, 1):
                    client.left -= 1
                    if client.left:
                        self._say(client, words)
                elif b"\xa4type\xa6failed" in frame or b"\xa4type\xa5error" in frame:
                    raise ConnectionLost(f"a reply failed: {msgpack.unpackb(frame)}")
        except zmq.Again:
            return

    def _say(self, client: Client, words: int) -> None:
        request_id = f"Q{client.left:02}"
        text = order(request_id, words, LETTERS)
        body = {"type": "say", "request_id": request_id, "session_id": client.session_id, "text": text}
        frame: bytes = msgpack.packb(body)
        client.socket.send_multipart([frame, str(words).encode()] if self._is_bare else [frame])

    def _open(self, address: str, token: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvhwm = 0
        socket.rcvtimeo = _PATIENCE_MS
        if not self._is_bare:
            socket.plain_username, socket.plain_password = USER.encode(), token.encode()
        socket.connect(address)
        return socket


def main(arguments: list[str] | None = None) -> int:
    """Measure once, after a short run that warms both sides up."""
    parser = argparse.ArgumentParser(prog="python -m game_bridge.bench.client")
    parser.add_argument("address")
    parser.add_argument("what", choices=("ping", "stream"))
    parser.add_argument("--token", default="", help="none for a bare server")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--words", type=int, default=500, help="of a streamed reply")
    options = parser.parse_args(arguments)
    crowd = Crowd(options.address, options.token, options.clients, not options.token)
    try:
        found = crowd.ping(options.count) if options.what == "ping" else crowd.stream(options.count, options.words)
    finally:
        crowd.close()
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
